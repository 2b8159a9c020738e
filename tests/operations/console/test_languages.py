"""Pages speak the language of their visitor: every page, with every kind of what it can show, in both.

What is the same in every language stands in WORDS and IDS; everything else that is written in the letters of
the other language is a fault. The description of the API (/docs) is English, the rows of tables are data.
"""

import re
from collections.abc import Container, Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from commands.actions import ACTIONS
from commands.model import Result
from gateway.inbound.guard import Limited
from gateway.message import PART, Answer, message_id
from gateway.operations.console import building, statistics
from gateway.operations.console.audited import Did
from gateway.operations.console.page import Kind as PageKind
from gateway.operations.console.rendering import load_texts
from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.operations.console.statistics.catalogue import load_catalogue
from gateway.operations.console.tables.views import KEYS, PROVENANCES
from gateway.operations.phrases import in_language
from gateway.operations.timeline.sentences import texts
from gateway.outbound import waiting
from gateway.storage.accounts import Account, AuditEntry
from gateway.storage.figures import Amount, FigureKey, Figures
from gateway.testing import RunningGateway, running_gateway
from tests.channels.phones import ANN, PHONES
from tests.operations.console.browser import Answer as Page
from tests.operations.console.browser import browser
from tests.support import ALICE, BOB

TOLD: Final = ("aria-label", "title", "placeholder", "alt", "data-on", "data-off", "data-ended", "data-none")
"""Attributes that are read out or shown."""
OTHERS: Final = {"button", "pre", "span"}
"""Elements that may be in another language, and say so (lang)."""
VOID: Final = {"meta", "link", "input", "br", "hr", "img", "polyline", "rect", "line", "path", "circle"}
CHINESE: Final = re.compile("[\u3400-\u9fff]+")
LATIN: Final = re.compile(r"(?<![0-9A-Za-z])[A-Za-z][\w./:@+-]*", re.ASCII)
NAMES: Final = frozenset(
    {
        *("somebody", "smsc", "console", "user", "ms", "x", "fff", "T10:00", "Asia/Shanghai", "definitions"),
        *(*KEYS, *PROVENANCES, *load_catalogue().by_id),
    }
)
"""Names and values that the test itself gives, and what an address may ask a table for."""
IDS: Final = re.compile(r"[0-9a-f]{8,}(\.[0-9a-f]+)?|W\d\d")
WITHOUT_CHINESE: Final = frozenset({"base.language", "statistics.csv_of"})
"""Texts that are the same for a Chinese reader."""


IN_CHINESE: Final = re.compile(r"limits\.|docs/|fetion-gateway|outbox|retry|drop|MQTT")


class Reader(HTMLParser):
    """Collects what a visitor reads of a page, but code, data, and what its markup calls another language."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._language = language
        self._hidden: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        given = dict(attrs)
        said = (given.get("lang") or self._language)[:2]
        data = tag == "table" and given.get("class") == "rows"
        hidden = data or (tag in OTHERS and said != self._language) or tag in {"script", "style", "code"}
        if not any(self._hidden) and not hidden:
            self.texts += [value for name, value in attrs if name in TOLD and value]
        if tag not in VOID:
            self._hidden.append(hidden)

    def handle_endtag(self, tag: str) -> None:
        """End one."""
        if tag not in VOID and self._hidden:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        """A text."""
        if not any(self._hidden):
            self.texts.append(data)


def foreign(html: str, language: str, known: Container[str]) -> list[str]:
    """What a page says in the letters of the other language, but known names."""
    reader = Reader(language)
    reader.feed(html)
    pattern = CHINESE if language == "en" else LATIN
    found = [each.rstrip(".:/-") for text in reader.texts for each in pattern.findall(text)]
    return [each for each in found if each not in known and not IDS.fullmatch(each)]


def chinese(value: Any) -> Iterator[str]:
    """The Chinese texts of a YAML file of texts."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from (
                [str(each)] if key == "zh" or (isinstance(each, str) and key == "source") else chinese(each)
            )
    elif isinstance(value, list):
        for each in value:
            yield from chinese(each)


def names_in(gateway: RunningGateway) -> set[str]:
    """What is the same in every language: ids and words of instructions and sentences, and names that Chinese
    texts use themselves: of settings, reports, formats."""
    tables = gateway.app._in_force.tables.commands
    reports = yaml.safe_load(resources.files(statistics).joinpath("reports.yaml").read_text("utf-8"))
    said = [*(both["zh"] for both in load_texts().values()), *chinese(reports)]
    found = {each.rstrip(".:/-") for text in said for each in LATIN.findall(text)}
    rows = tables.table.rows
    words = {word for row in rows.values() for word in row.words}
    named = {name for name, row in rows.items() if row.words} | set(tables.sentences.by_id)
    return {*found, *words, *named, *NAMES}


async def filled(gateway: RunningGateway) -> list[str]:
    """Fill a gateway; gives the addresses of pages that show it."""
    store, now = gateway.app.store, gateway.clock.now_ms()
    figures = Figures()
    for outcome in Result:
        key = FigureKey("2007-05-31", "uplink", "100", "161", "help", outcome.value)
        figures.amounts[key] = Amount(1, 1)
    assert await store.fold("test", 1, figures)
    alice, bob = await gateway.handset(ALICE), await gateway.handset(BOB)
    for handset, text in ((alice, "KTFX"), (bob, "KTFX"), (alice, f"HY#{BOB}"), (alice, "BZ"), (alice, "??")):
        await handset.send(text, "161")
        await gateway.settle()
    for n, did in enumerate(Did):
        reason = "reader 200" if did in {Did.ADDED, Did.CHANGED} else ""
        await store.note(AuditEntry(now, f"{n}", did, ALICE, reason, "127.0.0.1"))
    await store.put_account(Account("1", "", Role.READER, HEADQUARTERS, now, disabled=True))
    agent = browser(gateway, Role.ADMINISTRATOR)
    found = await agent.post("/customers", {"number": ALICE})
    first = store.run << 32
    return [found.headers["location"], *(f"/messages/{message_id(first + each)}" for each in range(1, 9))]


