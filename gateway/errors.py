"""Why an SMS is not taken: one enumeration, which each channel maps to the status of its protocol."""

from enum import Enum
from typing import Final


class Verdict(Enum):
    """What is wrong with an SMS, or with us."""

    NOT_A_MESSAGE = "not a plain message"
    BAD_SOURCE = "the sender cannot be answered"
    UNKNOWN_DESTINATION = "the destination is none of ours"
    UNREADABLE = "the message cannot be read as its header says"
    BAD_SCHEDULE = "nothing is kept for a later time"
    BAD_VALIDITY = "the validity is no time"
    EXPIRED = "the validity is over"
    BAD_REPLACE = "the flag for a replacement is neither 0 nor 1"
    PREDEFINED = "there are no predefined texts"
    SOURCE_NOT_ALLOWED = "the account may not submit for this sender"
    CODE_NOT_ALLOWED = "the account may not use this number of the service"
    OPERATION_NOT_ALLOWED = "the account may not send this request"
    TOO_FAST = "the account submits more SMS a second than it may"
    QUEUE_FULL = "queue full"
    OUTBOX_FULL = "outbox full"
    STOPPING = "stopping"
    STORE_FULL = "store full"
    STORE_FAULT = "storage fault"


class Refusal(Exception):
    """An SMS that is not taken: its channel answers at once with the status of the verdict. It is logged
    with the reason, and not journaled."""

    def __init__(self, verdict: Verdict, reason: str = "") -> None:
        super().__init__(reason or verdict.value)
        self.verdict = verdict
        self.reason = reason or verdict.value


EXPIRED: Final = Refusal(Verdict.EXPIRED)
QUEUE_FULL: Final = Refusal(Verdict.QUEUE_FULL)
OUTBOX_FULL: Final = Refusal(Verdict.OUTBOX_FULL)
STOPPING: Final = Refusal(Verdict.STOPPING)
STORE_DOWN: Final = Refusal(Verdict.STORE_FAULT)
UNTRUSTED: Final = Refusal(Verdict.STORE_FAULT, "the lease of this node is nearly over")
STORE_FULL: Final = Refusal(Verdict.STORE_FULL)
