"""Nickname, mood, hiding the mobile, refusing SMS of others, unlocking."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from commands.codes import Code
from commands.handlers.profile import DAY, FOR_GOOD
from commands.model import CustomerState, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, START, WANG, InMemoryService, number_of_question, sentences


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Li and Wang have opened and are buddies."""
    service = InMemoryService(commands, routing)
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    return service


def result_of(service: InMemoryService, sender: str, text: str, to: str = "161") -> tuple[Result, list[str]]:
    """The result and the sentences."""
    outcome = service.receive(sender, text, to)
    return outcome.result, sentences(outcome)


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
def test_nickname(service: InMemoryService, text: str, kept: str) -> None:
    """NC# stores up to ten characters as typed, on one line."""
    assert result_of(service, LI, text) == (Result.DONE, ["profile.nickname"])
    assert service.customers[LI].nickname == kept


@pytest.mark.parametrize("text", ["NC", "NC#", "NC#一二三四五六七八九十甲", "NC#😀😀😀😀😀小"])
def test_no_nickname(service: InMemoryService, text: str) -> None:
    """A missing nickname, or one of more than ten UTF-16 units, is answered with the usage."""
    assert result_of(service, LI, text) == (Result.USAGE, ["usage.profile.nickname"])
    assert service.customers[LI].nickname == ""


def test_mood(service: InMemoryService) -> None:
    """QM# stores up to 30 characters; a longer text is refused, not cut."""
    assert result_of(service, LI, f"QM#{'好' * 30}") == (Result.DONE, ["profile.mood"])
    assert result_of(service, LI, f"QM#{'坏' * 31}") == (Result.USAGE, ["usage.profile.mood"])
    assert service.customers[LI].mood == "好" * 30


def test_sensitive_words(service: InMemoryService) -> None:
    """A nickname or mood with a sensitive word is refused (406)."""

    class AllWordsSensitive:
        """Every text has a sensitive word."""

        def found(self, text: str) -> str | None:
            """All of it."""
            return text

    service.words = AllWordsSensitive()
    for text in ("NC#小明", "QM#今天很开心"):
        outcome = service.receive(LI, text)
        assert (outcome.code, outcome.replies[0].sentence) == (Code.SENSITIVE, "profile.sensitive")
    assert (service.customers[LI].nickname, service.customers[LI].mood) == ("", "")


def test_hide_and_show_the_mobile(service: InMemoryService) -> None:
    """YS#0 hides the mobile, YS#1 shows it, and the reply says which; a repetition has the same reply."""
    for _ in range(2):
        outcome = service.receive(LI, "YS#0")
        assert "400000001" in service.texts(outcome)[0]
        assert service.customers[LI].hides_mobile
    assert service.receive(LI, "你好", f"12520{WANG}").replies[0].detail == "400000001"
    assert result_of(service, LI, "隐私 1") == (Result.DONE, ["privacy.shown"])
    assert service.receive(LI, "你好", f"12520{WANG}").replies[0].detail == LI


@pytest.mark.parametrize("text", ["YS", "YS#2", "YS#01", "YS#关"])
def test_no_way_to_show(service: InMemoryService, text: str) -> None:
    """Anything but 0 and 1 is answered with the usage and changes nothing."""
    assert result_of(service, LI, text) == (Result.USAGE, ["usage.privacy.mobile"])
    assert not service.customers[LI].hides_mobile


def test_refuse_for_days(service: InMemoryService) -> None:
    """JS#3 refuses SMS of others for exactly three times 24 hours, and the reply says until when."""
    service.zone = ZoneInfo("Asia/Shanghai")
    at = service.now
    outcome = service.receive(LI, "JS#3")
    assert service.customers[LI].refuse_until == at + 3 * DAY
    until = datetime.fromtimestamp((at + 3 * DAY) / 1000, UTC).astimezone(service.zone)
    assert f"到{until:%Y-%m-%d %H:%M}为止" in service.texts(outcome)[0]
    assert service.receive(WANG, "你好", f"12520{LI}").code == Code.NOT_ACCEPTED
    service.now = at + 3 * DAY - 1
    assert service.receive(WANG, "你好", f"12520{LI}").code == Code.NOT_ACCEPTED
    service.now = at + 3 * DAY
    assert service.receive(WANG, "你好", f"12520{LI}").result is Result.CHAT


