"""Buddies: refused requests, deletion, lists, profiles, names, the black list, invitations."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.codes import Code
from commands.handlers.invitation import PHRASES
from commands.handlers.lookup import BETWEEN, PAGE, pages
from commands.handlers.questions import HOUR
from commands.limits import ServiceLimits
from commands.model import CustomerState, Outcome, Result, Source
from commands.sentences import SINGLE
from commands.service import Commands
from commands.text import units
from routing.table import Routing
from tests.commands.in_memory import LI, SUN, WANG, ZHAO, InMemoryService, number_of_question

FOREIGN, NOBODY = "13012345678", "13600136000"


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Four customers with the Fetion numbers 400000001 to 400000004; Li and Wang are buddies."""
    service = InMemoryService(commands, routing)
    service.open(LI, WANG, ZHAO, SUN)
    service.befriend(LI, WANG)
    return service


def told(outcome: Outcome) -> tuple[Result, int, list[tuple[str, str]]]:
    """Result, code, and which sentence was sent to whom."""
    return outcome.result, outcome.code, [(reply.to, reply.sentence) for reply in outcome.replies]


def refused(sentence: str, code: Code) -> tuple[Result, int, list[tuple[str, str]]]:
    """The sentence to Li when nothing was done."""
    return Result.REFUSED, code, [(LI, sentence)]


def text_of(service: InMemoryService, sender: str, text: str) -> str:
    """The text of the only reply."""
    (said,) = service.texts(service.receive(sender, text))
    return said


class OneSensitiveWord:
    """A list of sensitive words with one word."""

    def found(self, text: str) -> str | None:
        """The word, when the text contains it."""
        return "坏话" if "坏话" in text else None


# Asking


@pytest.mark.parametrize(
    ("number", "sentence", "code"),
    [
        (NOBODY, "buddy.not_open", Code.UNKNOWN_NUMBER),
        ("499999999", "buddy.not_open", Code.UNKNOWN_NUMBER),
        (FOREIGN, "buddy.foreign", Code.UNKNOWN_NUMBER),
        (LI, "buddy.oneself", Code.ONESELF),
        ("400000001", "buddy.oneself", Code.ONESELF),
        (WANG, "buddy.already", Code.ALREADY_BUDDY),
        ("400000002", "buddy.already", Code.ALREADY_BUDDY),
    ],
)
def test_who_is_not_asked(service: InMemoryService, number: str, sentence: str, code: Code) -> None:
    """HY# answers with the service's own code for why somebody is not asked, and asks nobody."""
    assert told(service.receive(LI, f"HY#{number}")) == refused(sentence, code)


def test_suspended_customers_are_not_asked(service: InMemoryService) -> None:
    """A customer whose line is cut is not asked: 488."""
    service.customers[ZHAO].state = CustomerState.SUSPENDED
    assert told(service.receive(LI, f"HY#{ZHAO}")) == refused("buddy.suspended", Code.SUSPENDED)


def test_who_refuses_sms_is_not_asked(service: InMemoryService) -> None:
    """A customer who refuses SMS of others gets no question either (405)."""
    service.receive(ZHAO, "JS#1")
    assert told(service.receive(LI, f"HY#{ZHAO}")) == refused("buddy.not_now", Code.NOT_ACCEPTED)
    service.pass_hours(24)
    assert service.receive(LI, f"HY#{ZHAO}").result is Result.ASKED


def test_a_black_list_looks_like_a_refusal(service: InMemoryService) -> None:
    """A sender on the other's black list gets the sentence of a refusal (405); the other gets nothing."""
    service.receive(ZHAO, f"HMD#{LI}")
    assert told(service.receive(LI, f"HY#{ZHAO}")) == refused("buddy.declined", Code.NOT_ACCEPTED)
    assert service.customers[ZHAO].questions == ()


def test_ones_own_black_list_comes_first(service: InMemoryService) -> None:
    """A customer on the sender's own black list is not asked; the reply says how to remove him."""
    service.receive(LI, f"HMD#{ZHAO}")
    outcome = service.receive(LI, f"HY#{ZHAO}")
    assert told(outcome)[2] == [(LI, "buddy.blocked.first")]
    assert f"JC#{ZHAO}" in service.texts(outcome)[0]


def test_full_and_asked_already(service: InMemoryService) -> None:
    """A full list is 520 on either side; asking again while the question is open is 486."""
    service.receive(LI, f"HY#{ZHAO}")
    assert told(service.receive(LI, f"HY#{ZHAO}")) == refused("buddy.asked.already", Code.TRY_LATER)
    service.limits = ServiceLimits(buddies=1)
    assert told(service.receive(LI, f"HY#{SUN}")) == refused("buddy.full", Code.LIST_FULL)
    assert service.receive(SUN, f"HY#{LI}").code == Code.LIST_FULL


