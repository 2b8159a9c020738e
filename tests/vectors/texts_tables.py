"""The tables of make_texts.py: appendix 8 and the ways of typing, as the reference has them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

BASES: Final = ("161", "12520")
HOTLINE: Final = ("10086",)
MOBILE, FETION = "13912345678", "471234567"

Forms: TypeAlias = tuple[tuple[str, Mapping[str, str]], ...]
"""What stands behind a word and its separator, and the arguments that it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of appendix 8. required: its word alone is not enough. answers: it answers a question.

    arguments: behind a separator. glued: digits right behind the word. wrong: with the word, its usage.
    no_such: texts near it that mean nothing. mobile_only: a Fetion number is no argument of it.
    reads: it has no effect, so a question mark behind it changes nothing.
    """

    id: str
    words: tuple[str, ...]
    at: tuple[str, ...] = BASES
    arguments: Forms = ()
    required: bool = False
    glued: Forms = ()
    wrong: tuple[str, ...] = ()
    no_such: tuple[str, ...] = ()
    answers: bool = False
    mobile_only: bool = False
    reads: bool = False

    @staticmethod
    def stands_alone(word: str) -> bool:
        """Words of one character or digits only match only so."""
        return len(word) == 1 or word.isdigit()


_NUMBER: Final[Forms] = ((MOBILE, {"number": MOBILE}), (FETION, {"number": FETION}))
_NO_NUMBER: Final = (
    "#",
    "#小明",
    "#1391234567",
    "#139123456789",
    "#123456789",
    "#16103300001",
    "#86471234567",
)
_PAGE: Final[Forms] = (("2", {"page": "2"}), ("12", {"page": "12"}))


def _person(row: str, *words: str, no_such: tuple[str, ...], reads: bool = False) -> Row:
    """A row whose one argument is a person's number."""
    wrong = (*_NO_NUMBER, "#86471234567", "5", f"#{MOBILE}小明")
    return Row(
        row, words, BASES, _NUMBER, required=True, glued=_NUMBER, wrong=wrong, no_such=no_such, reads=reads
    )


def _text(row: str, *words: str, no_such: tuple[str, ...]) -> Row:
    """A row whose one argument is free text."""
    forms: Forms = (("今天很开心", {"text": "今天很开心"}), ("abc", {"text": "abc"}))
    return Row(row, words, BASES, forms, required=True, wrong=("#", "# ", ":"), no_such=no_such)


