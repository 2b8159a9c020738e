"""The console of the demo: a free port, and an account that works."""

import socket
from pathlib import Path

from gateway.cli.demo_console import NAME, PHONES, console_settings, visitor
from gateway.operations.console.settings import Console, ConsoleListen
from gateway.testing import CHEAP, running_gateway
from tests.operations.console.browser import CONSOLE, Browser


def test_a_port_in_use_is_left_alone() -> None:
    """Another demo may run: then any free port; with --once always."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        console = Console(listen=ConsoleListen(port=port))
        busy = console_settings(console, free_port=False)
    free = console_settings(console, free_port=False)
    assert busy.listen is not None
    assert busy.listen.port == 0
    assert free.listen is not None
    assert free.listen.port == port
    assert free.phones == (PHONES,)
    once = console_settings(console, free_port=True).listen
    assert once is not None
    assert once.port == 0
    assert console_settings(Console(listen=None), free_port=True).listen is None


async def test_what_the_demo_prints_logs_in(tmp_path: Path) -> None:
    """Address, account and password."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        line = await visitor(gateway.app, CHEAP)
        url, _, name, _, password = line.split()
        assert name == NAME
        answer = await Browser(int(url.rpartition(":")[2])).post(
            "/login", {"name": name, "password": password}
        )
        assert answer.status == 303
    async with running_gateway(tmp_path, {"console": {"listen": None}}) as without:
        assert await visitor(without.app, CHEAP) == ""