def test_a_name_with_a_sensitive_word(service: InMemoryService) -> None:
    """A name with a sensitive word is refused (406), and nobody is asked."""
    service.words = OneSensitiveWord()
    assert told(service.receive(LI, f"HY#{ZHAO}#坏话")) == refused("profile.sensitive", Code.SENSITIVE)
    assert told(service.receive(LI, f"YQ#{NOBODY}#坏话")) == refused("profile.sensitive", Code.SENSITIVE)
    assert service.customers[ZHAO].questions == ()
    assert NOBODY not in service.customers


def test_the_asker_has_changed_his_mind(service: InMemoryService) -> None:
    """是 makes no buddies when the asker has put the answerer on the black list since."""
    asked = number_of_question(service.receive(LI, f"HY#{ZHAO}"))
    service.receive(LI, f"HMD#{ZHAO}")
    outcome = service.receive(ZHAO, "是", asked)
    assert told(outcome) == (Result.REFUSED, Code.NOT_ACCEPTED, [(ZHAO, "buddy.not_now")])
    assert service.customers[LI].buddies == 1


def test_saying_yes_takes_off_the_black_list(service: InMemoryService) -> None:
    """是 to a customer on the answerer's black list removes him from it: both are buddies and may write."""
    asked = number_of_question(service.receive(LI, f"HY#{ZHAO}"))
    service.receive(ZHAO, f"HMD#{LI}")
    assert service.receive(ZHAO, "是", asked).result is Result.DONE
    assert service.receive(LI, "你好", f"12520{ZHAO}").result is Result.CHAT


# Ending it


def test_delete_ends_both_directions(service: InMemoryService) -> None:
    """SC# ends it on both sides, counts it on both sides, and tells the other nothing."""
    outcome = service.receive(LI, "SC#400000002")
    assert told(outcome) == (Result.DONE, Code.OK, [(LI, "buddy.deleted")])
    assert [(event.name, event.data) for event in outcome.events] == [("deleted", {"other": WANG})]
    assert service.buddies == {}
    assert (service.customers[LI].buddies, service.customers[WANG].buddies) == (0, 0)
    assert service.receive(WANG, "你好", f"12520{LI}").code == Code.NO_PERMISSION


@pytest.mark.parametrize("number", [ZHAO, NOBODY, LI, FOREIGN, "499999999"])
@pytest.mark.parametrize("text", ["SC#{}", "MC#{}#小明"])
def test_only_buddies_are_deleted_and_renamed(service: InMemoryService, text: str, number: str) -> None:
    """SC# and MC# with anybody who is no buddy say so (404) and change nothing."""
    before = dict(service.buddies)
    outcome = service.receive(LI, text.format(number))
    assert told(outcome) == refused("buddy.not_buddy", Code.UNKNOWN_NUMBER)
    assert service.buddies == before


def test_delete_keeps_the_black_list(service: InMemoryService) -> None:
    """A buddy who is deleted stays on the black list he is on, whoever deletes."""
    service.receive(WANG, f"HMD#{LI}")
    service.receive(LI, f"SC#{WANG}")
    assert list(service.buddies) == [(WANG, LI)]
    assert told(service.receive(LI, f"HY#{WANG}")) == refused("buddy.declined", Code.NOT_ACCEPTED)


def test_a_customer_who_leaves_counts_no_more(service: InMemoryService) -> None:
    """QXFX takes the leaver off every buddy's list and count at once, and what he kept is gone."""
    service.befriend(LI, ZHAO)
    service.receive(LI, f"HMD#{SUN}")
    service.receive(SUN, f"HMD#{LI}")
    service.receive(LI, "QXFX")
    service.receive(LI, "是")
    assert [service.customers[each].buddies for each in (LI, WANG, ZHAO)] == [0, 0, 0]
    assert {pair: row.blocked for pair, row in service.buddies.items()} == {(SUN, LI): True}
    assert "没有飞信好友" in text_of(service, WANG, "HYLB")


def test_a_full_list_has_room_after_a_buddy_left(service: InMemoryService) -> None:
    """A buddy who cancels Fetion does not count for the limit."""
    service.limits = ServiceLimits(buddies=1)
    service.receive(WANG, "QXFX")
    service.receive(WANG, "是")
    assert service.receive(LI, f"HY#{ZHAO}").result is Result.ASKED


