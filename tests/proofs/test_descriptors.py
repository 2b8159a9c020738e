"""`serve` when its file descriptors are used up: it says so, goes on, and takes connections again."""

import asyncio
import contextlib
import os
import resource
import socket
from pathlib import Path

from tests.proofs.served import accepted, bind, delivered, events, lines, serving, sms, until, write_config


async def test_no_descriptor_is_free(tmp_path: Path) -> None:
    """With an empty table a line names the fault and the remedy; who is bound is served; whoever dialled
    meanwhile is let in as soon as there is room, and that is said too."""
    config = write_config(tmp_path, smpp={"listen": {"port": 0}, "timers": {"session_init": 60}})
    async with serving(config) as gateway, await bind(gateway.port) as centre:
        pid = gateway.process.pid
        await until(lambda: "bind.accepted" in events(gateway.log), "the bind")
        used = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        with contextlib.ExitStack() as holding:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 3, hard))
            free = used + 3 - len(os.listdir(f"/proc/{pid}/fd"))
            for _ in range(free + 2):
                holding.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            late = asyncio.create_task(bind(gateway.port))
            await until(lambda: "accept.failed" in events(gateway.log), "the line")
            await accepted(centre, sms("13800138000", "161", "KTFX"))
            await delivered(centre)
            assert not late.done()
        async with await late:
            pass
        await until(lambda: "accept.recovered" in events(gateway.log), "the end of it")
        [told] = [line for line in lines(gateway.log) if line["event"] == "accept.failed"]
        assert told["level"] == "error"
        assert told["reason"] == "Too many open files"
        assert told["open_files_limit"] == used + 3
        assert "ulimit -n" in told["remedy"]
        assert await gateway.stop() == 0
    assert gateway.stderr == ""
