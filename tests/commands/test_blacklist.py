"""HMDLB: the black list and the numbers that it shows. ZL: sex and year of birth, for matching."""

import pytest

from commands.codes import Code
from commands.model import CustomerState, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, SUN, WANG, ZHAO, InMemoryService, number_of_question, sentences
from tests.commands.script_products import open_all


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Four customers with matching."""
    service = InMemoryService(commands, routing)
    open_all(service, LI, WANG, ZHAO, SUN)
    return service


def told(service: InMemoryService, text: str, to: str = "12520") -> str:
    """The text of the reply to Li."""
    (text,) = service.texts(service.receive(LI, text, to))
    return text


def test_an_empty_list(service: InMemoryService) -> None:
    """An empty black list has its own sentence."""
    outcome = service.receive(LI, "HMDLB")
    assert sentences(outcome) == ["buddy.black_list.none"]
    assert outcome.result is Result.DONE


def test_who_is_on_it(service: InMemoryService) -> None:
    """Buddies are listed by name and number, strangers by the number that was used to block them; JC
    removes them."""
    service.befriend(LI, WANG)
    service.receive(LI, f"MC#{WANG}#老王")
    service.receive(LI, f"HMD#{WANG}")
    fetion = service.customers[ZHAO].fetion_number
    service.receive(LI, f"HMD#{fetion}")
    service.receive(LI, f"HMD#{SUN}")
    listed = told(service, "黑名单")
    assert "3位" in listed
    assert all(each in listed for each in (f"老王 {WANG}", fetion, SUN))
    assert ZHAO not in listed
    for number in (WANG, fetion, SUN):
        service.receive(LI, f"JC#{number}")
    assert told(service, "HMDLB") == service.commands.sentences.render("buddy.black_list.none")
    assert service.buddies[(LI, WANG)].name == "老王"


def test_a_matched_stranger_shows_no_mobile(service: InMemoryService) -> None:
    """SP gives a Fetion number only, and the black list shows no more."""
    assert service.receive(LI, "SP").result is Result.DONE
    (partner,) = [other for owner, other in service.buddies if owner == LI]
    service.receive(LI, f"HMD#{service.customers[partner].fetion_number}")
    assert partner not in told(service, "HMDLB")
    service.receive(LI, f"JC#{service.customers[partner].fetion_number}")
    assert service.buddies[(LI, partner)].name == ""


def test_a_stranger_who_hides_his_mobile_later(service: InMemoryService) -> None:
    """A stranger blocked by mobile is listed by Fetion number once the mobile is hidden."""
    service.receive(LI, f"HMD#{ZHAO}")
    service.receive(ZHAO, "YS#0")
    listed = told(service, "HMDLB")
    assert service.customers[ZHAO].fetion_number in listed
    assert ZHAO not in listed


@pytest.mark.parametrize("hides", [True, False])
def test_who_was_a_buddy(service: InMemoryService, hides: bool) -> None:
    """A former buddy is listed by the number that was visible."""
    service.befriend(LI, WANG)
    if hides:
        service.receive(WANG, "YS#0")
    shown = service.customers[WANG].fetion_number if hides else WANG
    service.receive(LI, f"HMD#{shown}")
    service.receive(WANG, "是", number_of_question(service.receive(WANG, "QXFX")))
    assert service.customers[WANG].state is CustomerState.CLOSED
    listed = told(service, "HMDLB")
    assert shown in listed
    assert (WANG in listed) != hides


def test_pages(service: InMemoryService) -> None:
    """A list longer than one SMS is sent in pages."""
    for each in (WANG, ZHAO, SUN):
        service.befriend(LI, each)
        service.receive(LI, f"MC#{each}#一二三四五六七八九十")
        service.receive(LI, f"HMD#{each}")
    assert "HMDLB#2" in told(service, "HMDLB")
    assert "HMDLB#3" in told(service, "HMDLB2")
    assert "HMDLB" not in told(service, "HMDLB 3")
    assert service.receive(LI, "HMDLB#4").code == Code.BAD_PARAMETER


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
def test_sex_and_birthday(service: InMemoryService, text: str, sex: str, born: int) -> None:
    """ZL keeps the sex and the year."""
    assert service.receive(LI, text).result is Result.DONE
    assert (service.customers[LI].sex, service.customers[LI].born) == (sex, born)


def test_the_year_stays_when_only_the_sex_is_told(service: InMemoryService) -> None:
    """A second ZL without a birthday changes the sex only; cancelling deletes both."""
    service.receive(LI, "ZL#女#1985")
    assert "1985" in told(service, "ZL#男")
    assert (service.customers[LI].sex, service.customers[LI].born) == ("m", 1985)
    service.receive(LI, "是", number_of_question(service.receive(LI, "QXFX")))
    assert (service.customers[LI].sex, service.customers[LI].born) == ("", 0)


@pytest.mark.parametrize("text", ["ZL#女#1998", "ZL#女#1907", "ZL#女#2007"])
def test_an_age_that_nobody_looks_for(service: InMemoryService, text: str) -> None:
    """An age outside 10 to 99 is refused and not stored."""
    assert sentences(service.receive(LI, text)) == ["profile.about.age"]
    assert (service.customers[LI].sex, service.customers[LI].born) == ("", 0)


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
def test_found_by_what_zl_told(service: InMemoryService, text: str, found: bool) -> None:
    """SP#sex#ages#code finds a customer whose ZL and home province match."""
    for other in (ZHAO, SUN):
        service.receive(other, "是", number_of_question(service.receive(other, "QXFXJY")))
    service.receive(WANG, "ZL#女#1985-03-12")
    outcome = service.receive(LI, text.format(home=service.routing.home(WANG)))
    assert sentences(outcome) == ["matching.found" if found else "matching.find.none"]


def test_a_long_chat_counts_as_an_sms_does(service: InMemoryService) -> None:
    """The limit of 180 counts UTF-16 units: a character outside the BMP counts two."""
    service.befriend(LI, WANG)
    assert service.receive(LI, "😀" * 90, f"12520{WANG}").result is Result.CHAT
    outcome = service.receive(LI, "😀" * 91, f"12520{WANG}")
    assert [(reply.sentence, reply.values) for reply in outcome.replies] == [
        ("chat.too_long", {"count": "182", "limit": "180"})
    ]


def test_state_at_the_hot_line(service: InMemoryService) -> None:
    """CXFX to 10086 is answered from 10086 as it is from 12520."""
    assert told(service, "CXFX", "10086") == told(service, "查询飞信", "12520")