# Lists


def test_list(service: InMemoryService) -> None:
    """HYLB names each buddy, by his owner's name for him, then his nickname, then only the number."""
    assert text_of(service, LI, "HYLB") == f"好友1位：{WANG}。"
    service.receive(WANG, "NC#旺旺")
    assert text_of(service, LI, "HYLB") == f"好友1位：旺旺 {WANG}。"
    service.receive(LI, f"MC#{WANG}#老王")
    assert text_of(service, LI, "HYLB") == f"好友1位：老王 {WANG}。"
    service.receive(WANG, "YS#0")
    assert text_of(service, LI, "好友列表") == "好友1位：老王 400000002。"
    assert text_of(service, WANG, "HYLB") == f"好友1位：{LI}。"


def test_list_of_nobody(service: InMemoryService) -> None:
    """Both lists tell a customer without buddies how to add one."""
    for text in ("HYLB", "ZXHY", "HYLB2"):
        assert told(service.receive(SUN, text)) == (Result.DONE, Code.OK, [(SUN, "buddy.list.none")])


def test_pages(service: InMemoryService) -> None:
    """All pages but the last say how to get the next; a page behind the last is refused."""
    service.befriend(LI, ZHAO)
    service.befriend(LI, SUN)
    for number, name in ((WANG, "一二三四五六七八九十"), (ZHAO, "赵"), (SUN, "孙")):
        service.receive(LI, f"MC#{number}#{name}")
    first = text_of(service, LI, "HYLB")
    assert first == f"好友3位：一二三四五六七八九十 {WANG}\n赵 {ZHAO}。发送HYLB#2看下一页。"
    assert text_of(service, LI, "HYLB#1") == first
    assert text_of(service, LI, "HYLB2") == text_of(service, LI, "HYLB#2") == f"好友3位：孙 {SUN}。"
    assert told(service.receive(LI, "HYLB#3")) == refused("buddy.no_page", Code.BAD_PARAMETER)
    assert "一共2页" in text_of(service, LI, "HYLB 999")


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(min_codepoint=0x21, exclude_categories=["Cs"]), max_size=10).filter(
                lambda name: units(name) <= 10
            ),
            st.sampled_from([WANG, "400000002"]),
        ).map(" ".join),
        max_size=40,
    )
)
def test_pages_hold_everything_once(entries: list[str]) -> None:
    """Joined pages are the list; none is longer than its limit, and none could take the next entry."""
    filled = pages(entries, PAGE)
    assert [entry for page in filled for entry in page.split(BETWEEN)] == entries
    for number, page in enumerate(filled):
        assert 0 < units(page) <= PAGE
        if number + 1 < len(filled):
            following = filled[number + 1].split(BETWEEN)[0]
            assert units(page + BETWEEN + following) > PAGE


def test_a_page_fills_an_sms(commands: Commands) -> None:
    """The sentences are counted with the longest page, and no SMS is longer."""
    longest = commands.sentences.longest
    assert units(longest["entries"]) == PAGE
    assert units(commands.sentences.render("buddy.online.page", longest)) == SINGLE


def test_online(service: InMemoryService) -> None:
    """ZXHY lists buddies whom an SMS reaches now: open, not suspended, not refusing, no black list."""
    service.befriend(LI, ZHAO)
    service.befriend(LI, SUN)
    assert text_of(service, LI, "ZXHY") == f"在线好友3位：{WANG}\n{ZHAO}\n{SUN}。"
    service.receive(WANG, "JS#1")
    service.customers[ZHAO].state = CustomerState.SUSPENDED
    assert text_of(service, LI, "在线好友") == f"在线好友1位：{SUN}。"
    service.receive(SUN, f"HMD#{LI}")
    assert told(service.receive(LI, "ZXHY")) == (Result.DONE, Code.OK, [(LI, "buddy.online.none")])
    service.receive(SUN, f"JC#{LI}")
    service.receive(LI, f"HMD#{SUN}")
    assert told(service.receive(LI, "ZXHY"))[2] == [(LI, "buddy.online.none")]
    service.pass_hours(24)
    assert text_of(service, LI, "ZXHY") == f"在线好友1位：{WANG}。"
    assert "好友3位" in text_of(service, LI, "HYLB")


def test_long_lists_are_loaded_at_once(service: InMemoryService) -> None:
    """A list of many buddies asks for all of them together: LOADS is small."""
    for step in range(40):
        each = f"139{step:08}"
        service.open(each)
        service.befriend(LI, each)
    assert "在线好友41位" in text_of(service, LI, "ZXHY")
    assert service.receive(LI, "HYLB14").result is Result.DONE
    service.receive(LI, "QXFX")
    assert service.receive(LI, "是").result is Result.DONE
    assert {customer.buddies for customer in service.customers.values()} == {0}


