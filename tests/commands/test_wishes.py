"""Negations, words of other services, texts that mean cancelling, and passwords at the wrong number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.limits import ServiceLimits
from commands.model import CustomerState, Hidden, Instruction, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, WANG, InMemoryService, number_of_question, sentences


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Li has opened."""
    service = InMemoryService(commands, routing)
    service.open(LI)
    return service


def sentences_for(service: InMemoryService, text: str, to: str = "161") -> list[str]:
    """The sentences of the reply to Li."""
    return sentences(service.receive(LI, text, to))


NEGATIONS = ("不", "别", "没", "未", "勿", "无需", "不要", "还没", "不想", "千万别", "请勿", "莫")


@pytest.mark.parametrize("no", NEGATIONS)
@pytest.mark.parametrize(
    "word", ["QXFX", "KTFX", "取消飞信", "开通飞信", "KTFXJY", "取消飞信交友", "恢复接收", "CXFX"]
)
def test_a_negation_suggests_nothing(service: InMemoryService, no: str, word: str) -> None:
    """不QXFX and 还没开通飞信 get help and no suggestion: 是 afterwards does nothing."""
    assert sentences_for(service, f"{no}{word}") == ["misunderstood"]
    assert service.customers[LI].questions == ()
    assert sentences_for(service, "是") == ["answer.none"]
    assert service.customers[LI].state is CustomerState.OPEN


@pytest.mark.parametrize("text", ["QXFX 不要", "开通飞信？我不想", "取消飞信就不用了", "KTFXJY别"])
def test_a_negation_behind_the_word(service: InMemoryService, text: str) -> None:
    """A negation behind the word prevents a suggestion too."""
    assert sentences_for(service, text) == ["misunderstood"]


@pytest.mark.parametrize("text", ["开通飞信要不要钱", "QXFX 是不是取消", "KTFXJY有没有优惠", "KTFX 行不行"])
def test_half_of_a_question_is_no_negation(service: InMemoryService, text: str) -> None:
    """要不要 is a question, not a negation: the word that begins the line is suggested."""
    assert sentences_for(service, text) == ["suggestion.question"]


@pytest.mark.parametrize(
    "word", ["CXGFX", "cxgfx", "ＣＸＧＦＸ", "CXYE", "KTGPRS", "KTGPRS。", "CXGFX？", "KTCX", "QXCX"]
)
@pytest.mark.parametrize("to", ["12520", "10086"])
def test_words_of_other_services(service: InMemoryService, word: str, to: str) -> None:
    """A word of another service is never corrected to one of ours."""
    assert sentences_for(service, word, to) == ["misunderstood"]
    assert service.customers[LI].questions == ()


CANCELS = (
    "TD",
    "td",
    "退订",
    "T",
    "取消",
    "怎么取消飞信",
    "怎么取消飞信？",
    "如何退订",
    "能取消飞信交友吗",
    "TD？",
)


@pytest.mark.parametrize("text", CANCELS)
@pytest.mark.parametrize("to", ["12520", "10086"])
def test_what_means_cancelling(service: InMemoryService, text: str, to: str) -> None:
    """The reply names the word that cancels; nothing is cancelled, asked or suggested."""
    outcome = service.receive(LI, text, to)
    assert "QXFX" in service.texts(outcome)[0]
    assert (outcome.result, outcome.events, outcome.facts) == (Result.MISUNDERSTOOD, [], [])
    assert service.customers[LI].questions == ()
    assert service.customers[LI].state is CustomerState.OPEN


def test_cancelling_answers_no_question(service: InMemoryService) -> None:
    """退订 to a question is no answer: the reply names the word, and the question stays open."""
    address = number_of_question(service.receive(LI, "KTFXJY"))
    assert sentences_for(service, "退订", address) == ["cancelling", "question.reminder"]
    assert [question.closed for question in service.customers[LI].questions] == [""]


@pytest.mark.parametrize("text", ["我不想取消飞信吗", "别取消了吧？", "取消不了", "你好吗？"])
def test_what_does_not_mean_cancelling(service: InMemoryService, text: str) -> None:
    """A question that denies it, or a text that asks nothing, is misunderstood."""
    assert sentences_for(service, text) == ["misunderstood"]


ATTEMPTS = (
    "@M@M@ @a@b@c@1@2@3@4@5",  # UCS-2 that was read as GSM 7-bit
    "\0p\0w\0d\0:\0a\0b\x001\x002\x003\x004",  # as Latin-1
    "a\0b\0c\x001\x002\x003\x004",
    "改密 777777a9 好吗",
    "PWD 123456",
    "我的密码是 222222b8",
    "密码:abc",
    "密码：１２３４５６",
    "ＭＭ１２３４５６",
    "mm123456",
    "我的MM是222222b8",
    "口令 888888",
    "你好\n密码 abc123",
    "XGMM#111111#222222",
    "请帮我改成mm888888",
    "222222b8",
    "222222b8 谢谢",
    "请 777777a9 吧",
    "ａｂｃ１２３。",
    "“abc123”",
    "abc123\n小明",
    "123456",
    "p@ssw0rd",
    "P abc",
    "P my new password",
    "Pabc123",
    "修改密码",
    "密碼123456",
)


