"""What the gateway answers when something goes wrong: one table from error to command_status.

The leaves (routing, commands, storage) do not know SMPP; this is where their errors become an answer.
"""

from typing import Final

from gateway.smpp.status import CommandStatus


class Refusal(Exception):
    """An SMS that is not taken: answered at once with command_status, logged, not journaled."""

    def __init__(self, command_status: int, reason: str) -> None:
        super().__init__(reason)
        self.command_status = command_status
        self.reason = reason


QUEUE_FULL: Final = Refusal(CommandStatus.RMSGQFUL, "queue full")
OUTBOX_FULL: Final = Refusal(CommandStatus.RMSGQFUL, "outbox full")
STOPPING: Final = Refusal(CommandStatus.RMSGQFUL, "stopping")
STORE_DOWN: Final = Refusal(CommandStatus.RSYSERR, "storage fault")
STORE_FULL: Final = Refusal(CommandStatus.RMSGQFUL, "store full")
