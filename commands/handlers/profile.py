"""What customers tell about themselves, what others may see of it, and whether they receive SMS of others."""

from datetime import datetime

from commands.codes import Code
from commands.handlers import questions
from commands.handlers.people import SEXES, age_in, refused
from commands.handlers.questions import HOUR
from commands.model import Given, Instruction, Outcome, Reply, Result, ServiceEvent, World

DAY = 24 * HOUR
"""Milliseconds."""

FOR_GOOD = 36_500
"""Days that mean: for ever (fetion.md 3: sms-online-status 36500, attested)."""

YOUNGEST, OLDEST = 10, 99
"""Ages that SP can search for, in years."""

HIDE = "0"
"""The argument of YS that hides the mobile; 1 shows it."""


def nickname(world: World, understood: Instruction, given: Given) -> Outcome:
    """NC#name: the name that buddies see."""
    return _tell(world, understood, given, "nickname")


def mood(world: World, understood: Instruction, given: Given) -> Outcome:
    """QM#text: a line of text for buddies."""
    return _tell(world, understood, given, "mood")


def about(world: World, understood: Instruction, given: Given) -> Outcome:
    """ZL#sex#birthday: used by matching only. Only the year of the birthday is stored.

    Without a birthday the stored year stays.
    """
    sender, sex, born = understood.sender, understood.arguments["sex"], understood.arguments.get("born")
    age = age_in(int(born), given) if born else YOUNGEST
    if not YOUNGEST <= age <= OLDEST:
        return refused(sender, "profile.about.age", code=Code.BAD_PARAMETER)
    customer = world.edit(sender)
    customer.sex = SEXES[sex]
    customer.born = int(born) if born else customer.born
    values = {"sex": sex}
    event = ServiceEvent("profile", "about", sender, {"sex": customer.sex, "born": customer.born})
    if not customer.born:
        return Outcome(Result.DONE, [Reply(sender, "profile.about.sex", values)], [event])
    values["year"] = str(customer.born)
    return Outcome(Result.DONE, [Reply(sender, "profile.about", values)], [event])


def privacy(world: World, understood: Instruction, given: Given) -> Outcome:
    """YS#0 or YS#1: hide or show the mobile. Others see the Fetion number of a customer who hides it."""
    del given
    sender = understood.sender
    hides = understood.arguments["choice"] == HIDE
    customer = world.edit(sender)
    customer.hides_mobile = hides
    values = {"fetion_number": customer.fetion_number} if hides else None
    reply = Reply(sender, "privacy.hidden" if hides else "privacy.shown", values)
    return Outcome(Result.DONE, [reply], [ServiceEvent("privacy", "mobile", sender, {"hidden": hides})])


def refuse(world: World, understood: Instruction, given: Given) -> Outcome:
    """JS#days: receive no SMS of others for so many days; without days until HF.

    Without days, JS may also be short for 接受 (accept). While a question is open, ask what was meant and
    change nothing (precedence rule 8).
    """
    sender, days = understood.sender, understood.arguments.get("days")
    customer = world.edit(sender)
    if days is None and questions.open_questions(customer, given.now):
        return Outcome(Result.USAGE, [Reply(sender, "presence.unclear")])
    until = given.now + int(days or FOR_GOOD) * DAY
    customer.refuse_until = until
    event = ServiceEvent("presence", "refused", sender, {"until": until})
    if days is None:
        return Outcome(Result.DONE, [Reply(sender, "presence.refused.for_good")], [event])
    local = datetime.fromtimestamp(until // 1000, given.zone)
    reply = Reply(sender, "presence.refused", {"until": f"{local:%Y-%m-%d %H:%M}"})
    return Outcome(Result.DONE, [reply], [event])


def accept(world: World, understood: Instruction, given: Given) -> Outcome:
    """HF: receive SMS of others again."""
    sender = understood.sender
    customer = world.edit(sender)
    if customer.refuse_until <= given.now:
        return refused(sender, "presence.accepted.already")
    customer.refuse_until = 0
    return Outcome(
        Result.DONE, [Reply(sender, "presence.accepted")], [ServiceEvent("presence", "accepted", sender)]
    )


def unlock(world: World, understood: Instruction, given: Given) -> Outcome:
    """U: end the protection that answers with code 494."""
    del given
    sender = understood.sender
    customer = world.edit(sender)
    if not customer.protected:
        return refused(sender, "account.unlocked.already")
    customer.protected = False
    return Outcome(
        Result.DONE, [Reply(sender, "account.unlocked")], [ServiceEvent("account", "unlocked", sender)]
    )


def _tell(world: World, understood: Instruction, given: Given, what: str) -> Outcome:
    """Store a text that others will see, on one line. A text with a sensitive word is refused."""
    sender = understood.sender
    text = " ".join(understood.arguments["text"].split())
    if given.words.found(text) is not None:
        return refused(sender, "profile.sensitive", code=Code.SENSITIVE)
    setattr(world.edit(sender), what, text)
    event = ServiceEvent("profile", what, sender, {"text": text})
    return Outcome(Result.DONE, [Reply(sender, f"profile.{what}", {what: text})], [event])
