"""The mix of the load generator: what it may say, and which submit_sm it leads to."""

from collections import Counter
from pathlib import Path

import pytest

from gateway.simulator.load.mix import DEFAULT, load
from gateway.simulator.load.plan import Plan, Source
from gateway.smpp.codec import decode
from gateway.smpp.coding import Alphabet
from gateway.smpp.pdus import SubmitSm
from routing.tablefile import TableError

ALPHABET = Alphabet.from_config({}, "gsm")

MIX = """\
- {text: KTFX, to: "161", weight: 3}
- {text: 在吗, to: "1252013800138000", replies: 0, from: random}
"""


def write(folder: Path, text: str) -> Path:
    """A mix as a file."""
    path = folder / "mix.yaml"
    path.write_text(text, "utf-8")
    return path


def submits(plan: Plan) -> list[tuple[SubmitSm, bytes, int]]:
    """All submit_sm of a plan, as the codec reads them, with what the source says about each."""
    source = Source(plan)
    taken = [source.take(sequence) for sequence in range(100, 100 + plan.count)]
    found = []
    for octets, number, replies in taken:
        pdu = decode(octets)
        assert isinstance(pdu, SubmitSm)
        assert pdu.notes == ()
        found.append((pdu, number, replies))
    return found


def test_default_is_a_fresh_handset_that_opens() -> None:
    """Without a mix: KTFX to 161, each from the next number, with the sequence number asked for."""
    found = submits(Plan(count=3, window=1))
    assert [(each.source_addr, each.source_addr_ton, each.source_addr_npi) for each, _, _ in found] == [
        ("8613500000000", 1, 1),
        ("8613500000001", 1, 1),
        ("8613500000002", 1, 1),
    ]
    assert {(each.destination_addr, each.short_message, replies) for each, _, replies in found} == {
        ("161", b"KTFX", 1)
    }
    assert [each.sequence_number for each, _, _ in found] == [100, 101, 102]
    assert all(number == each.source_addr.encode() for each, number, _ in found)


def test_a_mix_is_drawn_by_weight(tmp_path: Path) -> None:
    """Texts come as often as their weight says; fresh numbers begin behind the existing ones; the same seed
    draws the same, another one does not."""
    plan = Plan(count=4000, window=1, pool=10, mix=load(write(tmp_path, MIX), pool=10), seed=7)
    found = submits(plan)
    texts = Counter(ALPHABET.decode(each.short_message, each.data_coding) for each, _, _ in found)
    assert texts.keys() == {"KTFX", "在吗"}
    assert 0.70 < texts["KTFX"] / plan.count < 0.80
    chatting = {each.source_addr for each, _, replies in found if not replies}
    assert chatting == {f"861350000000{digit}" for digit in range(10)}

    everything = [(each.source_addr, each.short_message) for each, _, _ in found]
    assert [(each.source_addr, each.short_message) for each, _, _ in submits(plan)] == everything
    other = Plan(count=4000, window=1, pool=10, mix=plan.mix, seed=8)
    assert [(each.source_addr, each.short_message) for each, _, _ in submits(other)] != everything


def test_fresh_numbers_beside_a_pool(tmp_path: Path) -> None:
    """from: fresh is never one of the handsets that exist."""
    mix = load(write(tmp_path, '- {text: KTFX, to: "161", from: fresh}'), pool=10)
    found = submits(Plan(count=2, window=1, pool=10, mix=mix))
    assert [each.source_addr for each, _, _ in found] == ["8613500000010", "8613500000011"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('- {text: KTFX, to: "161", wieght: 2}', ["1: [0].wieght: unknown key; did you mean 'weight'?"]),
        ("- {text: KTFX, to: 161}", ["1: [0].to: must be text: put it in quotes"]),
        ('- text: KTFX\n  to: "161"\n  weight: 0', ["3: [0].weight: must be above 0"]),
        (
            '- text: KTFX\n  to: one\n- to: "161"',
            ["2: [0].to: must match ^\\+?\\d{1,20}$", "3: [1].text: is missing"],
        ),
        (f'- {{text: {"长" * 71}, to: "161"}}', ["1: [0].text: must fit one SMS, takes 2"]),
        ('- {text: CXFX, to: "161", from: random}', ["1: [0].from: random needs --handsets random:N"]),
        ('- {text: CXFX, to: "161", from: bob}', ["1: [0].from: must be 'fresh' or 'random'"]),
        ('- {text: CXFX, to: "161", replies: -1}', ["1: [0].replies: must be at least 0"]),
        ("[]", ["1: (file): must have at least 1 items"]),
        ("", ["1: (file): must be a list"]),
        ("- }", ["1: (yaml): "]),
        ('- {text: A, to: "161", text: B}', ["1: [0].text: duplicate key, first on line 1"]),
    ],
)
def test_faults_say_where(text: str, faults: list[str], tmp_path: Path) -> None:
    """Each fault is file:line: key: reason."""
    path = write(tmp_path, text)
    with pytest.raises(TableError) as raised:
        load(path, pool=0)
    said = str(raised.value).splitlines()
    assert len(said) == len(faults)
    assert all(line.startswith(f"{path}:{fault}") for line, fault in zip(said, faults, strict=True))


def test_no_such_file(tmp_path: Path) -> None:
    """A mix that is not there is a fault like any other."""
    with pytest.raises(TableError, match="cannot be read"):
        load(tmp_path / "none.yaml", pool=0)


def test_too_many_lines(tmp_path: Path) -> None:
    """A mix has a bound."""
    with pytest.raises(TableError, match="at most 1000 items"):
        load(write(tmp_path, '- {text: A, to: "161"}\n' * 1001), pool=0)


def test_default_mix() -> None:
    """The default mix is one line."""
    assert [(line.text, line.to, line.replies) for line in DEFAULT.messages] == [("KTFX", "161", 1)]
