"""`links list|pause|resume`, and what `binds`, `status` and `pdus` show of links."""

import json
from pathlib import Path

import pytest

from gateway.inbound.disclosure import Disclosure
from gateway.operations.smpp_pdus import smpp_pdus
from tests.channels.small_centre import SmallCentre
from tests.channels.test_links import link, mo
from tests.cli.test_inspect import ask
from tests.proofs.served import inside, until, write_config


async def test_links_are_listed_paused_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each bind of a link has a line; a link that there is not exits 1 and says which there are."""
    async with SmallCentre() as centre:
        links = [link(centre, bind="pair"), link(centre, name="south", paused=True)]
        config = write_config(tmp_path, smpp={"links": links})
        async with inside(config) as gateway:
            await until(lambda: len(gateway.binds.all()) == 2, "the pair")
            code, out, _ = await ask(capsys, config, "links", "list", "--json")
            rows = [json.loads(line) for line in out.splitlines()]
            assert code == 0
            assert [(row["name"], row["mode"], row["state"]) for row in rows] == [
                ("north", "receiver", "bound"),
                ("north", "transmitter", "bound"),
                ("south", "transceiver", "paused"),
            ]
            assert rows[0]["remote"] == f"127.0.0.1:{centre.port}"
            assert {row["session"] for row in rows[:2]} == {bind.number for bind in gateway.binds.all()}
            _, out, _ = await ask(capsys, config, "links", "list")
            assert out.splitlines()[0].split()[:4] == ["NAME", "CENTRE", "MODE", "STATE"]
            assert len(out.splitlines()) == 4
            _, out, _ = await ask(capsys, config, "binds")
            assert [line.split()[-1] for line in out.splitlines()] == ["LINK", "north", "north"]
            _, out, _ = await ask(capsys, config, "status")
            assert f"links     north, receiver: bound at 127.0.0.1:{centre.port}, 0 s" in out
            assert "links     south, transceiver: paused" in out
            assert (await ask(capsys, config, "links", "resume", "south"))[:2] == (0, "south  dials\n")
            await until(lambda: len(gateway.binds.all()) == 3, "the other link")
            code, out, _ = await ask(capsys, config, "links", "pause", "south", "--json")
            assert (code, json.loads(out)) == (0, {"name": "south", "state": "unbinds"})
            await until(lambda: len(gateway.binds.all()) == 2, "the end of the other link")
            code, _, err = await ask(capsys, config, "links", "pause", "east")
            assert (code, "no link 'east'; there are: north, south" in err) == (1, True)


async def test_without_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to list, and nothing to pause."""
    config = write_config(tmp_path)
    async with inside(config):
        assert (await ask(capsys, config, "links", "list"))[1].startswith("no links: smpp.links")
        assert await ask(capsys, config, "links", "list", "--json") == (0, "", "")
        code, _, err = await ask(capsys, config, "links", "pause", "north")
        assert (code, "smpp.links of its configuration is empty" in err) == (1, True)
    code, _, err = await ask(capsys, config, "links", "list")
    assert (code, "no gateway runs on" in err) == (1, True)


async def test_pdus_of_a_centre(tmp_path: Path) -> None:
    """The PDUs of a link pass under the account of its centre; what may hold a password is not shown."""
    async with SmallCentre() as centre:
        config = write_config(tmp_path, smpp={"links": [link(centre, centre="beijing")]})
        async with inside(config) as gateway:
            peer = await centre.bound()
            await until(lambda: gateway.binds.all(), "the bind")
            disclosure = Disclosure(gateway._in_force)
            watchable = smpp_pdus(gateway._smpp, gateway.settings, disclosure, lambda: 0)._watchable
            watch = watchable.watch("beijing", "", octets=True)
            peer.send(mo("P 123456", to="12520"), mo())
            for _ in range(2):
                assert (await peer.answer()).command_status == 0
                await peer.submit()
            await gateway.drained()
            shown = watch.take(100)
            watch.close()
            assert {each["account"] for each in shown} == {"beijing"}
            came = [each for each in shown if each["command"] == "deliver_sm"]
            assert [(each.get("text"), bool(each["hidden"])) for each in came] == [
                (None, True),
                ("KTFX", False),
            ]
            assert b"123456".hex() not in "".join(each["hex"] for each in shown)
            left = [each for each in shown if each["command"] == "submit_sm"]
            assert ["飞信" in each.get("text", "") or bool(each["hidden"]) for each in left] == [True, True]
