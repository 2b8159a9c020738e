"""What somebody hostile writes wherever a gateway takes something from a stranger, and how to see in a
browser that it stays text."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.async_api import ConsoleMessage, Dialog, Page, Request

from gateway.simulator.handset import Account, Centre
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindTransceiver, SubmitSm
from gateway.testing import RunningGateway
from tests.browsing.rig import OVERFLOW
from tests.browsing.sample import ALICE, BOB
from tests.channels.phones import ANN, BEN, PHONES, writes
from tests.operations.swapped import UNLIMITED
from tests.support import Wire

ABROAD: Final = "hostile.example"
"""A host that no page may ask anything of."""
NAME: Final = "<u q>"
"""Fits wherever something fits. Whatever is planted has the attribute q, if it becomes an element."""
SYSTEM_ID: Final = "a<u q>'\"{{6*7}}"
TURNED: Final = "\u202edlrow\u202d\u2066\u202e"
"""Text of which whatever stands behind it is turned around, where nothing ends that."""
MARKUP: Final = (
    f"<script q src=//{ABROAD}/a.js></script><script q>alert(1)</script>",
    f"</script></title></textarea></template><img q src=//{ABROAD}/a.png onerror=alert(1)>",
    f'"><svg q onload=alert(1)><a q href=javascript:alert(1)>x</a><base q href=//{ABROAD}/>',
    "' q onmouseover=alert(1) autofocus onfocus='alert(1)' x=\" q onfocus=alert(1) \"",
    "{{ 7777*7 }}{% raw %}${7777*7}<%= 7777*7 %>&lt;u q&gt;&#60;u q&#62;",
    f"\x00\x01\x1b[31m\x7f\x85\u2028\ufeff\ufffe{TURNED}",
)
WORKED_OUT: Final = str(7777 * 7)
"""What a page has on it where the text of somebody was taken for a template."""
EVERYTHING: Final = "".join(MARKUP)
REASON: Final = "".join(MARKUP[:3])[:200]
"""As long as the reason of an action may be."""
LONGEST: Final = NAME + 10_000 * "W"
CONFIG: Final[Mapping[str, Any]] = {
    **PHONES,
    "limits": UNLIMITED,
    "tables": {"folder": "tables"},
    "smpp": {
        "accounts": [
            {"system_id": "smsc", "password": "fetion16", "default": True},
            {"system_id": SYSTEM_ID, "password": "fetion16"},
        ]
    },
}

WATCH: Final = """
window.planted = [];
addEventListener("securitypolicyviolation", (event) =>
  window.planted.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
LOOK: Final = """(worked) => {
  const found = [...window.planted];
  const made = "[q], [onfocus], [onload], [onerror], [onmouseover], base, svg a";
  for (const each of document.querySelectorAll(made))
    found.push(`planted: ${each.outerHTML.slice(0, 120)}`);
  for (const each of document.querySelectorAll("[href], [src], [action], [formaction]"))
    for (const name of ["href", "src", "action", "formaction"])
      if (each.hasAttribute(name) && new URL(each.getAttribute(name), location).origin !== location.origin)
        found.push(`leads away: ${each.outerHTML.slice(0, 120)}`);
  if (document.documentElement.textContent.includes(worked)) found.push("a template was worked out");
  const turning = /[\\u202a-\\u202e\\u2066-\\u2069]/g;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    if (texts.currentNode.data.search(turning) < 0) continue;
    let around = texts.currentNode.parentElement;
    const own = () => getComputedStyle(around);
    while (own().display === "inline" && own().unicodeBidi === "normal") around = around.parentElement;
    if (around.textContent.split(turning).at(-1).trim())
      found.push(`turns what is behind it: ${around.outerHTML.slice(-200)}`);
  }
  return found;
}"""
"""What became of it on a page: an element, a link, a sum, or text that turns the text beside it around."""


def write_tables(folder: Path, shipped: Path) -> None:
    """An operator's tables with a word and a reason that somebody hostile wrote."""
    folder.mkdir(parents=True)
    text = (shipped / "appendix8.yaml").read_text("utf-8")
    ground = 'ground: "the word that NC abbreviates"'
    assert ground in text
    written = "".join(each if each.isprintable() else "" for each in EVERYTHING).replace("'", "''")
    (folder / "appendix8.yaml").write_text(text.replace(ground, f"ground: '{written}'"), "utf-8")


async def centre_of(gateway: RunningGateway) -> Centre:
    """Bind under a name that nobody good has."""
    where = Account(gateway.account.host, gateway.account.port, SYSTEM_ID, "fetion16")
    return await Centre.connect(where, [ALICE, BOB])


async def plant(gateway: RunningGateway) -> tuple[str, ...]:
    """Everything that a stranger can write: addresses, names, texts, passwords, of handsets and of binds.

    Gives the ids of the SMS with the worst texts.
    """
    for text in ("KTFX", f"NC#{NAME}", f"QM#{MARKUP[0][:30]}", f"HY#{BOB}#{NAME}", f"MM {NAME}12"):
        await writes(gateway, ANN, text)
    await writes(gateway, BEN, "KTFX")
    await writes(gateway, ANN, f"HY#{BEN}#{NAME}")
    worst = [(await writes(gateway, ANN, EVERYTHING)).message_id]
    async with await centre_of(gateway) as centre:
        alice = centre.handsets[ALICE]
        for text in ("KTFX", f"NC#{NAME}", f"P{NAME}"):
            await alice.send(text, "161")
        worst.append(await alice.send(EVERYTHING, "161"))
        worst.append(await alice.send(LONGEST, "161"))
        bob = centre.handsets[BOB]
        await bob.send("KTFX", "161")
        await alice.send(f"HY#{BOB}#{NAME}", "161")
        question = await bob.expect(re.escape(NAME))
        await bob.send("是", question.sender)
        worst.append(await alice.send(MARKUP[1], f"12520{BOB}"))
        await bob.expect(re.escape(MARKUP[1]))
    await refused(gateway, BindTransceiver(system_id=NAME + "'\"{{1}}", password=NAME, sequence_number=1))
    for source, destination in ((NAME, "161"), (ALICE, "16' q x='<u q>"), ("<svg q>", NAME)):
        sms = SubmitSm(
            source_addr=source, destination_addr=destination, short_message=b"x", sequence_number=2
        )
        await refused(gateway, BindTransceiver(system_id="smsc", password="fetion16", sequence_number=1), sms)
    gateway.app.observer.link_failed("north", EVERYTHING, "transceiver", EVERYTHING, 1, 1.0)
    return tuple(worst)


async def refused(gateway: RunningGateway, *pdus: Pdu) -> None:
    """Send requests of which the last one is refused."""
    async with Wire.to(gateway.account.port) as wire:
        for pdu in pdus:
            wire.send(pdu)
            answer = await wire.read()
        assert answer is not None
        assert answer.command_status


BEGINNINGS: Final = (
    *("/messages?handset=", "/messages?from=", "/messages?instruction=", "/messages?result="),
    *("/messages?before=", "/tables/appendix8?find=", "/tables/appendix8?provenance=", "/audit?before="),
    *("/tables/explain?box=text&destination=161&text=", "/tables/explain?box=route&destination="),
    *("/statistics?figure=", "/statistics?province=", "/statistics/uplink?period=", "/login?next="),
    *("/nowhere/", "/messages/", "/customers/", "/tables/", f"/phones/{ANN}?with="),
)
"""Addresses of pages that repeat what stands behind."""


def addresses(value: str) -> list[str]:
    """Pages that are asked for it."""
    return [begin + quote(value, safe="") for begin in BEGINNINGS]


class Watcher:
    """Sees whatever a page does that it was not made for. Make it before the page is opened."""

    def __init__(self, page: Page, where: str) -> None:
        self.faults: list[str] = []
        self._page = page
        self._where = where
        page.on("dialog", self._dialog)
        page.on("console", lambda said: self._said(said))
        page.on("pageerror", lambda error: self.faults.append(f"{page.url[:80]}: {error}"))
        page.on("request", self._asked)

    async def opens(self, path: str) -> None:
        """Open a page, and look at it."""
        await self._page.goto(self._where + path)
        await self.looks(path)

    async def looks(self, path: str) -> None:
        """Look at the page that is open."""
        found: list[str] = await self._page.evaluate(LOOK, WORKED_OUT)
        if wider := await self._page.evaluate(OVERFLOW):
            found.append(f"{wider} pixels too wide")
        self.faults += [f"{path[:80]}: {each}" for each in found]

    def _said(self, said: ConsoleMessage) -> None:
        if said.type == "error" and "server responded" not in said.text:
            self.faults.append(f"{self._page.url[:80]}: {said.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(self._where):
            self.faults.append(f"{self._page.url[:80]}: asks {request.url[:80]}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"{self._page.url[:80]}: a dialog")
        await dialog.dismiss()
