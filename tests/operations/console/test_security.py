"""Hosts, origins, bugs of pages, and bodies, over real sockets."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from gateway.operations.console.hosts import Hosts, name_of
from gateway.operations.console.page import Visit
from gateway.operations.console.pages import tables
from gateway.operations.console.rights import Role
from gateway.operations.console.settings import Console, ConsoleListen
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, Browser, browser, logged_in


async def raw(port: int, octets: bytes) -> bytes:
    """Send octets as they are; what comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(octets)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def port_of(gateway: RunningGateway) -> int:
    """Of the console."""
    assert gateway.app.console is not None
    return gateway.app.console.port


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:1", True),
        ("localhost", True),
        ("LOCALHOST.:8161", True),
        ("[::1]:8161", True),
        ("[::1]", True),
        ("console.example.net", True),
        ("10.1.2.3:8161", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("", False),
        ("10.1.2.4", False),
    ],
)
def test_hosts(host: str, known: bool) -> None:
    """Loopback, the configured names, and the address where the request arrived; whatever the port."""
    hosts = Hosts(Console(listen=ConsoleListen(host="0.0.0.0"), names=("Console.example.net",)))  # noqa: S104
    assert hosts.knows([host], "10.1.2.3") is known


def test_one_host_is_named() -> None:
    """A request names one host: none, or two, is refused."""
    hosts = Hosts(Console())
    assert not hosts.knows([], "127.0.0.1")
    assert not hosts.knows(["localhost", "localhost"], "127.0.0.1")


@given(st.text())
def test_any_host_is_read(host: str) -> None:
    """Nothing that somebody sends breaks it, and a port never makes another name."""
    assert name_of(name_of(host)) in {name_of(host), name_of(host).rpartition(":")[0]}


async def test_a_foreign_host_is_refused(tmp_path: Path) -> None:
    """Also for files and for the login: a page of another name (DNS rebinding) reads nothing."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        for path in ("/", "/login", "/static/console.css", "/nowhere"):
            answer = await browser(gateway, Role.ADMINISTRATOR).get(path, host="evil.example")
            # The rig sends a Host of its own as well: two are as bad as a foreign one.
            assert answer.status == 421, path
        begin, end = b"GET /login HTTP/1.1\r\n", b"connection: close\r\n\r\n"
        foreign = await raw(port_of(gateway), begin + b"host: evil.example\r\n" + end)
        missing = await raw(port_of(gateway), begin + end)
    assert foreign.startswith(b"HTTP/1.1 421 ")
    assert b"console.names" in foreign
    assert missing.startswith(b"HTTP/1.1 421 ")


ORIGINS: Final[list[tuple[dict[str, str], int]]] = [
    ({"sec_fetch_site": "same-origin"}, 303),
    ({"sec_fetch_site": "cross-site"}, 403),
    ({"sec_fetch_site": "same-site"}, 403),
    ({"sec_fetch_site": "none"}, 403),
    ({"origin": "http://127.0.0.1:{port}"}, 303),
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://[:"}, 403),
    ({"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:{port}"}, 403),
    ({}, 403),
]
"""Headers of a POST, and its answer."""


async def test_what_changes_something_comes_from_our_pages(tmp_path: Path) -> None:
    """By Sec-Fetch-Site, else by Origin; with neither it is refused, logged in or not."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        for headers, status in ORIGINS:
            given = {name: value.format(port=ada.port) for name, value in headers.items()}
            kind = {"content_type": "application/x-www-form-urlencoded"}
            answer = await ada._ask("POST", "/preferences", {**kind, **given}, b"language=en")
            assert answer.status == status, headers


async def test_a_machine_needs_no_origin(tmp_path: Path) -> None:
    """With a header Authorization: no other site can make a browser send one. Then no cookie counts."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        answer = await ada._ask("POST", "/account/end", {"authorization": "Bearer no"}, b"session=00")
        assert (answer.status, answer.headers["location"]) == (303, "/login?next=/")


async def test_a_bug_of_a_page(tmp_path: Path) -> None:
    """The browser gets a number, the log the exception with that number, and the gateway goes on."""

    async def bug(visit: Visit) -> Response:
        raise RuntimeError(f"secret of {visit.viewer.name}")

    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        console = gateway.app.console
        assert console is not None
        page = next(each for each in console.application.pages if each.path == "/tables")
        object.__setattr__(page, "endpoint", bug)
        try:
            answer = await ada.get("/tables", accept_language="en")
        finally:
            object.__setattr__(page, "endpoint", tables.show)
        assert answer.status == 500
        assert "secret" not in answer.text
        number = answer.text.partition("<code>")[2].partition("</code>")[0]
        assert (await ada.get("/account")).status == 200
        log = gateway.log_file().read_text("utf-8")
    line = next(each for each in log.splitlines() if '"console.fault"' in each)
    assert number in line
    assert "secret of ada" in line


async def test_bodies_are_bounded(tmp_path: Path) -> None:
    """Said in advance or not; what is no form, is none."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        visitor = Browser(port_of(gateway))
        assert (await visitor.post("/login", {"name": "a" * 70_000})).status == 413
        head = b"POST /login HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n"
        kind = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        chunks = b"10000\r\n" + b"a" * 65_536 + b"\r\n1\r\na\r\n0\r\n\r\n"
        assert (await raw(visitor.port, head + kind + chunks)).startswith(b"HTTP/1.1 413 ")
        assert (await visitor.post_json("/login", {})).status == 415
        form = {"content_type": "application/x-www-form-urlencoded", "sec_fetch_site": "same-origin"}
        assert (await visitor._ask("POST", "/login", form, b"name=%ff")).status == 400
        assert (await visitor._ask("POST", "/login", form, b"a=&" * 600)).status == 400
        assert (await visitor._ask("POST", "/login", form, b"name=a%00")).status == 400
        assert (await visitor.post("/login", {"name": "飞信 ' OR 1=1 --", "password": "x"})).status == 401


NO_REQUESTS: Final = (
    b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000,
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5_000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET http://evil.example HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x01",
)


async def test_what_is_no_request(tmp_path: Path) -> None:
    """Too large a head, TLS, SMPP: it is answered with the headers of every answer, and closed."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        for octets in NO_REQUESTS:
            answer = await raw(port_of(gateway), octets)
            assert answer.split()[1] in {b"400", b"431"}, octets[:40]
            assert b"content-security-policy" in answer
        assert (await Browser(port_of(gateway)).get("/login")).status == 200


async def test_paths_do_not_leave_the_folder(tmp_path: Path) -> None:
    """However they are written; what the system cannot look up is not there."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        visitor = Browser(port_of(gateway))
        for path in (
            "/static/../page.py",
            "/static/%2e%2e/page.py",
            "/static/..%2fpage.py",
            "/static//etc/passwd",
            "/static/%00",
            "/static/" + "a" * 900,
        ):
            assert (await visitor.get(path)).status == 404, path
