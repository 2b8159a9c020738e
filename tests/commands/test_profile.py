"""What customers say about themselves, what they hide, and when SMS of others reach them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from commands.codes import Code
from commands.handlers.profile import DAY, FOR_GOOD
from commands.model import CustomerState, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.desk import LI, START, WANG, Desk, number_of_question


@pytest.fixture
def desk(commands: Commands, routing: Routing) -> Desk:
    """Li and Wang have opened and are buddies."""
    desk = Desk(commands, routing)
    desk.open(LI, WANG)
    desk.befriend(LI, WANG)
    return desk


def said(desk: Desk, sender: str, text: str, to: str = "161") -> tuple[Result, list[str]]:
    """Result and sentences."""
    outcome = desk.say(sender, text, to)
    return outcome.result, [reply.sentence for reply in outcome.replies]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("NC#小明", "小明"),
        ("昵称：小明 ", "小明"),
        ("NC#a,b#c", "a,b#c"),
        ("NC#小\n明", "小 明"),
        ("nc 一二三四五六七八九十", "一二三四五六七八九十"),
        ("NC#😀😀😀😀😀", "😀😀😀😀😀"),
    ],
)
def test_nickname(desk: Desk, text: str, kept: str) -> None:
    """NC# keeps up to ten characters as they were typed, on one line."""
    assert said(desk, LI, text) == (Result.DONE, ["profile.nickname"])
    assert desk.customers[LI].nickname == kept


@pytest.mark.parametrize("text", ["NC", "NC#", "NC#一二三四五六七八九十甲", "NC#😀😀😀😀😀小"])
def test_no_nickname(desk: Desk, text: str) -> None:
    """A nickname that is missing, or longer than ten as an SMS counts, is answered with the usage."""
    assert said(desk, LI, text) == (Result.USAGE, ["usage.profile.nickname"])
    assert desk.customers[LI].nickname == ""


def test_mood(desk: Desk) -> None:
    """QM# keeps up to 30 characters; one more is too long and never cut."""
    assert said(desk, LI, f"QM#{'好' * 30}") == (Result.DONE, ["profile.mood"])
    assert said(desk, LI, f"QM#{'坏' * 31}") == (Result.USAGE, ["usage.profile.mood"])
    assert desk.customers[LI].mood == "好" * 30


def test_sensitive_words(desk: Desk) -> None:
    """A nickname or a line with a sensitive word is not taken (406)."""

    class Listed:
        """Every text has a sensitive word."""

        def found(self, text: str) -> str | None:
            """All of it."""
            return text

    desk.words = Listed()
    for text in ("NC#小明", "QM#今天很开心"):
        outcome = desk.say(LI, text)
        assert (outcome.code, outcome.replies[0].sentence) == (Code.SENSITIVE, "profile.sensitive")
    assert (desk.customers[LI].nickname, desk.customers[LI].mood) == ("", "")


def test_hide_and_show_the_mobile(desk: Desk) -> None:
    """YS#0 hides the mobile, YS#1 shows it, and the answer says which; twice is the same."""
    for _ in range(2):
        outcome = desk.say(LI, "YS#0")
        assert "400000001" in desk.texts(outcome)[0]
        assert desk.customers[LI].hides_mobile
    assert desk.say(LI, "你好", f"12520{WANG}").replies[0].detail == "400000001"
    assert said(desk, LI, "隐私 1") == (Result.DONE, ["privacy.shown"])
    assert desk.say(LI, "你好", f"12520{WANG}").replies[0].detail == LI


@pytest.mark.parametrize("text", ["YS", "YS#2", "YS#01", "YS#关"])
def test_no_way_to_show(desk: Desk, text: str) -> None:
    """Anything but 0 and 1 is answered with the usage, and nothing is shown or hidden."""
    assert said(desk, LI, text) == (Result.USAGE, ["usage.privacy.mobile"])
    assert not desk.customers[LI].hides_mobile


