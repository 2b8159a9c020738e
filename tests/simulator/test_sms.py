"""SMS as a handset sees them: encoding, joining, waiting for one."""

import pytest

from gateway.simulator.errors import CannotSendError, MailboxFullError
from gateway.simulator.sms import (
    ENCODINGS,
    UNFINISHED_LIMIT,
    UNREAD_LIMIT,
    Expectation,
    Mailbox,
    MissedError,
    Received,
    Sms,
    UnexpectedError,
    bare,
    encode,
)
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import BrokenUdhError, Segment

ALPHABET = Alphabet.from_config({}, "gsm")
ALICE = "13800138000"
LONG = "飞信" * 90


def received(segment: Segment, sender: str = "12520") -> Received:
    """A segment as it comes off the wire."""
    return Received(sender, segment.octets, segment.data_coding, segment.esm_class, segment.tlvs)


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("13800138000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("861252013800138000", "861252013800138000"),
        ("161", "161"),
        ("+86161", "+86161"),
    ],
)
def test_bare(spelled: str, expected: str) -> None:
    """The country code comes off a mobile and off nothing else."""
    assert bare(spelled) == expected


@pytest.mark.parametrize(
    ("text", "encoding", "data_coding", "octets"),
    [
        ("KTFX", "auto", 0, b"KTFX"),
        ("KTFX", "ascii", 1, b"KTFX"),
        ("ＫＴＦＸ", "auto", 8, bytes.fromhex("FF2BFF34FF26FF38")),
        ("是", "ucs2", 8, bytes.fromhex("662F")),
        ("是", "gbk", 15, bytes.fromhex("CAC7")),
    ],
)
def test_encode(text: str, encoding: str, data_coding: int, octets: bytes) -> None:
    """Each encoding gives its data_coding and octets."""
    (segment,) = encode(text, ALPHABET, 1, encoding)
    assert (segment.data_coding, segment.octets) == (data_coding, octets)


@pytest.mark.parametrize(
    ("text", "encoding"), [("是", "ascii"), ("是" * 71, "ucs2"), ("是" * 20_000, "auto")]
)
def test_encode_refuses_and_never_cuts(text: str, encoding: str) -> None:
    """A text that an encoding cannot carry, or one SMS of it, or 255 SMS, is an error."""
    with pytest.raises(CannotSendError, match=encoding):
        encode(text, ALPHABET, 1, encoding)
    assert encoding in ENCODINGS


def test_long_messages_are_joined_in_any_order_and_beside_each_other() -> None:
    """Two long messages of two senders, parts mixed and one repeated, become two SMS."""
    mailbox = Mailbox(ALICE, ALPHABET)
    first, second, third = encode(LONG, ALPHABET, 9)
    assert mailbox.put(received(third)) is None
    assert mailbox.put(received(first, "12520033")) is None
    assert mailbox.put(received(first)) is None
    assert mailbox.put(received(first)) is None
    assert mailbox.put(received(second)) == Sms("12520", ALICE, LONG)
    assert mailbox.put(received(second, "12520033")) is None
    assert mailbox.put(received(third, "12520033")) == Sms("12520033", ALICE, LONG)


def test_a_reference_that_comes_round_starts_a_new_message() -> None:
    """Parts with the reference of an unfinished message and other octets are another message."""
    mailbox = Mailbox(ALICE, ALPHABET)
    mailbox.put(received(encode(LONG, ALPHABET, 9)[0]))
    other = LONG.replace("飞", "短")
    joined = [mailbox.put(received(part)) for part in encode(other, ALPHABET, 9)]
    assert joined == [None, None, Sms("12520", ALICE, other)]


def test_mailbox_is_bounded() -> None:
    """A handset keeps so many unread SMS and so many unfinished ones, and says when it is full."""
    mailbox = Mailbox(ALICE, ALPHABET)
    for reference in range(UNFINISHED_LIMIT):
        mailbox.put(received(encode(LONG, ALPHABET, reference)[0]))
    with pytest.raises(MailboxFullError, match=f"{UNFINISHED_LIMIT} long"):
        mailbox.put(received(encode(LONG, ALPHABET, 200)[0]))
    for _ in range(UNREAD_LIMIT):
        mailbox.put(Received("161", b"hello", 0, 0, {}))
    with pytest.raises(MailboxFullError, match=f"{UNREAD_LIMIT} unread"):
        mailbox.put(Received("161", b"hello", 0, 0, {}))


def test_a_broken_header_is_an_error() -> None:
    """A user data header longer than the message is nothing a handset can show."""
    with pytest.raises(BrokenUdhError):
        Mailbox(ALICE, ALPHABET).put(Received("161", b"\x7f", 0, 0x40, {}))


def test_take_gives_the_oldest_that_fits_and_leaves_the_others() -> None:
    """What does not fit stays unread, in its order."""
    mailbox = Mailbox(ALICE, ALPHABET)
    for sender, text in (("161", b"one"), ("12520", b"two"), ("12520", b"two again")):
        mailbox.put(Received(sender, text, 0, 0, {}))
    assert mailbox.take(Expectation.of("two", sender="12520")) == Sms("12520", ALICE, "two")
    assert mailbox.take(Expectation.of("two", sender="161")) is None
    assert [sms.text for sms in mailbox.unread] == ["one", "two again"]


def test_expectation() -> None:
    """Text counts whole, regex anywhere, the sender whole; groups of both patterns come back."""
    sms = Sms("1252003300042", ALICE, "您好：\n号码512345678")
    assert Expectation().groups(sms) == {}
    assert Expectation.of(text="您好").groups(sms) is None
    assert Expectation.of(text=sms.text).groups(sms) == {}
    assert Expectation.of(sender="12520").groups(sms) is None
    assert Expectation.of("您好.*码").groups(sms) == {}
    both = Expectation.of(r"(?P<number>\d{9})(?P<none>x)?", sender=r"12520033(?P<serial>\d{5})")
    assert both.groups(sms) == {"number": "512345678", "serial": "00042"}


def test_missed_says_what_came_instead() -> None:
    """The error names receiver, pattern and time, and every unread SMS."""
    wished = Expectation.of("飞信", sender="161")
    nothing = str(MissedError(ALICE, wished, 5.0, ()))
    assert nothing == f"{ALICE} expected an SMS from 161 with /飞信/ within 5 s, nothing came"
    something = str(MissedError(ALICE, Expectation.of(text="好"), 0.5, (Sms("12520", ALICE, "no"),)))
    assert something == f"{ALICE} expected an SMS with text '好' within 0.5 s\n  came instead: 12520: no"


def test_an_error_holds_nothing_that_a_terminal_obeys() -> None:
    """Neither the number nor the text of what came."""
    sms = Sms("161\x1b[2J", ALICE, "a\x9b2J\rb")
    for error in (MissedError(ALICE, Expectation(), 1, (sms,)), UnexpectedError(ALICE, Expectation(), sms)):
        assert str(error).replace("\n", "").isprintable()
        assert str(error).endswith("161\ufffd[2J: a\ufffd2J\ufffdb")