PATHS: Final = (
    "/nowhere", "/messages?direction=out", "/messages?handset=1380", "/messages?from=x", "/messages?id=x",
    "/messages/x", "/messages/0000000100000fff", "/customers/x", "/phones/1", f"/phones/{ANN}",
    "/statistics/uplink", "/statistics/uplink?period=week", "/statistics/uplink?from=x",
    "/statistics/nothing", "/statistics?province=999", "/statistics/uplink/csv?table=x",
    "/tables/appendix7", "/tables/nothing", "/tables/zh?page=x", "/tables/zh?provenance=x",
    "/tables/explain?box=text", "/tables/explain?box=route&destination=161&sender=x", "/live/phones",
)  # fmt: skip


@pytest.mark.parametrize("language", ["zh", pytest.param("en", marks=pytest.mark.long)])
async def test_every_page_speaks_one_language(tmp_path: Path, language: str) -> None:
    """Whoever looks, whatever there is, and where something is refused."""
    faults: list[str] = []

    def look(path: str, page: Page) -> None:
        if page.headers.get("content-type", "").startswith("text/html") and page.text:
            faults.extend(f"{path}: {each}" for each in foreign(page.text, language, known))

    async with running_gateway(tmp_path, PHONES) as gateway:
        shown, known = await filled(gateway), names_in(gateway)
        free = [
            page.path
            for section in building.SECTIONS
            for page in section.pages
            if page.kind is PageKind.PAGE and page.method == "GET" and "{" not in page.path
        ]
        visitor = browser(gateway, Role.ADMINISTRATOR)
        for path in (*sorted({*free} - {"/docs"}), *shown, *PATHS):
            look(path, await visitor.get(path, accept_language=language))
        customer = shown[0]
        for path, form in (
            ("/login", {"name": "x"}), ("/account/password", {}), ("/account/end", {"session": "x"}),
            ("/preferences", {}), (customer + "/opened", {}), (customer + "/actions", {}),
            ("/customers", {"number": "x"}), ("/tables/reload", {}), (f"/phones/{ANN}", {}), (shown[1], {}),
        ):  # fmt: skip
            look(path, await visitor.post(path, form, accept_language=language))
            look(path, await visitor.post(path, form, accept_language=language, sec_fetch_site="cross-site"))
            look(path, await visitor.post(path, form, accept_language=language, content_type="text/plain"))
        for role in Role:
            for province in (HEADQUARTERS, "200"):
                other = browser(gateway, role, province)
                for path in ("/account", "/audit", "/phones", "/tables/reload", "/statistics?province=100"):
                    look(f"{role} {path}", await other.get(path, accept_language=language))
        assert not faults, "\n".join(dict.fromkeys(faults))


def test_every_text_is_in_both_languages() -> None:
    """A Chinese one has Chinese words, an English one has none but those that a customer writes."""
    for key, both in load_texts().items():
        words = LATIN.findall(re.sub(r"\{[^}]*\}", "", both["zh"]))
        assert CHINESE.search(both["zh"]) or not words or key in WITHOUT_CHINESE, key
        assert not CHINESE.search(both["en"].replace("是", "")) or key in WITHOUT_CHINESE, key


def test_every_sentence_is_in_both_languages() -> None:
    """Those of a timeline, too: what is English in Chinese is an id or a name."""
    value = re.compile(r"\{[^}]*\}")
    for key, both in texts().items():
        assert not CHINESE.search(both["en"]), key
        words = LATIN.findall(value.sub("", both["zh"]))
        ids = [
            each
            for each in words
            if not re.match(r"limits\.|docs/|fetion-gateway|outbox|retry|drop|MQTT", each)
        ]
        assert ids == [], key
        assert set(value.findall(both["zh"])) == set(value.findall(both["en"])), key
    groups = {
        "outcome": [*Result, PART],
        "action": ACTIONS,
        "answer": [each.value for each in Answer],
        "limited": [each.value for each in Limited],
    }
    assert {f"{group}_{each}" for group, all_ in groups.items() for each in all_} <= set(texts())


def test_every_action_of_the_audit_has_words() -> None:
    """And every action of an agent is one."""
    assert {f"audit.did_{each.name.lower()}" for each in Did} <= set(load_texts())
    assert set(ACTIONS) <= set(Did)


@pytest.mark.parametrize(
    "text",
    [
        *(waiting.NO_RECEIVER, waiting.WINDOW, waiting.RETRIED, waiting.UNANSWERED),
        *(waiting.with_move("", "900"), waiting.with_reason(waiting.NO_RECEIVER, waiting.UNANSWERED)),
        waiting.wait_of(1, None, 0).reason,
        "unanswered 3 times (timeouts, lost sessions)",
        "no receiver of account 900 is bound",
        "no response in time: next attempt",
    ],
)
def test_words_that_the_store_keeps(text: str) -> None:
    """They are told in Chinese; a status stays as it is."""
    assert LATIN.findall(in_language(text, "zh")) == []
    assert in_language(text, "en") == text
    assert in_language("ESME_RTHROTTLED", "zh") == "ESME_RTHROTTLED"
