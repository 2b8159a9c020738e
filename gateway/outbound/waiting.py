"""Why an SMS waits, as operators read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.message import MobileTerminated, message_id

NO_RECEIVER: Final = "no receiver"
WINDOW: Final = "window full"
RETRIED: Final = "retried by an operator"
UNANSWERED: Final = "no response in time"
_MOVED: Final = "moved to account "
_AND: Final = ", "


def with_reason(waited: str, reason: str) -> str:
    """Return MobileTerminated.waited with another reason at its end. waited: what it says so far."""
    if not waited or waited in {WINDOW, reason}:  # nearly always: a full outbox asks this of each SMS
        return reason
    others = [each for each in waited.split(_AND) if each not in {"", reason}]
    return _AND.join((*others, reason))


def with_move(waited: str, account: str) -> str:
    """Return it with the account at which the SMS waits from now on."""
    return with_reason(waited, f"{_MOVED}{account}")


def moved_to(waited: str, account: str) -> str:
    """Return the account at which an SMS of an account has waited last."""
    moves = [each.removeprefix(_MOVED) for each in waited.split(_AND) if each.startswith(_MOVED)]
    return moves[-1] if moves else account


@dataclass(frozen=True, slots=True)
class Wait:
    """reason: a clause. due: when the next try is (monotonic seconds), 0 where no time ends the wait."""

    reason: str
    due: float = 0.0


def wait_of(
    number: int,
    queue: Sequence[MobileTerminated] | None,
    now: float,
    *,
    store_behind: bool = False,
    links: bool = False,
) -> Wait:
    """Tell why an SMS waits.

    queue: the SMS to its handset, in the order in which they leave; it may be long, so only the first one is
    looked at. store_behind: nothing leaves until what has left is stored. links: one of its account is bound.
    """
    if not queue:
        return Wait("the gateway has not taken it out of the store yet")
    sms = queue[0]
    if sms.number != number:
        return Wait(f"its turn comes after {message_id(sms.number)}: one SMS at a time to a handset")
    if not sms.leaves_anew:
        if sms.parts_done:
            done = f"{sms.parts_done} of {sms.parts} parts are acknowledged"
            return Wait(f"{done}: the next one has left, or waits for a bind")
        return Wait("it has left: the response is under way")
    if sms.due > now:
        return Wait(f"{sms.error}: next attempt", sms.due)
    if sms.waited.endswith(NO_RECEIVER) and links:
        return Wait(f"no link of account {sms.account} takes SMS now: `links list` says why")
    if sms.waited.endswith(NO_RECEIVER):
        return Wait(f"no receiver of account {sms.account} is bound")
    if sms.waited.endswith(WINDOW) and store_behind:
        return Wait("the store is slow or fails: many SMS that have left are not stored yet")
    if sms.waited.endswith(WINDOW):
        return Wait(f"the window of the bind of account {sms.account} is full, or its pace is reached")
    return Wait("it leaves now")