@pytest.mark.parametrize("text", ATTEMPTS)
@pytest.mark.parametrize("to", ["12520", "10086", "1252003300001"])
def test_attempts_are_hidden_and_always_answered(service: InMemoryService, text: str, to: str) -> None:
    """A possible password is hidden; each time the reply says where to send one."""
    understood = service.commands.parser.parse(text, service.routing.resolve(to), LI)
    assert understood.hidden is Hidden.ATTEMPT
    assert [sentences_for(service, text, to) for _ in range(12)] == [["password.attempt"]] * 12
    assert service.customers[LI].helped == ()
    assert service.customers[LI].password == ""


def test_attempts_use_up_no_help(service: InMemoryService) -> None:
    """Attempts do not count as help, and help does not count as attempts."""
    for number in range(ServiceLimits().help_period):
        service.receive(LI, f"密码 {number}")
    assert sentences_for(service, "你好") == ["misunderstood"]
    assert sentences_for(service, "在吗") == []
    assert sentences_for(service, "密码 abc123") == ["password.attempt"]


NO_ATTEMPTS = (
    "@K@T@F@X",
    "@@",
    "\0h\0e\0l\0l\0o",
    "你好",
    "在吗？",
    "13912345678",
    "8613912345678",
    "471234567",
    "12520050",
    "12520",
    "10086",
    "我爱你1314",
    "2007-3-1",
    "12:30",
    "abcdef",
    "12345",
    "密码",
    "QXFX1234",
    "HY1234567",
    "HYLB123456",
    "HY#1391234567",
    "PLMM",
    "怎么取消飞信",
    "KFTX",
    f"SC#{WANG}",
)


@pytest.mark.parametrize("text", NO_ATTEMPTS)
def test_false_alarms(service: InMemoryService, text: str) -> None:
    """Numbers, service addresses, words of the table and chat are not attempts: they are stored."""
    understood = service.commands.parser.parse(text, service.routing.resolve("161"), LI)
    assert understood.hidden is Hidden.NONE
    assert "password.attempt" not in sentences_for(service, text)


def test_free_text_is_the_customers_own(service: InMemoryService) -> None:
    """Chat, FS, QM and NC texts with a password in them are stored as usual."""
    for text, to in (
        ("我的密码是 222222b8", f"12520{WANG}"),
        (f"FS#{WANG}#我的密码是 222222b8", "161"),
        ("QM#密码 222222b8", "161"),
        ("NC#mm123456", "161"),
    ):
        assert not service.commands.parser.parse(text, service.routing.resolve(to), LI).hidden


def test_why_texts_are_hidden(commands: Commands, routing: Routing) -> None:
    """Texts to 050 and of P are hidden as PASSWORD, also garbled; other garbled texts as ATTEMPT."""
    for text, to, why in (
        ("abc123", "12520050", Hidden.PASSWORD),
        ("密码", "12520050", Hidden.PASSWORD),
        ("P", "161", Hidden.PASSWORD),
        ("P", "10086", Hidden.PASSWORD),
        ("P？", "161", Hidden.PASSWORD),
        ("P abc12\ufffd", "161", Hidden.ATTEMPT),
        ("密\ufffd 222222b8", "161", Hidden.ATTEMPT),
        ("HY 密码abc123", "161", Hidden.ATTEMPT),
        ("KT\ufffd", "161", Hidden.NONE),
        ("查询 密码", "161", Hidden.NONE),
    ):
        assert commands.parser.parse(text, routing.resolve(to), LI).hidden is why, text


WORDS = st.sampled_from(["密码", "口令", "改密", "PWD", "password", "ｍｍ", "XGMM", "P"])
PASSWORD = st.from_regex(r"[a-z]{1,7}[0-9]{3,8}", fullmatch=True).filter(lambda each: 6 <= len(each) <= 16)


@given(
    before=st.sampled_from(["", "我的", "请改", "你好，"]),
    word=WORDS,
    between=st.sampled_from([" ", "：", "是", "#", "\n"]),
    password=PASSWORD,
    behind=st.sampled_from(["", " 谢谢", "。", " 好吗", "\n小明"]),
)
def test_a_word_and_a_password(
    before: str, word: str, between: str, password: str, behind: str, commands: Commands, routing: Routing
) -> None:
    """A word with a password is no instruction, or it is P; its text is hidden."""
    text = f"{before}{word}{between}{password}{behind}"
    understood = commands.parser.parse(text, routing.resolve("161"), LI)
    assert understood.hidden
    if isinstance(understood, Instruction):
        assert understood.id == "password.random"


@given(text=st.text(max_size=30), to=st.sampled_from(["161", "10086", "1252003300001"]))
def test_what_is_understood_is_stored(text: str, to: str, commands: Commands, routing: Routing) -> None:
    """Only P is hidden among the instructions: rule 7 is for texts that are none."""
    understood = commands.parser.parse(text, routing.resolve(to), LI)
    if isinstance(understood, Instruction):
        assert understood.hidden is commands.table.rows[understood.id].hidden
