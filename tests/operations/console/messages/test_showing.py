"""What a viewer sees of one SMS."""

import json

from hypothesis import given
from hypothesis import strategies as st

from commands.model import Hidden
from gateway.message import Answer
from gateway.operations.console.messages.showing import Sight, shown_sms
from gateway.operations.timeline.steps import Life
from gateway.settings import LimitSettings
from tests.operations.timeline.test_steps import incoming, outgoing
from tests.support import ALICE, BOB, attempt_of, routing

LIMITS = LimitSettings()
BEIJING, SHANGHAI, GUANGDONG, ALL = "100", "210", "200", ""


def sight(province: str) -> Sight:
    """Of a province; ALL: of headquarters."""
    home = routing().home
    return Sight(lambda msisdn: province in {ALL, home(msisdn)}, home, province == ALL)


def asking(text: str = "hello", **changed: object) -> Life:
    """Alice (number 1) writes something that leads to an SMS to Bob (2) and a reply (3)."""
    came = incoming(
        number=1, msisdn=ALICE, source=f"86{ALICE}", destination=f"12520{BOB}", text=text, **changed
    )
    to_bob = outgoing(number=2, cause=1, msisdn=BOB, destination=BOB, source=f"12520{ALICE}", text=text)
    reply = outgoing(number=3, cause=1, msisdn=ALICE, destination=f"86{ALICE}", remote_id=BOB, secret=True)
    return Life(came, (), [to_bob, reply], {2: [attempt_of(2, 1, Answer.REFUSED)], 3: ()})


def test_who_sees_which() -> None:
    """By the home of its customer."""
    life, everybody = asking(), (BEIJING, SHANGHAI, GUANGDONG, ALL)
    for number, homes in ((1, {BEIJING, ALL}), (2, {SHANGHAI, ALL}), (3, {BEIJING, ALL}), (4, set[str]())):
        seen = {each for each in everybody if shown_sms(life, number, sight(each), LIMITS)}
        assert seen == homes, number


def test_the_cause_of_another_province_is_left_out() -> None:
    """The receiver's province sees the SMS out alone."""
    sms = shown_sms(asking(), 2, sight(SHANGHAI), LIMITS)
    assert sms is not None
    assert (sms.causes, sms.effects) == ([], [])
    assert {step.id[-1] for step in sms.steps} == {"2"}


def test_secret_texts_have_no_text() -> None:
    """Opened by headquarters or not."""
    hidden = asking(hidden=Hidden.PASSWORD)
    for life, number in ((hidden, 1), (asking(), 3)):
        sms = shown_sms(life, number, sight(ALL), LIMITS, opened=True)
        assert sms is not None
        assert sms.hides
        assert sms.text is None


@given(
    text=st.lists(st.sampled_from([*"0139 -#", BOB, f"86{BOB}", ALICE]), max_size=12).map("".join),
    number=st.sampled_from([1, 2, 3]),
    province=st.sampled_from([BEIJING, SHANGHAI, ALL]),
    opened=st.booleans(),
)
def test_a_number_of_the_other_party_is_never_shown(
    text: str, number: int, province: str, opened: bool
) -> None:
    """To a province, whatever it opened; to headquarters only when it opened the SMS. Nor is a text, which
    the API never has."""
    life = asking(text)
    sms = shown_sms(life, number, sight(province), LIMITS, opened=opened)
    if sms is None:
        return
    assert (sms.text is not None) == (opened and not sms.hides)
    told = json.dumps(sms.for_programs()) + (sms.text or "")
    others = {ALICE, BOB} if not opened else {BOB if number != 2 else ALICE} if province != ALL else set()
    for other in others:
        assert other not in told