ROWS: Final = (
    Row("service.open", ("KTFX", "开通飞信"), (*BASES, *HOTLINE)),
    Row("service.cancel", ("QXFX", "取消飞信"), (*HOTLINE, *BASES)),
    Row("matching.open", ("KTFXJY", "开通飞信交友"), (*HOTLINE, *BASES)),
    Row("matching.cancel", ("QXFXJY", "取消飞信交友"), (*HOTLINE, *BASES)),
    Row("service.list", ("0000", "OOOO"), HOTLINE, reads=True),
    Row("service.cancel_all", ("00000",)),
    Row("service.state", ("CXFX", "查询飞信"), (*BASES, *HOTLINE), reads=True),
    Row("password.random", ("P",), no_such=("PP", "PK", "P股", "P2")),
    Row("account.unlock", ("U",), no_such=("UU", "U盘", "U2", "UFO")),
    Row(
        "answer.yes",
        ("是", "是的", "同意", "TY", "Y", "YES", "SHI", "1"),
        answers=True,
        no_such=("是的好", "是啊", "是我", "同意了", "Y1", "YES I DO", "1是", "11", "一", "-1", "是 否"),
    ),
    Row(
        "answer.no",
        ("否", "不", "不是", "不同意", "BTY", "JJ", "N", "NO", "0"),
        answers=True,
        no_such=("不是我", "不要", "否则", "NO.1", "NOT", "JJJ", "00", "不 是 吧"),
    ),
    Row(
        "buddy.add",
        ("HY", "添加好友"),
        arguments=(*_NUMBER, (f"{MOBILE}#小明", {"number": MOBILE, "name": "小明"})),
        required=True,
        glued=_NUMBER,
        wrong=(*_NO_NUMBER, "5", f"#{MOBILE}小明", f"#{MOBILE}#一二三四五六"),
        no_such=("HYPHEN", "HY小明", "添加好友小明"),
    ),
    _person("buddy.delete", "SC", "删除好友", no_such=("SCHOOL", "SC小明", "删除好友小明")),
    Row(
        "buddy.list",
        ("HYLB", "好友列表"),
        arguments=_PAGE,
        glued=_PAGE,
        wrong=("#第二页", "#小明"),
        no_such=("HYLB第二页",),
        reads=True,
    ),
    Row("buddy.online", ("ZXHY", "在线好友"), arguments=_PAGE, glued=_PAGE, wrong=("#第二页",), reads=True),
    Row(
        "buddy.blocked",
        ("HMDLB", "黑名单"),
        arguments=_PAGE,
        glued=_PAGE,
        wrong=("#第二页", "#小明"),
        no_such=("HMDLB第二页", "黑名单里有谁"),
        reads=True,
    ),
    _person("buddy.profile", "CX", "查询", no_such=("CXO", "CX小明", "查询话费", "查询余额"), reads=True),
    Row(
        "buddy.rename",
        ("MC", "备注"),
        arguments=((f"{MOBILE}#老板", {"number": MOBILE, "name": "老板"}),),
        required=True,
        glued=((f"{MOBILE}#老板", {"number": MOBILE, "name": "老板"}),),
        wrong=(*_NO_NUMBER, f"#{MOBILE}", f"#{FETION}#"),
        no_such=("MCV", "MC小明", "备注小明"),
    ),
    _person("buddy.block", "HMD", "拉黑", no_such=("HMDI", "HMD小明", "拉黑他")),
    _person("buddy.unblock", "JC", "解除", no_such=("JCB", "JC小明", "解除合同")),
    Row(
        "buddy.invite",
        ("YQ", "邀请"),
        arguments=((MOBILE, {"number": MOBILE}), (f"{MOBILE}#小明", {"number": MOBILE, "name": "小明"})),
        required=True,
        glued=((MOBILE, {"number": MOBILE}),),
        wrong=(*_NO_NUMBER, f"#{FETION}", f"#{MOBILE}#一二三四五六"),
        no_such=("YQL", "YQ小明", "邀请函"),
        mobile_only=True,
    ),
    Row(
        "chat.send",
        ("FS", "发送"),
        arguments=(
            (f"{MOBILE}#你好", {"number": MOBILE, "text": "你好"}),
            (f"{FETION}#周末一起吃饭", {"number": FETION, "text": "周末一起吃饭"}),
        ),
        required=True,
        glued=((f"{MOBILE}#你好", {"number": MOBILE, "text": "你好"}),),
        wrong=(*_NO_NUMBER, f"#{MOBILE}", f"#{MOBILE}#", f"#你好#{MOBILE}"),
        no_such=("FSB", "FS你好", "发送给小明"),
    ),
    _person("voice.invite", "YY", "语音聊天", no_such=("YYY", "YY小明", "语音聊天室")),
    Row(
        "presence.refuse",
        ("JS", "拒收"),
        arguments=(("7", {"days": "7"}), ("30", {"days": "30"})),
        wrong=("#很久", "#一周", "#-1"),
        no_such=("JS7", "JSON", "拒收7", "JS吧"),
    ),
    Row("presence.accept", ("HF", "恢复接收"), no_such=("HFF", "HF2", "HF话费")),
    _text("profile.nickname", "NC", "昵称", no_such=("NCAA", "NC小明", "昵称小明", "NC1")),
    _text("profile.mood", "QM", "心情", no_such=("QMX", "QM开心", "心情很好")),
    Row(
        "privacy.mobile",
        ("YS", "隐私"),
        arguments=(("0", {"choice": "0"}), ("1", {"choice": "1"})),
        required=True,
        wrong=("#", "#2", "#关", "#01"),
        no_such=("YS0", "YS1", "隐私0", "YSL"),
    ),
    Row(
        "matching.find",
        ("SP", "速配"),
        arguments=(
            ("女", {"sex": "女"}),
            ("男#18-25#北京", {"sex": "男", "ages": "18-25", "province": "100"}),
            ("女#广东", {"sex": "女", "province": "200"}),
            ("20-30", {"ages": "20-30"}),
            ("女#20-25#200", {"sex": "女", "ages": "20-25", "province": "200"}),
            ("471", {"province": "471"}),
        ),
        wrong=("#火星", "#女#女"),
        no_such=("SPORT", "SP女", "SP18"),
    ),
    Row(
        "profile.about",
        ("ZL", "资料"),
        arguments=(
            ("女", {"sex": "女"}),
            ("男#1985", {"sex": "男", "born": "1985"}),
            ("F#19850312", {"sex": "F", "born": "1985"}),
            ("女#1985-3-12", {"sex": "女", "born": "1985"}),
            ("女#1985年3月12日", {"sex": "女", "born": "1985"}),
        ),
        required=True,
        wrong=("#", "#1985", "#女#85", "#女#19851301", "#女#1985-02-30", "#人#1985", "#女#1985#北京"),
        no_such=("ZLL", "ZL女", "资料库", "资料女"),
    ),
    Row(
        "help",
        ("BZ", "帮助", "HELP", "?"),
        wrong=("#天气", " ME"),
        no_such=("BZHY", "BZ1", "HELPER", "?#KTFX"),
        reads=True,
    ),
)
FREE_TEXT: Final = frozenset({"chat.send", "profile.nickname", "profile.mood"})
"""Rows whose whole text counts (rule 2)."""

