"""The gateway's process in a soak: its log can be left unread for a while, and its memory is looked at."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

from tests.crash.process import GatewayProcess

PAGE = os.sysconf("SC_PAGE_SIZE")

EVERYDAY = (b'"sms.handled"', b'"sms.sent"', b'"sms.rejected"', b'"sms.duplicate"', b'"outbox.deferred"')
"""Events that are counted and not kept: there is one for each SMS."""

STANDARD_ERROR = b"fetion-gateway: the log takes no lines"
"""What the gateway says on standard error while nobody reads its log."""


class SoakedProcess(GatewayProcess):
    """events: lines of the log by their event. lost: as the last log.lost said. While `flowing` is not set,
    nobody reads the log."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.events: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.lost = 0
        super().__init__(process, log)

    @property
    def resident(self) -> int:
        """Octets of its memory that are in RAM; 0 when it is gone."""
        try:
            fields = Path(f"/proc/{self._process.pid}/statm").read_text("ascii").split()
        except OSError:
            return 0
        return int(fields[1]) * PAGE

    async def died(self) -> int:
        """Its end; what it said is read first."""
        self.flowing.set()
        return await super().died()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with self._log.open("ab", buffering=0) as log:
            async for line in self._process.stdout:
                await self.flowing.wait()
                event = self._count(line)
                if event not in EVERYDAY:
                    log.write(line)
        if not self._port.done():
            self._port.set_exception(RuntimeError(f"it did not start: {self._log.read_text('utf-8')}"))

    def _count(self, line: bytes) -> bytes:
        """Note what a line says; gives its event when that is an everyday one."""
        for event in EVERYDAY:
            if event in line:
                self.events[event.decode().strip('"')] += 1
                return event
        if not line.startswith(b"{"):
            self.events["not from the log"] += 1
            return line
        if STANDARD_ERROR in line:
            # Both outputs are one pipe here: what a full pipe took of a line stands before it.
            self.events["a line cut by standard error"] += 1
            return line
        told = json.loads(line)
        name = str(told["event"])
        self.events[name] += 1
        if name == "log.lost":
            self.lost = int(told["total"])
        elif name == "bind.closed":
            self.reasons[str(told["reason"])] += 1
        elif name == "gateway.ready" and not self._port.done():
            self._port.set_result(int(told["smpp_port"]))
        return line