# Looking up and naming


def test_profile(service: InMemoryService) -> None:
    """CX# shows a buddy's nickname, Fetion number, line, and the mobile unless he hides it."""
    assert text_of(service, LI, f"CX#{WANG}") == f"{WANG}，飞信号400000002，手机号{WANG}。"
    service.receive(WANG, "NC#旺旺")
    assert text_of(service, LI, "CX400000002") == f"旺旺，飞信号400000002，手机号{WANG}。"
    service.receive(WANG, "QM#周末去爬山")
    assert text_of(service, LI, f"CX#{WANG}") == f"旺旺，飞信号400000002，手机{WANG}：周末去爬山"
    service.receive(WANG, "YS#0")
    hidden = text_of(service, LI, "CX#400000002")
    assert hidden == "旺旺，飞信号400000002，未公开手机号：周末去爬山"
    assert text_of(service, WANG, f"CX#{WANG}") == hidden


def test_a_hidden_mobile_stands_nowhere(service: InMemoryService) -> None:
    """A buddy who hides the mobile and has no nickname is shown by Fetion number only."""
    service.receive(WANG, "YS#0")
    for text in ("CX#400000002", "HYLB", "ZXHY"):
        assert WANG not in text_of(service, LI, text)


def test_profiles_are_for_buddies(service: InMemoryService) -> None:
    """Strangers, and buddies on the other's black list, see nothing (401); an unknown number is 404."""
    assert told(service.receive(LI, f"CX#{ZHAO}")) == refused("buddy.profile.private", Code.NO_PERMISSION)
    service.receive(WANG, f"HMD#{LI}")
    assert told(service.receive(LI, f"CX#{WANG}")) == refused("buddy.profile.private", Code.NO_PERMISSION)
    for number in (NOBODY, FOREIGN, "499999999"):
        assert told(service.receive(LI, f"CX#{number}")) == refused("buddy.unknown", Code.UNKNOWN_NUMBER)


def test_rename_is_ones_own(service: InMemoryService) -> None:
    """MC# changes what the sender sees, not what others see; blanks in a name are one."""
    outcome = service.receive(LI, f"MC#{WANG}#老  王")
    assert told(outcome) == (Result.DONE, Code.OK, [(LI, "buddy.renamed")])
    assert service.buddies[(LI, WANG)].name == "老 王"
    assert service.buddies[(WANG, LI)].name == ""


# Black list


def test_block_and_unblock(service: InMemoryService) -> None:
    """HMD# stops a buddy's SMS, and he stays a buddy; JC# allows them again; he is told neither."""
    outcome = service.receive(LI, f"HMD#{WANG}")
    assert told(outcome) == (Result.DONE, Code.OK, [(LI, "buddy.blocked")])
    assert service.receive(WANG, "你好", f"12520{LI}").code == Code.NO_PERMISSION
    assert told(service.receive(LI, f"HMD#{WANG}"))[2] == [(LI, "buddy.blocked.already")]
    assert service.customers[LI].buddies == 1
    assert told(service.receive(LI, f"JC#{WANG}")) == (Result.DONE, Code.OK, [(LI, "buddy.unblocked")])
    assert service.receive(WANG, "你好", f"12520{LI}").result is Result.CHAT
    assert told(service.receive(LI, f"JC#{WANG}"))[2] == [(LI, "buddy.unblocked.already")]


def test_a_stranger_on_the_black_list(service: InMemoryService) -> None:
    """Blocking a stranger makes no buddy; unblocking deletes the row."""
    service.receive(LI, "HMD#400000003")
    row = service.buddies[(LI, ZHAO)]
    assert (row.since, row.blocked) == (0, True)
    assert service.customers[LI].buddies == 1
    assert "好友1位" in text_of(service, LI, "HYLB")
    service.receive(LI, f"JC#{ZHAO}")
    assert (LI, ZHAO) not in service.buddies


def test_unblocking_keeps_a_match(service: InMemoryService) -> None:
    """JC# of a matched stranger ends the block and keeps the match."""
    service.receive(LI, f"HMD#{ZHAO}")
    service.buddies[(LI, ZHAO)] = replace(service.buddies[(LI, ZHAO)], matched_at=service.now)
    service.receive(LI, f"JC#{ZHAO}")
    row = service.buddies[(LI, ZHAO)]
    assert (row.blocked, row.matched_at > 0) == (False, True)


