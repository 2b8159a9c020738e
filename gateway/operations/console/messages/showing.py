"""One SMS as a viewer may see it: facts, text, cause, effects and steps, with numbers masked. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from gateway.message import OPERATOR, TABLES, message_id
from gateway.operations.console.masks import Mask, masking, masking_texts
from gateway.operations.timeline.life import is_over, record_in
from gateway.operations.timeline.records import state_of, utc
from gateway.operations.timeline.sentences import written
from gateway.operations.timeline.steps import Life, Step, timeline, with_pauses
from gateway.settings import LimitSettings
from gateway.storage.reader import DownlinkRecord, JournalRecord

TIMES: Final = frozenset({"at", "expires_at", "closed_at"})
"""Facts that are times, in ms."""


class Link(NamedTuple):
    """Another SMS of the same life. way: from and to. result: outcome or state. open: whether the viewer may
    see it."""

    id: str
    way: str
    result: str
    open: bool


class ShownStep(NamedTuple):
    """A step. pause: ms since the one before, None where it is not known. id: of its SMS."""

    at: int
    pause: int | None
    id: str
    event: str
    text: str
    until: int


@dataclass(frozen=True, slots=True)
class ShownSms:
    """An SMS as a page and the API show it.

    facts: what is known of it, by name; times in ms. causes: what caused it, and parts that were joined into
    it. effects: what it led to. hides: whether its text is one that nobody may see. text: None where it is
    not opened. opened: whether numbers and text are.
    """

    id: str
    facts: dict[str, Any]
    causes: Sequence[Link]
    effects: Sequence[Link]
    steps: Sequence[ShownStep]
    over: bool
    hides: bool
    text: str | None
    opened: bool

    def for_programs(self) -> dict[str, Any]:
        """The answer of the API. Times are RFC 3339 in UTC, or null."""
        facts = {
            name: (utc(value) if value else None) if name in TIMES else value
            for name, value in self.facts.items()
        }
        return {
            "message_id": self.id,
            **facts,
            "causes": [each._asdict() for each in self.causes],
            "effects": [each._asdict() for each in self.effects],
            "timeline": [
                {
                    "at": utc(each.at) if each.at else None,
                    "message_id": each.id,
                    "event": each.event,
                    "text": each.text,
                    "until": utc(each.until) if each.until else None,
                }
                for each in self.steps
            ],
            "over": self.over,
        }


@dataclass(frozen=True, slots=True)
class Sight:
    """What a viewer sees. sees: whether it sees the SMS of a customer (mobile). everything: whether it is
    headquarters, to whom an SMS that is opened shows the numbers of all parties."""

    sees: Callable[[str], bool]
    home: Callable[[str], str]
    everything: bool


def shown_sms(
    life: Life,
    number: int,
    sight: Sight,
    limits: LimitSettings,
    *,
    opened: bool = False,
    language: str = "en",
) -> ShownSms | None:
    """Show the SMS with that number; None where there is none that the viewer may see. language: of what its
    steps say."""
    sms = record_in(life, number)
    if sms is None or not sight.sees(sms.msisdn):
        return None
    life = _within(life, sms, sight)
    incoming = [each for each in (life.message, *life.parts) if each is not None]
    own = frozenset({sms.msisdn} if opened else ())
    numbers = [each.number for each in incoming] + [each.number for each in life.outgoing]
    ids = frozenset(map(message_id, numbers))
    mask: Mask = str if opened and sight.everything else masking(own, ids)
    hides = bool(sms.secret if isinstance(sms, DownlinkRecord) else sms.hidden)
    words: Mask = str if opened and sight.everything else masking_texts(own)
    by = {each.number for each in incoming if each.account == OPERATOR}  # its steps have what somebody wrote
    steps = with_pauses(timeline(life, limits))
    text = words(sms.text) if opened and not hides else None
    causes = [_link(each, sight, mask) for each in incoming if each.number != number]
    effects = [_link(each, sight, mask) for each in life.outgoing if each.number != number]
    return ShownSms(
        message_id(number),
        _facts(sms, sight, mask),
        causes,
        effects,
        [_step(step, pause, words if step.number in by else mask, language) for step, pause in steps],
        is_over(life),
        hides,
        text,
        opened,
    )


def _within(life: Life, sms: JournalRecord | DownlinkRecord, sight: Sight) -> Life:
    """Leave out what belongs to a customer whom the viewer does not see, but the SMS that this one led to."""
    cause = life.message
    if cause is not None and not sight.sees(cause.msisdn):
        life = replace(life, message=None, parts=())
    if isinstance(sms, DownlinkRecord):
        life = replace(life, outgoing=[sms])
    return life


def _facts(sms: JournalRecord | DownlinkRecord, sight: Sight, mask: Mask) -> dict[str, Any]:
    common = {
        "at": sms.at,
        "from": mask(sms.source),
        "to": mask(sms.destination),
        "home_province": sight.home(sms.msisdn),
        "account": sms.account,
        "parts": sms.parts,
    }
    if isinstance(sms, JournalRecord):
        return {
            "direction": "in",
            **common,
            "access_code": sms.access_code,
            "sub_code": mask(sms.sub_code),
            "number_province": sms.province,
            "instruction": sms.instruction,
            "result": sms.outcome,
            "code": sms.code,
            "tables": str(sms.detail.get(TABLES, "")),
        }
    return {
        "direction": "out",
        **common,
        "kind": sms.kind.name.lower(),
        "result": state_of(sms.state),
        "attempts": sms.attempts,
        "expires_at": sms.expires_at,
        "closed_at": sms.closed_at,
        "remote_id": mask(sms.remote_id),
        "error": mask(sms.error),
    }


def _link(sms: JournalRecord | DownlinkRecord, sight: Sight, mask: Mask) -> Link:
    result = sms.outcome if isinstance(sms, JournalRecord) else state_of(sms.state)
    way = mask(f"{sms.source} > {sms.destination}")
    return Link(message_id(sms.number), way, result, sight.sees(sms.msisdn))


def _step(step: Step, pause: int | None, mask: Mask, language: str) -> ShownStep:
    text = mask(written(step.told, language))
    return ShownStep(step.at, pause, message_id(step.number), step.event, text, step.until)