GLUED_NUMBERS: Final = frozenset(row.id for row in ROWS if any("number" in named for _, named in row.glued))

Way: TypeAlias = Callable[[str], str | None]


def _latin(change: Callable[[str], str]) -> Way:
    return lambda word: change(word) if word.isascii() and word.isalpha() else None


def _inside(what: str, shortest: int = 2) -> Way:
    """Something in the middle of a word."""
    return lambda word: (
        f"{word[: len(word) // 2]}{what}{word[len(word) // 2 :]}" if len(word) >= shortest else None
    )


def _around(before: str, behind: str) -> Way:
    return lambda word: f"{before}{word}{behind}"


def _wide(word: str) -> str | None:
    """Full-width forms stand 0xFEE0 behind ASCII."""
    return "".join(chr(ord(each) + 0xFEE0) for each in word) if word.isascii() else None


TYPING: Final[Mapping[str, Way]] = MappingProxyType({
    "as it is": lambda word: word,
    "small letters": _latin(str.lower),
    "first letter capital": _latin(str.capitalize),
    "mixed case": _latin(lambda word: word[:2] + word[2:].lower()),
    "full-width": _wide,
    "full-width small letters": lambda word: _wide(word.lower()) if word.isalpha() else None,
    "a blank inside": _inside(" "),
    "a full-width blank inside": _inside("\u3000"),
    "a no-break space inside": _inside("\u00a0"),
    "a zero width space inside": _inside("\u200b"),
    "a soft hyphen inside": _inside("\u00ad"),
    "a blank behind each": lambda word: " ".join(word) if len(word) > 2 else None,
    "blanks behind": _around("", "  "),
    "blanks before": _around("  ", ""),
    "byte-order mark before": _around("\ufeff", ""),
    "dot": _around("", "."),
    "Chinese full stop": _around("", "。"),
    "quotes": _around('"', '"'),
    "Chinese quotes": _around("“", "”"),
    "angle brackets": _around("《", "》"),
    "square brackets": _around("【", "】"),
    "exclamation mark": _around("", "！"),
    "tilde": _around("", "~"),
    "signature": _around("", "\n小明"),
    "signature behind CR LF": _around("", "\r\n来自我的手机"),
})  # fmt: skip
LINE_CUTS: Final = frozenset({"signature", "signature behind CR LF"})
"""Ways of typing that count on rule 2."""

SEPARATORS: Final = ("#", "＃", " #", "# ", "##", "*", "＊", " ", "\u3000", ":", "：", ",", "，", "+", "＋")

NUMBERS: Final = (
    (f"+86{MOBILE}", MOBILE),
    (f"86{MOBILE}", MOBILE),
    (f"0086{MOBILE}", MOBILE),
    ("139-1234-5678", MOBILE),
    ("139 1234 5678", MOBILE),
    ("１３９１２３４５６７８", MOBILE),
    ("+86 139 1234 5678", MOBILE),
    (FETION, FETION),
    ("４７１２３４５６７", FETION),
    ("471-234-567", FETION),
)

PASSWORDS: Final = (
    "abc123",
    "KTFXJY",
    'p@$$W0rd!"#~',
    "1234567890123456",
    "KTFX",
    "abc12",
    "12345678901234567",
    "abc 123",
    "ａｂｃ１２３",
    "密码abc123",
    "飞信的密码是",
)

PLACES: Final = MappingProxyType({
    "161471": "province",
    "1252047123456": "province",
    "12520200": "province",
    "125862": "voice",
    "12520055": "none",
})  # fmt: skip

BEHIND: Final = (" 是什么", "是什么？", " 谢谢", "#1", "，好吗", "怎么办理", " 小明")

CHAT_AT_A_BASE: Final = (
    "你好", "在吗", "晚上一起吃饭吧", "好的", "谢谢", "我到了", "明天见", "你是谁", "生日快乐",
    "在哪里", "晚安", "hello", "ok", "thank you", ":)", "哈哈哈", "收到", "飞信", "我想取消飞信",
    "请帮我开通飞信", "飞信怎么用", "我不要了", "不用了", "好友", "我要加好友",
    "电话多少", "是不是", "要不要", "同不同意", "bye bye", "What is this", "test", "测试",
    "停机了吗", "话费还有多少", "新年快乐", "恭喜发财", "我在开会", "待会儿回你", "你猜", "嗯",
    "哦", "啊", "。。。", "！！！", "~", "[微笑]",
)  # fmt: skip