def test_who_is_not_blocked(service: InMemoryService) -> None:
    """Not on the black list: oneself, numbers without Fetion, and more than the limit."""
    assert told(service.receive(LI, f"HMD#{LI}")) == refused("buddy.own", Code.ONESELF)
    for number in (NOBODY, FOREIGN, "499999999"):
        assert told(service.receive(LI, f"HMD#{number}")) == refused("buddy.unknown", Code.UNKNOWN_NUMBER)
    service.limits = ServiceLimits(buddies=1)
    service.receive(LI, f"HMD#{ZHAO}")
    assert told(service.receive(LI, f"HMD#{SUN}")) == refused("buddy.blocked.full", Code.LIST_FULL)


# Invitations


def test_invite(service: InMemoryService) -> None:
    """YQ# sends a mobile without Fetion one of the five phrases, in the sender's name or under his number."""
    outcome = service.receive(LI, f"YQ#{NOBODY}#小李")
    assert (outcome.result, outcome.replies[0].sentence) == (Result.DONE, "buddy.invited")
    invitation = outcome.replies[1]
    assert (invitation.to, invitation.source) == (NOBODY, Source.NOTICE)
    assert invitation.sentence in PHRASES
    assert "我是小李，" in service.commands.render(invitation)
    service.receive(WANG, "YS#0")
    assert "我是400000002，" in service.texts(service.receive(WANG, f"YQ#{NOBODY}"))[1]
    assert service.receive(NOBODY, "KTFX", "12520").result is Result.DONE


def test_five_phrases(service: InMemoryService) -> None:
    """Which phrase goes out depends on the message alone; all five are used and say how to open."""
    seen = {}
    for step in range(40):
        outcome = service.receive(LI, f"YQ#135{step:08}")
        seen[outcome.replies[1].sentence] = service.texts(outcome)[1]
    assert set(seen) == set(PHRASES)
    assert all("KTFX" in text and f"我是{LI}" in text for text in seen.values())


def test_repeated_invitations(service: InMemoryService) -> None:
    """The same customer invites a mobile as often as allowed in a calendar month, and then not (486)."""
    service.now -= service.now % (24 * HOUR)
    service.receive(LI, f"YQ#{NOBODY}")
    assert told(service.receive(LI, f"YQ#{NOBODY}")) == refused("buddy.invited.already", Code.TRY_LATER)
    assert service.receive(WANG, f"YQ#{NOBODY}").result is Result.DONE
    service.pass_hours(31 * 24)
    assert service.receive(LI, f"YQ#{NOBODY}").result is Result.DONE
    assert [who for who, _ in service.customers[NOBODY].invited] == [LI]
    service.limits = ServiceLimits(invitations_per_month=2)
    assert service.receive(LI, f"YQ#{NOBODY}").result is Result.DONE
    assert service.receive(LI, f"YQ#{NOBODY}").code == Code.TRY_LATER


def test_many_invitations_of_others(service: InMemoryService) -> None:
    """One mobile gets no more invitations in a month than a customer may have open questions."""
    service.limits = ServiceLimits(open_questions=1)
    service.receive(WANG, f"YQ#{NOBODY}")
    assert told(service.receive(LI, f"YQ#{NOBODY}")) == refused("buddy.invited.often", Code.TRY_LATER)


def test_who_is_not_invited(service: InMemoryService) -> None:
    """Not invited: who has Fetion (the hint HY#), whose line is cut, oneself, other operators' mobiles."""
    has_it = service.receive(LI, f"YQ#{ZHAO}")
    assert told(has_it)[2] == [(LI, "buddy.invited.open")]
    assert f"HY#{ZHAO}" in service.texts(has_it)[0]
    service.customers[ZHAO].state = CustomerState.SUSPENDED
    assert told(service.receive(LI, f"YQ#{ZHAO}")) == refused("buddy.suspended", Code.SUSPENDED)
    assert told(service.receive(LI, f"YQ#{LI}")) == refused("buddy.own", Code.ONESELF)
    assert told(service.receive(LI, f"YQ#{FOREIGN}")) == refused("buddy.invited.foreign", Code.UNKNOWN_NUMBER)
    assert told(service.receive(LI, "YQ#400000003"))[0] is Result.USAGE


def test_who_has_left_can_be_invited(service: InMemoryService) -> None:
    """A customer who closed Fetion is a mobile without it."""
    service.receive(ZHAO, "QXFX")
    service.receive(ZHAO, "是")
    assert service.receive(LI, f"YQ#{ZHAO}").result is Result.DONE
