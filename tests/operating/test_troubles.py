"""docs/operating.md: the log shows each trouble as the page has it, and each remedy works."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from tests.operating import dialling, ourselves, provoking
from tests.operating.page import PAGE, Trouble, closest, is_like, troubles
from tests.proofs.served import lines

Provocation = Callable[[Path], Awaitable[Path]]

PROVOKED: Final = MappingProxyType[str, tuple[Provocation, ...]](
    {
        "The SMS centre cannot bind": (provoking.bind_refused,),
        "Its connection is closed at once": (provoking.address_not_allowed,),
        "A bind is lost again and again": (provoking.peer_is_silent,),
        "No replies: nobody receives": (provoking.nobody_receives,),
        "The SMS centre refuses our SMS": (provoking.peer_refuses,),
        "We refuse SMS: window exceeded": (provoking.window_exceeded,),
        "An SMS is parked": (provoking.parked,),
        "The store fails, or its disk is full": (ourselves.disk_full,),
        "`serve` does not start": (ourselves.key_missing, ourselves.port_in_use, ourselves.store_in_use),
        "Texts are not understood": (provoking.wrong_alphabet,),
        "SMS to a number that is none of ours": (provoking.unknown_number,),
        "The outbox is full": (provoking.outbox_full,),
        "Lines of the log are missing": (ourselves.log_lost,),
        "The clock was put back": (ourselves.clock_behind,),
        "No connection is accepted": (ourselves.no_descriptor,),
        "Changed tables are not in force": (ourselves.tables_refused,),
        "A link is not bound": (dialling.not_bound,),
        "Receipts belong to no SMS": (dialling.receipts_of_nobody,),
    }
)
"""By the title on the page, what brings the trouble about, and then remedies it."""

FOUND: Final = tuple(troubles())


@pytest.mark.parametrize("trouble", FOUND, ids=lambda trouble: trouble.title)
async def test_the_log_shows_it_as_the_page_does(tmp_path: Path, trouble: Trouble) -> None:
    """Every line of the page is in a log, key for key, and behind it one of the events by which the page says
    that the trouble is over."""
    logs = []
    for number, provoke in enumerate(PROVOKED[trouble.title]):
        folder = tmp_path / str(number)
        folder.mkdir()
        logs.append(await provoke(folder))
    assert trouble.lines
    assert trouble.over
    for example in trouble.lines:
        shown = [log for log in logs if any(is_like(line, example) for line in lines(log))]
        assert shown, "\n".join(closest(log, example) for log in logs)
        for log in shown:
            told = lines(log)
            last = max(place for place, line in enumerate(told) if is_like(line, example))
            assert trouble.over & {line["event"] for line in told[last + 1 :]}


def test_the_page_and_the_table_have_the_same() -> None:
    """No trouble of the page goes without a test, none is tested that is not on the page, ten come first."""
    assert [trouble.title for trouble in FOUND] == list(PROVOKED)
    assert all(
        trouble.text.count(f"**{word}**") == 1 for trouble in FOUND for word in ("Means", "Do", "Over")
    )


def test_the_table_leads_to_the_lines() -> None:
    """Each row of the table of symptoms names an event of the section that it leads to; none is missing."""
    rows = re.findall(r"^\| \[(\d+)\]\(#[^)]+\) \|[^|]+\|([^|]+)\|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(FOUND) + 1))
    for number, named in rows:
        events = {line["event"] for line in FOUND[int(number) - 1].lines}
        assert events & set(re.findall(r"`([a-z.]+)`", named)), number


async def test_every_reason_of_a_refused_bind(tmp_path: Path) -> None:
    """The reasons that the page lists are those that the log has."""
    log = await provoking.bind_refused(tmp_path)
    told = {line["reason"] for line in lines(log) if line["event"] == "bind.refused"}
    assert told == set(re.findall(r"^- `([^`]+)`:", FOUND[0].text, re.MULTILINE))


@pytest.mark.parametrize("trouble", FOUND, ids=lambda trouble: trouble.title)
def test_another_line_is_not_like_it(trouble: Trouble) -> None:
    """The comparison can fail: a key more, a key less, another order, another reason or level."""
    for example in trouble.lines:
        assert is_like(json.loads(json.dumps(example)), example)
        assert not is_like({**example, "more": 1}, example)
        assert not is_like(dict(list(example.items())[:-1]), example)
        assert not is_like(dict(reversed(example.items())), example)
        assert not is_like({**example, "level": "debug"}, example)


def test_a_provocation_is_a_coroutine_function() -> None:
    """All are awaited."""
    assert all(asyncio.iscoroutinefunction(each) for group in PROVOKED.values() for each in group)
