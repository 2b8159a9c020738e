"""Numbers of customers are masked, whatever stands around them."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.masks import masking, masking_texts
from tests.support import ALICE, BOB

MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)


def test_addresses() -> None:
    """A number alone, behind 86 or behind an access code, and more than one."""
    mask = masking()
    assert mask(ALICE) == "138****8000"
    assert mask(f"86{ALICE}") == "86138****8000"
    assert mask(f"12520{BOB}") == "12520139****9000"
    assert mask(f"161{ALICE}") == "161138****8000"
    assert mask(f"{ALICE} > 161{BOB} on account smsc") == "138****8000 > 161139****9000 on account smsc"
    assert mask(f"{BOB}12") == "139****900012"
    assert mask(f"{ALICE}{BOB}") == "138****8000139****9000"
    assert BOB not in mask(f"1390013{BOB}5")
    assert mask("12520, session 4294967297, 400000001") == "12520, session 4294967297, 400000001"


def test_what_is_shown() -> None:
    """The customer's own number, and an id that looks like a number."""
    mask = masking({ALICE}, {"0000013800138000"})
    assert mask(f"86{ALICE} > 12520{BOB}") == f"86{ALICE} > 12520139****9000"
    assert mask("retry 0000013800138000") == "retry 0000013800138000"
    assert masking()("retry 0000013800138000") == "retry 00000138****8000"


def test_texts() -> None:
    """People group digits, and write them full width."""
    mask = masking_texts({ALICE})
    for written in (
        BOB,
        "139-0013-9000",
        "139 0013 9000",
        "(139)0013-9000",
        "１３９００１３９０００",
        f"HY#{BOB}",
    ):
        assert "0013" not in mask(written), written
        assert "００１３" not in mask(written), written
    assert mask(f"me {ALICE}, him 139-0013-9000.") == f"me {ALICE}, him 139****9000."
    assert mask("138 0013 8000") == "138 0013 8000"
    assert mask("order 20081127100000 for 5000000000") == "order 20081127100000 for 5000000000"


@given(st.text("01239 x", max_size=14), MOBILES, st.text(" x+", max_size=3))
def test_no_number_stays(before: str, mobile: str, behind: str) -> None:
    """Whatever digits stand before it: of the middle four none is left at their place."""
    text = before + mobile + behind
    masked = masking()(text)
    assert mobile not in masked
    assert mobile not in masking()(f"{text}7")
    assert masked.count("*") >= 4
    assert masked.rstrip(" x+").endswith(mobile[7:])


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Whatever people write: masking twice is masking once."""
    once = masking_texts()(text)
    assert masking_texts()(once) == once
