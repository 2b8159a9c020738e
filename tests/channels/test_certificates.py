"""The certificate of a running gateway follows its files; what is not verified is said."""

import os
from pathlib import Path

import pytest

from gateway.channels.smpp.certificates import TlsFault, of_link, of_listener
from gateway.channels.smpp.settings import ClientTls, LinkSettings, ServerTls
from tests.net.certificates import Authority
from tests.net.dialling import believing, dial
from tests.net.test_tls import Remembers
from tests.proofs.served import inside, lines, write_config


async def test_housekeeping_looks_at_the_files(tmp_path: Path) -> None:
    """Without a signal: the next housekeeping uses new files; a bind that stands goes on."""
    authority = Authority(tmp_path)
    used = authority.sign("used")
    tls = {"cert": "used.cert", "key": "used.key"}
    config = write_config(tmp_path, smpp={"listen": {"port": 0, "tls": tls}})
    async with (
        inside(config) as gateway,
        dial(gateway.port, tls=believing(authority)) as before,
    ):
        assert (await before.bind()).command_status == 0
        authority.sign("later").copy_to(used)
        moved = used.cert.stat().st_mtime_ns + 1_000_000_000
        os.utime(used.cert, ns=(moved, moved))
        await gateway.tick(housekeeping=True)
        async with dial(gateway.port, tls=believing(authority)) as after:
            assert (await after.bind()).command_status == 0
            assert len(gateway.binds.all()) == 2
    loaded = [line["subject"] for line in lines(tmp_path / "gateway.log") if line["event"] == "tls.loaded"]
    assert loaded == ["CN=used", "CN=later"]


def test_of_settings(tmp_path: Path) -> None:
    """No TLS, no context; a link's has the name of the link."""
    authority, told = Authority(tmp_path), Remembers()
    pair = authority.sign("we")
    assert of_listener(None, told) is None
    link = LinkSettings.model_validate(
        {"name": "north", "host": "192.0.2.1", "system_id": "fetion", "password": "secret"}
    )
    assert of_link(link, told) is None
    link = link.model_copy(update={"tls": ClientTls(ca=authority.file, verify=False)})
    contexts = of_link(link, told)
    assert contexts is not None
    contexts.tell()
    assert told.said == [("loaded", "north", "", ""), ("unverified", "north")]
    with pytest.raises(TlsFault, match="has no private key"):
        of_listener(ServerTls(cert=pair.cert, key=pair.cert), told)
