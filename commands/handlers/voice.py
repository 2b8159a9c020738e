"""Voice chat: a customer invites a buddy, the buddy agrees, the system calls both.

The calls are made by a subscriber of the event voice/call_requested.
"""

from collections.abc import Mapping
from types import MappingProxyType

from commands.codes import Code
from commands.handlers import questions
from commands.handlers.people import (
    Barrier,
    are_buddies,
    barrier,
    mobile_of,
    notice,
    open_customer,
    refused,
    shown,
)
from commands.model import Customer, Given, Instruction, Outcome, Question, Reply, Result, ServiceEvent, World

INVITE = "voice.invite"

BARRED: Mapping[Barrier, tuple[Code, str]] = MappingProxyType(
    {
        Barrier.NOT_OPEN: (Code.NOT_OPENED, "voice.not_open"),
        Barrier.CLOSED: (Code.NOT_OPENED, "voice.not_open"),
        Barrier.BLOCKING: (Code.NO_PERMISSION, "voice.not_buddy"),
        Barrier.BLOCKED: (Code.NO_PERMISSION, "voice.unreachable"),
        Barrier.STRANGER: (Code.NO_PERMISSION, "voice.not_buddy"),
        Barrier.SUSPENDED: (Code.SUSPENDED, "voice.unreachable"),
        Barrier.REFUSING: (Code.NOT_ACCEPTED, "voice.unreachable"),
    }
)


def invite(world: World, understood: Instruction, given: Given) -> Outcome:
    """YY#number: ask a buddy. While the question is open, it is not asked again."""
    sender, number = understood.sender, understood.arguments["number"]
    who = {"who": number}
    if understood.foreign:
        return refused(sender, "voice.foreign", who, code=Code.DIRECT_SMS_OFF)
    msisdn = mobile_of(world, number)
    if msisdn == sender:
        return refused(sender, "voice.oneself", code=Code.BAD_PARAMETER)
    other = None if msisdn is None else world.customer(msisdn)
    if other is None:
        code = Code.UNKNOWN_NUMBER if msisdn is None else Code.NOT_OPENED
        return refused(sender, "voice.not_open", who, code=code)
    asker = open_customer(world, sender)
    if asker is None:
        raise ValueError(f"{sender} invites {msisdn} and has not opened")
    barred = barrier(world, asker, other, given.now)
    if barred is None and not are_buddies(world, asker, other):
        barred = Barrier.STRANGER  # matched strangers may write but not call
    if barred is not None:
        code, sentence = BARRED[barred]
        return refused(sender, sentence, who, code=code)
    if questions.find(other, INVITE, sender, given.now) is not None:
        return refused(sender, "voice.asked.already", who)
    if not questions.may_ask(other, given):
        return refused(sender, "voice.busy", code=Code.TRY_LATER)
    return _ask(world, understood, given, asker, other)


def _ask(world: World, understood: Instruction, given: Given, asker: Customer, other: Customer) -> Outcome:
    base = understood.route.access_code
    question = questions.ask(world.edit(other.msisdn), INVITE, base, given, about=asker.msisdn)
    sms = questions.sms(other.msisdn, "voice.question", question, given.now, who=_name(world, other, asker))
    return Outcome(
        Result.ASKED,
        [Reply(asker.msisdn, "voice.asked", {"who": understood.arguments["number"]}), sms],
        [ServiceEvent("voice", "invited", asker.msisdn, {"other": other.msisdn})],
    )


def invite_again(world: World, sender: str, given: Given, question: Question) -> Reply | None:
    """The SMS of the question of YY# again; None when the asker has left."""
    asked, asker = world.customer(sender), open_customer(world, question.about)
    if asked is None or asker is None:
        return None
    return questions.sms(sender, "voice.question", question, given.now, who=_name(world, asked, asker))


def accepted(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是: request the call, and tell both that the telephone will ring."""
    del given
    answerer, asker = open_customer(world, understood.sender), open_customer(world, question.about)
    if answerer is None or asker is None or not are_buddies(world, answerer, asker):
        return refused(understood.sender, "voice.gone")
    return Outcome(
        Result.DONE,
        [
            Reply(answerer.msisdn, "voice.calling", {"who": _name(world, answerer, asker)}),
            notice(asker.msisdn, "voice.accepted", {"who": _name(world, asker, answerer)}),
        ],
        [
            ServiceEvent(
                "voice", "call_requested", asker.msisdn, {"caller": asker.msisdn, "callee": answerer.msisdn}
            )
        ],
    )


def declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否: tell both; no call is requested."""
    del given
    answerer, asker = world.customer(understood.sender), open_customer(world, question.about)
    replies = [Reply(understood.sender, "voice.declined.thanks")]
    if answerer is not None and asker is not None:
        replies.append(notice(asker.msisdn, "voice.declined", {"who": _name(world, asker, answerer)}))
    event = ServiceEvent("voice", "declined", question.about, {"other": understood.sender})
    return Outcome(Result.DONE, replies, [event])


def _name(world: World, of: Customer, other: Customer) -> str:
    """What `of` calls `other`: the name that `of` gave, else the number that others see."""
    row = world.buddy(of.msisdn, other.msisdn)
    return (row.name if row is not None else "") or shown(other)
