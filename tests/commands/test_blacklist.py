"""HMDLB: the black list, and what it shows of whoever stands on it. ZL: sex and birthday, for matching."""

import pytest

from commands.codes import Code
from commands.model import CustomerState, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.desk import LI, SUN, WANG, ZHAO, Desk, number_of_question
from tests.commands.said_products import open_all


@pytest.fixture
def desk(commands: Commands, routing: Routing) -> Desk:
    """Four customers with matching."""
    desk = Desk(commands, routing)
    open_all(desk, LI, WANG, ZHAO, SUN)
    return desk


def told(desk: Desk, text: str, to: str = "12520") -> str:
    """What Li reads."""
    (text,) = desk.texts(desk.say(LI, text, to))
    return text


def test_an_empty_list(desk: Desk) -> None:
    """Nobody is on it."""
    outcome = desk.say(LI, "HMDLB")
    assert [reply.sentence for reply in outcome.replies] == ["buddy.black_list.none"]
    assert outcome.result is Result.DONE


def test_who_is_on_it(desk: Desk) -> None:
    """Buddies stand there by name and number, strangers by the number that was written; JC takes them off."""
    desk.befriend(LI, WANG)
    desk.say(LI, f"MC#{WANG}#老王")
    desk.say(LI, f"HMD#{WANG}")
    fetion = desk.customers[ZHAO].fetion_number
    desk.say(LI, f"HMD#{fetion}")
    desk.say(LI, f"HMD#{SUN}")
    listed = told(desk, "黑名单")
    assert "3位" in listed
    assert all(each in listed for each in (f"老王 {WANG}", fetion, SUN))
    assert ZHAO not in listed
    for number in (WANG, fetion, SUN):
        desk.say(LI, f"JC#{number}")
    assert told(desk, "HMDLB") == desk.commands.sentences.render("buddy.black_list.none")
    assert desk.buddies[(LI, WANG)].name == "老王"


def test_a_matched_stranger_shows_no_mobile(desk: Desk) -> None:
    """Whom matching brought together knows a Fetion number only; the black list tells no more."""
    assert desk.say(LI, "SP").result is Result.DONE
    (partner,) = [other for owner, other in desk.buddies if owner == LI]
    desk.say(LI, f"HMD#{desk.customers[partner].fetion_number}")
    assert partner not in told(desk, "HMDLB")
    desk.say(LI, f"JC#{desk.customers[partner].fetion_number}")
    assert desk.buddies[(LI, partner)].name == ""


def test_a_stranger_who_hides_his_mobile_later(desk: Desk) -> None:
    """Blocked by his mobile, he stands there by his Fetion number once he hides it."""
    desk.say(LI, f"HMD#{ZHAO}")
    desk.say(ZHAO, "YS#0")
    listed = told(desk, "HMDLB")
    assert desk.customers[ZHAO].fetion_number in listed
    assert ZHAO not in listed


@pytest.mark.parametrize("hides", [True, False])
def test_who_was_a_buddy(desk: Desk, hides: bool) -> None:
    """Whoever was a buddy and left, or was deleted, stands there by the number that he showed."""
    desk.befriend(LI, WANG)
    if hides:
        desk.say(WANG, "YS#0")
    shown = desk.customers[WANG].fetion_number if hides else WANG
    desk.say(LI, f"HMD#{shown}")
    desk.say(WANG, "是", number_of_question(desk.say(WANG, "QXFX")))
    assert desk.customers[WANG].state is CustomerState.CLOSED
    listed = told(desk, "HMDLB")
    assert shown in listed
    assert (WANG in listed) != hides


def test_pages(desk: Desk) -> None:
    """More than one SMS holds go out a page at a time."""
    for each in (WANG, ZHAO, SUN):
        desk.befriend(LI, each)
        desk.say(LI, f"MC#{each}#一二三四五六七八九十")
        desk.say(LI, f"HMD#{each}")
    assert "HMDLB#2" in told(desk, "HMDLB")
    assert "HMDLB#3" in told(desk, "HMDLB2")
    assert "HMDLB" not in told(desk, "HMDLB 3")
    assert desk.say(LI, "HMDLB#4").code == Code.BAD_PARAMETER


@pytest.mark.parametrize(
    ("text", "sex", "born"),
    [
        ("ZL#女", "f", 0),
        ("ZL#男#1985", "m", 1985),
        ("资料 F 19850312", "f", 1985),
        ("zl:m:1985-3-12", "m", 1985),
        ("ZL＃女＃１９８５年３月１２日", "f", 1985),
        ("ZL#女#1908", "f", 1908),
        ("ZL#女#1997", "f", 1997),
    ],
)
def test_sex_and_birthday(desk: Desk, text: str, sex: str, born: int) -> None:
    """ZL keeps the sex and the year."""
    assert desk.say(LI, text).result is Result.DONE
    assert (desk.customers[LI].sex, desk.customers[LI].born) == (sex, born)


def test_the_year_stays_when_only_the_sex_is_told(desk: Desk) -> None:
    """A second ZL without a birthday changes the sex alone, and cancelling forgets both."""
    desk.say(LI, "ZL#女#1985")
    assert "1985" in told(desk, "ZL#男")
    assert (desk.customers[LI].sex, desk.customers[LI].born) == ("m", 1985)
    desk.say(LI, "是", number_of_question(desk.say(LI, "QXFX")))
    assert (desk.customers[LI].sex, desk.customers[LI].born) == ("", 0)


@pytest.mark.parametrize("text", ["ZL#女#1998", "ZL#女#1907", "ZL#女#2007"])
def test_an_age_that_nobody_looks_for(desk: Desk, text: str) -> None:
    """In 2007 nobody looks for a child or for somebody of a hundred: nothing is kept."""
    assert [reply.sentence for reply in desk.say(LI, text).replies] == ["profile.about.age"]
    assert (desk.customers[LI].sex, desk.customers[LI].born) == ("", 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SP#女#20-25#{home}", True),
        ("SP#女#20-25", True),
        ("SP#男#20-25#{home}", False),
        ("SP#{home}", True),
        ("SP#女#23-25#{home}", False),
        ("SP#女#20-25#471", False),
        ("SP＃女＃２０－２５＃{home}", True),
    ],
)
def test_found_by_what_zl_told(desk: Desk, text: str, found: bool) -> None:
    """SP#sex#ages#code finds who said so with ZL and is at home there."""
    for other in (ZHAO, SUN):
        desk.say(other, "是", number_of_question(desk.say(other, "QXFXJY")))
    desk.say(WANG, "ZL#女#1985-03-12")
    outcome = desk.say(LI, text.format(home=desk.routing.home(WANG)))
    assert [reply.sentence for reply in outcome.replies] == [
        "matching.found" if found else "matching.find.none"
    ]


def test_a_long_chat_counts_as_an_sms_does(desk: Desk) -> None:
    """180 characters are 180 of an SMS: a character outside the BMP counts two."""
    desk.befriend(LI, WANG)
    assert desk.say(LI, "😀" * 90, f"12520{WANG}").result is Result.CHAT
    outcome = desk.say(LI, "😀" * 91, f"12520{WANG}")
    assert [(reply.sentence, reply.values) for reply in outcome.replies] == [
        ("chat.too_long", {"count": "182", "limit": "180"})
    ]


def test_state_at_the_hot_line(desk: Desk) -> None:
    """CXFX to 10086 is answered from there, like to 12520."""
    assert told(desk, "CXFX", "10086") == told(desk, "查询飞信", "12520")