def test_refuse_for_days(desk: Desk) -> None:
    """JS#3 refuses SMS of others for three times 24 hours, to the millisecond, and says until when."""
    desk.zone = ZoneInfo("Asia/Shanghai")
    at = desk.now
    outcome = desk.say(LI, "JS#3")
    assert desk.customers[LI].refuse_until == at + 3 * DAY
    until = datetime.fromtimestamp((at + 3 * DAY) / 1000, UTC).astimezone(desk.zone)
    assert f"到{until:%Y-%m-%d %H:%M}为止" in desk.texts(outcome)[0]
    assert desk.say(WANG, "你好", f"12520{LI}").code == Code.NOT_ACCEPTED
    desk.now = at + 3 * DAY - 1
    assert desk.say(WANG, "你好", f"12520{LI}").code == Code.NOT_ACCEPTED
    desk.now = at + 3 * DAY
    assert desk.say(WANG, "你好", f"12520{LI}").result is Result.CHAT


def test_refuse_for_good_and_accept(desk: Desk) -> None:
    """JS alone refuses until HF, which says when there is nothing to undo."""
    at = desk.now
    assert said(desk, LI, "拒收") == (Result.DONE, ["presence.refused.for_good"])
    assert desk.customers[LI].refuse_until == at + FOR_GOOD * DAY
    assert said(desk, LI, "HF") == (Result.DONE, ["presence.accepted"])
    assert desk.customers[LI].refuse_until == 0
    assert said(desk, LI, "恢复接收") == (Result.REFUSED, ["presence.accepted.already"])
    assert desk.say(WANG, "你好", f"12520{LI}").result is Result.CHAT


def test_the_service_itself_is_not_refused(desk: Desk) -> None:
    """Who refuses SMS of others still gets the answers to his own instructions, and may write."""
    desk.say(LI, "JS")
    assert said(desk, LI, "CXFX")[0] is Result.DONE
    assert desk.say(LI, "你好", f"12520{WANG}").result is Result.CHAT


def test_js_beside_an_open_question(desk: Desk) -> None:
    """JS alone may mean 接受 while a question is open: it is asked back, and neither refused nor answered."""
    address = number_of_question(desk.say(LI, "QXFX"))
    assert said(desk, LI, "JS") == (Result.USAGE, ["presence.unclear"])
    assert said(desk, LI, "JS", address)[1][0] == "presence.unclear"
    customer = desk.customers[LI]
    assert (customer.refuse_until, customer.state) == (0, CustomerState.OPEN)
    assert said(desk, LI, "JS#1") == (Result.DONE, ["presence.refused"])
    desk.say(LI, "否", address)
    assert said(desk, LI, "JS") == (Result.DONE, ["presence.refused.for_good"])


@pytest.mark.parametrize("text", ["JS#0", "JS#1000", "JS#一周", "JS#1#2"])
def test_no_days(desk: Desk, text: str) -> None:
    """Days are 1 to 999; anything else is answered with the usage, and nothing is refused."""
    assert said(desk, LI, text) == (Result.USAGE, ["usage.presence.refuse"])
    assert desk.customers[LI].refuse_until == 0


def test_unlock(desk: Desk) -> None:
    """U lifts the protection of an account; where there is none it says so."""
    assert said(desk, LI, "U") == (Result.REFUSED, ["account.unlocked.already"])
    desk.customers[LI].protected = True
    assert desk.say(LI, "HYLB").code == Code.PROTECTED
    outcome = desk.say(LI, "u。")
    assert (outcome.result, [reply.sentence for reply in outcome.replies]) == (
        Result.DONE,
        ["account.unlocked"],
    )
    assert [(event.family, event.name) for event in outcome.events] == [("account", "unlocked")]
    assert not desk.customers[LI].protected
    assert said(desk, LI, "HYLB")[0] is Result.DONE


def test_events(desk: Desk) -> None:
    """Subscribers are told what has changed."""
    assert desk.now > START
    events = [desk.say(LI, text).events[0] for text in ("NC#小明", "QM#爬山", "YS#0", "JS#1", "HF")]
    assert [(event.family, event.name) for event in events] == [
        ("profile", "nickname"),
        ("profile", "mood"),
        ("privacy", "mobile"),
        ("presence", "refused"),
        ("presence", "accepted"),
    ]


def test_leaving_takes_the_profile_along(desk: Desk) -> None:
    """Who cancels and opens again has told nothing about himself and refuses nothing."""
    for text in ("NC#小明", "QM#爬山", "YS#0", "JS#9", "QXFX", "是"):
        desk.say(LI, text)
    desk.open(LI)
    customer = desk.customers[LI]
    assert (customer.nickname, customer.mood, customer.hides_mobile, customer.refuse_until) == (
        "",
        "",
        False,
        0,
    )