NEAR_MISSES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "12520": (
        *("QXFXX", "QXF", "QFX", "XQFX", "QX", "QX FX JY 吗", "QXFX QXFX", "取消", "取消飞", "飞信取消"),
        *("KTFXJ", "KTFXJYY", "KTJY", "TKFXJY", "KTFXJY是", "KTFXJY KTFXJY", "开通交友", "开通飞信交朋友"),
        *("QXFXJ", "QXFXJYY", "QXJY", "QXFXJY是", "取消交友", "不取消飞信", "别取消飞信", "取消飞信交友吗"),
        *("0000", "000", "000000", "00000是", "00000 是", "00000#1", "00-000", "0000O", "零零零零零"),
        *("DELETE", "删除", "删除13912345678", "HM", "黑名", "HMDD", "拉"),
        *("是是", "是1", "1 1", "不不", "好", "行", "可以", "OKOK", "同", "意"),
    ),
    "10086": (
        *("QXFXX", "QXF", "QFX", "QX", "QXFX是", "QXFX1", "KTFXJ", "KTFXJYY", "QXFXJ", "QXFXJYY", "QXJY"),
        *("000", "00000", "0000#1", "00001", "123", "1号", "第1个", "1#", "1 是", "一", "SC", "HMD", "是"),
        *("取消飞信吗", "取消飞信交友吗", "开通飞信交友吗", "取消全部", "QXQB", "取消1"),
    ),
    "1252003300042": ("是的好", "是啊", "1是", "不是我", "QXFX是", "00000是", "好", "行", "同意了"),
})  # fmt: skip

MARKS: Final = ("？", "?", " ？", "??", "？！", "❓")
"""Question marks behind a word, as handsets write them."""

SAYS_NO: Final = (
    "不QXFX", "别QXFX", "没KTFX", "不取消飞信", "别取消飞信", "没取消飞信", "未开通飞信", "勿取消飞信",
    "不开通飞信", "还没开通飞信", "无需开通飞信", "不要取消飞信", "我还没开通飞信", "QXFX不要", "不CXFX",
    "不删除好友", "没恢复接收", "别开通飞信交友", "不要QXFXJY", "不QXFXJY",
)  # fmt: skip
FOREIGN: Final = ("CXGFX", "cxgfx", "CXYE", "KTGPRS", "ktgprs", "KTCLTC", "KTSJYX", "CXYE。", "KTGPRS 谢谢")
CANCELLING: Final = (
    "TD", "td", "ＴＤ", "TD。", "退订", "退订！", "T", "t", "取消", "“取消”", "TD？",
    "怎么取消飞信", "怎么取消飞信？", "怎样取消飞信交友", "如何退订", "飞信怎么取消", "能取消飞信吗",
)  # fmt: skip
NO_PASSWORDS: Final = (
    "密码", "13912345678", "471234567", "8613912345678", "12520050", "12520", "10086", "abcdef", "12345",
    "我爱你1314", "a1-b2-c3", "2007-3-1", "QXFX1234", "HYLBX12", "PLMM", "MP3",
)  # fmt: skip
TRIED: Final = (
    "改密 777777a9 好吗", "PWD 123456", "我的密码是 222222b8", "密码：abc123", "口令888888", "MM123456",
    "ｍｍ１２３４５６", "XGMM#111111#222222", "你好\n密码 222222b8", "222222b8", "222222b8 谢谢",
    "请 abc123 吧",
    "2007fetion", "123456", "p my new password", "abc123\n小明",
)  # fmt: skip
"""Rule 7: what is an attempt at a password by its meaning, and what is none."""

SUGGESTED: Final = MappingProxyType({
    "KFTX": "KTFX", "KTF": "KTFX", "KTFC": "KTFX", "ｋｔｆｃ": "KTFX", "开同飞信": "KTFX", "KTXFX": "KTFX",
    "QXXF": "QXFX", "QFXX": "QXFX", "QXTFX": "QXFX", "取消飞心": "QXFX", "CXXF": "CXFX", "查寻飞信": "CXFX",
    "KTFXYJ": "KTFXJY", "KTXFJY": "KTFXJY", "QXFXYJ": "QXFXJY", "QXFJY": "QXFXJY",
    "HLYB": "HYLB", "HYLBB": "HYLB", "好友列标": "HYLB", "ZXYH": "ZXHY", "在线好有": "ZXHY", "添加好有": "HY",
    "删除好有": "SC", "恢复接受": "HF", "语音聊填": "YY", "HEPL": "BZ", "HELPP": "BZ",
    "TXFX": "", "QTFX": "", "KXFX": "", "XFX": "", "K1FX": "", "QXF8": "", "HYL8": "", "KT": "", "FX": "",
    "HM": "", "SPP": "", "拒首": "", "一二三四": "",
})  # fmt: skip
"""Text -> the word suggested: at distance 1, a swap counting one; "" for a tie, short words, digits."""