def test_refuse_for_good_and_accept(service: InMemoryService) -> None:
    """JS without days refuses until HF; a second HF says that nothing was refused."""
    at = service.now
    assert result_of(service, LI, "拒收") == (Result.DONE, ["presence.refused.for_good"])
    assert service.customers[LI].refuse_until == at + FOR_GOOD * DAY
    assert result_of(service, LI, "HF") == (Result.DONE, ["presence.accepted"])
    assert service.customers[LI].refuse_until == 0
    assert result_of(service, LI, "恢复接收") == (Result.REFUSED, ["presence.accepted.already"])
    assert service.receive(WANG, "你好", f"12520{LI}").result is Result.CHAT


def test_the_service_itself_is_not_refused(service: InMemoryService) -> None:
    """A customer who refuses SMS still gets replies to his instructions, and may write."""
    service.receive(LI, "JS")
    assert result_of(service, LI, "CXFX")[0] is Result.DONE
    assert service.receive(LI, "你好", f"12520{WANG}").result is Result.CHAT


def test_js_beside_an_open_question(service: InMemoryService) -> None:
    """While a question is open, JS without days may mean 接受: the reply asks, and nothing changes."""
    address = number_of_question(service.receive(LI, "QXFX"))
    assert result_of(service, LI, "JS") == (Result.USAGE, ["presence.unclear"])
    assert result_of(service, LI, "JS", address)[1][0] == "presence.unclear"
    customer = service.customers[LI]
    assert (customer.refuse_until, customer.state) == (0, CustomerState.OPEN)
    assert result_of(service, LI, "JS#1") == (Result.DONE, ["presence.refused"])
    service.receive(LI, "否", address)
    assert result_of(service, LI, "JS") == (Result.DONE, ["presence.refused.for_good"])


@pytest.mark.parametrize("text", ["JS#0", "JS#1000", "JS#一周", "JS#1#2"])
def test_no_days(service: InMemoryService, text: str) -> None:
    """Days are 1 to 999; anything else is answered with the usage."""
    assert result_of(service, LI, text) == (Result.USAGE, ["usage.presence.refuse"])
    assert service.customers[LI].refuse_until == 0


def test_unlock(service: InMemoryService) -> None:
    """U ends the protection of an account; without protection it is refused."""
    assert result_of(service, LI, "U") == (Result.REFUSED, ["account.unlocked.already"])
    service.customers[LI].protected = True
    assert service.receive(LI, "HYLB").code == Code.PROTECTED
    outcome = service.receive(LI, "u。")
    assert (outcome.result, sentences(outcome)) == (
        Result.DONE,
        ["account.unlocked"],
    )
    assert [(event.family, event.name) for event in outcome.events] == [("account", "unlocked")]
    assert not service.customers[LI].protected
    assert result_of(service, LI, "HYLB")[0] is Result.DONE


def test_events(service: InMemoryService) -> None:
    """Every change has its event."""
    assert service.now > START
    events = [service.receive(LI, text).events[0] for text in ("NC#小明", "QM#爬山", "YS#0", "JS#1", "HF")]
    assert [(event.family, event.name) for event in events] == [
        ("profile", "nickname"),
        ("profile", "mood"),
        ("privacy", "mobile"),
        ("presence", "refused"),
        ("presence", "accepted"),
    ]


def test_leaving_takes_the_profile_along(service: InMemoryService) -> None:
    """Cancelling deletes the profile and ends the refusal of SMS."""
    for text in ("NC#小明", "QM#爬山", "YS#0", "JS#9", "QXFX", "是"):
        service.receive(LI, text)
    service.open(LI)
    customer = service.customers[LI]
    assert (customer.nickname, customer.mood, customer.hides_mobile, customer.refuse_until) == (
        "",
        "",
        False,
        0,
    )
