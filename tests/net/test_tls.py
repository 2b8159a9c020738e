"""Contexts of TLS: what their files may be, and how they follow them."""

import os
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.net.tls import DAY_MS, ClientFiles, Contexts, ServerFiles, TlsFault, load
from tests.net.certificates import Authority, Pair


class Remembers:
    """gateway.net.tls.Told."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def tls_loaded(self, name: str, subject: str, not_after: str) -> None:
        """New connections use them."""
        self.said.append(("loaded", name, subject, not_after))

    def tls_refused(self, name: str, key: str, reason: str) -> None:
        """The ones before stay."""
        self.said.append(("refused", name, key, reason))

    def tls_ending(self, name: str, subject: str, not_after: str, days: int) -> None:
        """Soon over."""
        assert not_after
        self.said.append(("ending", name, subject, days))

    def tls_unverified(self, name: str) -> None:
        """Anybody may be the peer."""
        self.said.append(("unverified", name))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that signs."""
    return Authority(tmp_path)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def refused(files: ServerFiles | ClientFiles) -> tuple[str, str]:
    """The setting and the reason of the refusal."""
    with pytest.raises(TlsFault) as caught:
        load(files)
    return caught.value.key, str(caught.value)


def test_a_server(authority: Authority, tmp_path: Path) -> None:
    """TLS 1.2 at least; with client_ca peers must have a certificate. An empty subject: the first name."""
    pair = authority.sign("here")
    loaded = load(ServerFiles(pair.cert, pair.key))
    assert loaded.own is not None
    assert loaded.own.subject == "CN=here"
    assert (loaded.context.minimum_version, loaded.context.verify_mode) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.CERT_NONE,
    )
    strict = load(ServerFiles(pair.cert, pair.key, authority.file)).context
    assert strict.verify_mode is ssl.CERT_REQUIRED
    nameless = authority.sign("", valid_for=("smpp.example",))
    own = load(ServerFiles(nameless.cert, nameless.key)).own
    assert own is not None
    assert own.subject == "smpp.example"
    assert tmp_path


def test_a_client(authority: Authority) -> None:
    """It verifies the peer and its name, unless told not to."""
    for files in (ClientFiles(), ClientFiles(authority.file)):
        context = load(files).context
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    trusting = load(ClientFiles(verify=False)).context
    assert (trusting.check_hostname, trusting.verify_mode) == (False, ssl.CERT_NONE)
    pair = authority.sign("we")
    assert load(ClientFiles(authority.file, pair.cert, pair.key)).own is not None


def test_files_that_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    """The setting, the file, the reason and the remedy."""
    one, other = authority.sign("one"), authority.sign("other")
    locked = authority.sign("locked", password=b"hush")
    text = tmp_path / "text"
    text.write_text("nothing")
    broken = tmp_path / "broken"
    broken.write_bytes(one.cert.read_bytes()[:200] + b"\n-----END CERTIFICATE-----\n")
    missing = tmp_path / "missing"
    for files, key, words in (
        (ServerFiles(one.cert, other.key), "key", f"{other.key}: is not the key of {one.cert}"),
        (ServerFiles(locked.cert, locked.key), "key", f"{locked.key}: is encrypted"),
        (ServerFiles(one.key, one.key), "cert", f"{one.key}: has no certificate in PEM form"),
        (ServerFiles(one.cert, one.cert), "key", f"{one.cert}: has no private key in PEM form"),
        (ServerFiles(text, one.key), "cert", "has no certificate in PEM form"),
        (ServerFiles(broken, one.key), "cert", "has no certificate in PEM form"),
        (ServerFiles(missing, one.key), "cert", "missing: cannot be read: No such file"),
        (ServerFiles(one.cert, missing), "key", "missing: cannot be read: No such file"),
        (ServerFiles(one.cert, tmp_path), "key", "cannot be read: Is a directory"),
        (ServerFiles(one.cert, one.key, text), "client_ca", "text: has no certificates in PEM form"),
        (ServerFiles(one.cert, one.key, missing), "client_ca", "missing: cannot be read"),
        (ClientFiles(missing), "ca", "missing: cannot be read"),
        (ClientFiles(text), "ca", "has no certificates"),
        (ClientFiles(None, one.cert, other.key), "key", "is not the key of"),
    ):
        named, reason = refused(files)
        assert named == key
        assert words in reason


