"""What an SMS says, from its numbers and text; and for whom it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.meaning import Meaning, reads_chinese
from gateway.simulator.sms import Sms

ALICE, BOB = "13800138000", "13900139000"


@pytest.fixture(scope="module")
def meaning() -> Meaning:
    """With the shipped tables."""
    return Meaning.load()


@pytest.mark.parametrize(
    ("sms", "gloss"),
    [
        (Sms(ALICE, "161", "KTFX"), "open Fetion"),
        (Sms(ALICE, "12520", f"HY#{BOB}"), "add this buddy"),
        (Sms(ALICE, f"12520{BOB}", "KTFX"), None),
        (Sms(ALICE, "999", "KTFX"), None),
        (Sms(ALICE, "", "KTFX"), None),
        (Sms("no number", "161", "KTFX"), "open Fetion"),
        (Sms("12520", ALICE, "您现在没有需要回答的问题。"), "There is no question for you to answer now."),
        (Sms(f"12520{BOB}", ALICE, "晚上见"), None),
        (Sms("12520", ALICE, "<masked>"), None),
    ],
)
def test_gloss(meaning: Meaning, sms: Sms, gloss: str | None) -> None:
    """Instructions and sentences have one; chat, and numbers that nobody has, have none."""
    assert meaning.gloss(sms) == gloss


@given(sender=st.text(max_size=20), receiver=st.text("0123456789+", max_size=20), text=st.text(max_size=200))
def test_any_sms(meaning: Meaning, sender: str, receiver: str, text: str) -> None:
    """Whatever passes through the gateway, there is a gloss or none, never an error."""
    assert meaning.gloss(Sms(sender, receiver, text)) != ""


@pytest.mark.parametrize(
    ("environ", "chinese"),
    [
        ({}, False),
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_TW"}, True),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "C"}, False),
        ({"LANG": "C", "LC_MESSAGES": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, False),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, True),
        ({"LC_CTYPE": "zh_CN.UTF-8"}, False),
    ],
)
def test_reads_chinese(environ: dict[str, str], chinese: bool) -> None:
    """The first of LC_ALL, LC_MESSAGES and LANG that is set decides."""
    assert reads_chinese(environ) is chinese
