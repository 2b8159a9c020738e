"""What may be the reason of an action."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.reasons import LONGEST_REASON, is_reason
from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, browser
from tests.support import ALICE

TURNED = "asked\u202efor"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("客户　来电", True),  # a blank as wide as a character
        ("complaint 7 <b>", True),
        ("x" * LONGEST_REASON, True),
        ("x" * (LONGEST_REASON + 1), False),
        ("", False),
        (" 　", False),
        ("two\nlines", False),
        ("two\u2028lines", False),
        (TURNED, False),
        ("nothing\0", False),
        ("half a character \ud800", False),
        ("in\u200bvisible", False),
    ],
)
def test_reasons(text: str, good: bool) -> None:
    """One line that everybody can see."""
    assert is_reason(text) is good


@given(st.text(max_size=LONGEST_REASON + 1))
def test_a_reason_hides_nothing(text: str) -> None:
    """It has no character of a kind that is not seen, and is never blank."""
    if is_reason(text):
        assert not {"Cc", "Cf", "Cs", "Zl", "Zp"}.intersection(map(unicodedata.category, text))
        assert text.strip()


async def test_every_page_refuses_what_is_none(tmp_path: Path) -> None:
    """Opening an SMS, and the customer's number, acting, reloading: no reason, nothing is done, and the audit
    says nothing of it."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        alice = await gateway.handset(ALICE)
        number = await alice.send("KTFX", "161")
        await alice.expect("飞信")
        ada = browser(gateway, Role.ADMINISTRATOR)
        customer = (await ada.post("/customers", {"number": ALICE})).headers["location"]
        version = gateway.app._in_force.tables.version
        forms = {
            f"/messages/{number}": {},
            f"{customer}/opened": {},
            f"{customer}/actions": {"action": "suspend", "request": "0" * 32},
            "/tables/reload": {"was": version, "version": version},
        }
        before = await gateway.app.store.audit(1 << 62, 100)
        for path, fields in forms.items():
            answer = await ada.post(path, {**fields, "reason": TURNED})
            assert answer.status == 400, path
        assert await gateway.app.store.audit(1 << 62, 100) == before