def replace(pair: Pair, by: Pair) -> None:
    """Put other files in the place of a pair, as somebody does it later."""
    by.copy_to(pair)
    later = pair.cert.stat().st_mtime_ns + 1_000_000_000
    os.utime(pair.cert, ns=(later, later))


def test_they_follow_their_files(authority: Authority) -> None:
    """Files that have changed are read, once; those that cannot be used change nothing, and say so once."""
    told, used = Remembers(), authority.sign("used")
    contexts = Contexts("listener", ServerFiles(used.cert, used.key), told)
    contexts.tell()
    first = contexts()
    contexts.follow(now_ms())
    assert contexts() is first
    replace(used, by=authority.sign("newer"))
    for _ in range(2):
        contexts.follow(now_ms())
    second = contexts()
    assert second is not first
    assert [said[:3] for said in told.said] == [
        ("loaded", "listener", "CN=used"),
        ("loaded", "listener", "CN=newer"),
    ]
    told.said.clear()
    used.key.write_bytes(authority.sign("wrong").key.read_bytes())
    for _ in range(2):
        contexts.follow(now_ms())
    used.key.unlink()
    contexts.follow(now_ms())
    assert [said[:3] for said in told.said] == [("refused", "listener", "key")] * 2
    assert contexts() is second
    replace(used, by=authority.sign("third"))
    contexts.follow(now_ms())
    assert contexts() not in (first, second)


def test_again_by_a_signal(authority: Authority) -> None:
    """On demand they are read although they look the same."""
    told, used = Remembers(), authority.sign("used")
    contexts = Contexts("listener", ServerFiles(used.cert, used.key), told)
    first = contexts()
    contexts.follow(now_ms(), again=True)
    assert contexts() is not first


def test_an_expired_one(authority: Authority) -> None:
    """One that has expired does not replace one that is valid; one that expires in use is warned of."""
    told, used = Remembers(), authority.sign("used", days=15.5)
    contexts = Contexts("listener", ServerFiles(used.cert, used.key), told)
    start = now_ms()
    contexts.follow(start)
    assert told.said == []
    for hours in (36, 37, 59, 61, 24 * 16):
        contexts.follow(start + hours * DAY_MS // 24)
    assert told.said == [
        ("ending", "listener", "CN=used", 13),
        ("ending", "listener", "CN=used", 12),
        ("ending", "listener", "CN=used", -1),
    ]
    told.said.clear()
    replace(used, by=authority.sign("old", days=-1))
    contexts.follow(start)
    [said] = told.said
    assert said[:3] == ("refused", "listener", "cert")
    assert "has expired at 20" in said[3]


def test_what_was_refused_is_tried_again(authority: Authority) -> None:
    """A certificate that is not valid yet is used as soon as it is, without a touch of its files; why not is
    said once, and again on demand."""
    told, used = Remembers(), authority.sign("used")
    contexts = Contexts("listener", ServerFiles(used.cert, used.key), told)
    first, before = contexts(), now_ms() - 10 * DAY_MS
    replace(used, by=authority.sign("tomorrow"))
    for _ in range(3):
        contexts.follow(before)
    contexts.follow(before, again=True)
    assert [said[:3] for said in told.said] == [("refused", "listener", "cert")] * 2
    assert "not valid yet" in told.said[0][3]
    assert contexts() is first
    told.said.clear()
    for _ in range(2):
        contexts.follow(now_ms())
    assert [said[:3] for said in told.said] == [("loaded", "listener", "CN=tomorrow")]
    assert contexts() is not first


def test_an_unverified_peer_is_said(authority: Authority) -> None:
    """verify: false has a line of its own."""
    told = Remembers()
    Contexts("north", ClientFiles(verify=False), told).tell()
    Contexts("south", ClientFiles(authority.file), told).tell()
    assert told.said == [
        ("loaded", "north", "", ""),
        ("unverified", "north"),
        ("loaded", "south", "", ""),
    ]
