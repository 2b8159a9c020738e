"""What the kernel was asked, as strace saw it: when was a message on the disk, when was it answered?"""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.load import CHAT

CALLS = ("fsync", "fdatasync", "pwrite64", "write", "writev", "sendto", "sendmsg")

OPTIONS = ("-f", "-D", "-yy", "-xx", "-s", "1000000", "-e", f"trace={','.join(CALLS)}")
"""-D: the gateway stays our own child. -yy: what a descriptor is. -xx, -s: all octets, in hexadecimal."""

_CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\(\d+<(?P<file>[^>]*(?:->[^>]*)?)>(?P<rest>.*)")
_RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>f(?:data)?sync|pwrite64) resumed>")
_OCTETS = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_HEADER = struct.Struct(">IIII")  # SMPP 3.4 section 3.2
_SUBMIT_SM_RESP = 0x80000004
_CHAT = re.compile(CHAT.encode())


@dataclass(slots=True)
class Order:
    """Follows the calls; line numbers are the time.

    on_disk: text of a chat -> where the first sync of the write-ahead log behind it returned.
    answered: message id -> where the write that carries its positive response began. batches: such writes.
    """

    on_disk: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    _written: set[str] = field(default_factory=set)
    _writing: dict[str, set[str]] = field(default_factory=dict)
    _syncing: dict[str, set[str]] = field(default_factory=dict)
    _streams: dict[str, bytes] = field(default_factory=dict)

    def follow(self, lines: Iterable[str]) -> None:
        """Take lines of strace."""
        for number, line in enumerate(lines, 1):
            if (resumed := _RESUMED.match(line)) is not None:
                if resumed["name"] == "pwrite64":
                    self._written |= self._writing.pop(resumed["thread"], set())
                else:
                    self._synced(self._syncing.pop(resumed["thread"], set()), number)
            elif (call := _CALL.match(line)) is not None:
                self._call(call, number)

    def _call(self, call: re.Match[str], number: int) -> None:
        if call["file"].startswith("TCP:"):
            self._sent(call["file"], _octets(call["rest"]), number)
        elif not _plain(call["file"]).endswith(b"-wal"):
            return
        elif call["name"] == "pwrite64":
            texts = {text.decode() for text in _CHAT.findall(_octets(call["rest"]))}
            if call["rest"].endswith("<unfinished ...>"):
                self._writing[call["thread"]] = texts
            else:
                self._written |= texts
        else:
            texts, self._written = self._written, set()
            if call["rest"].endswith("<unfinished ...>"):
                self._syncing[call["thread"]] = texts
            else:
                self._synced(texts, number)

    def _synced(self, texts: set[str], number: int) -> None:
        for text in texts:
            self.on_disk.setdefault(text, number)

    def _sent(self, connection: str, octets: bytes, number: int) -> None:
        """Note the positive submit_sm_resp that end in these octets of the stream."""
        stream = self._streams.get(connection, b"") + octets
        before = len(self.answered)
        while len(stream) >= _HEADER.size:
            length, command, status, _ = _HEADER.unpack_from(stream)
            if len(stream) < length:
                break
            if command == _SUBMIT_SM_RESP and status == 0:
                self.answered[stream[_HEADER.size : length - 1].decode()] = number
            stream = stream[length:]
        self._streams[connection] = stream
        self.batches += len(self.answered) > before


def order_in(trace: Path) -> Order:
    """What the output of strace says."""
    order = Order()
    with trace.open(encoding="ascii") as lines:
        order.follow(line.rstrip("\n") for line in lines)
    return order


def _octets(arguments: str) -> bytes:
    return b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _OCTETS.findall(arguments))


def _plain(name: str) -> bytes:
    """A file name, of which strace writes some characters in hexadecimal."""
    return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), name.encode())
