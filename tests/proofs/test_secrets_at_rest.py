"""Passwords as an intruder would look for them: in every file that the gateway has written."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from argon2.exceptions import HashingError

from commands.model import Given, Instruction, Outcome, World
from gateway.cli.main import main
from gateway.simulator.errors import BindRefusedError
from gateway.simulator.esme import Esme
from gateway.smpp.codec import encode
from gateway.smpp.pdus import BindTransceiver, DataSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from tests.proofs.canaries import LEAST, Snapshot, encodings, forms, found, snapshot, writings
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    accepted,
    bind,
    delivered,
    handle_with,
    inside,
    raw,
    rows,
    serving,
    sms,
    text_of,
    write_config,
)

PASSWORDS = "12520050"
CHAT = "Chat7planted@x"
"""A text that is no secret: the same search must find it."""
WRONG_BIND_PASSWORD = "Bind8bad"
BROKEN = "Broken51can"
GENERATED = re.compile(r"新密码是(\w{8})，")
EVERYBODY = {f"who{number}": f"1380013800{number}" for number in range(10)}
ASKING, LATE, UNOPENED, CROWDED = "13800138000", "13800138001", "13900139000", "13800138002"


def planted() -> Iterator[tuple[str, int, SubmitSm | DataSm]]:
    """Everything secret that a handset may send: the canary, the answer that it gets, the SMS."""
    ok, refused = CommandStatus.ROK, CommandStatus.RINVMSGLEN
    whole: dict[str, SubmitSm | DataSm] = {
        "Gsm7_canary@1": sms("13800138003", PASSWORDS, "Gsm7_canary@1"),
        "Ucs2_canary@2": sms("13800138003", PASSWORDS, "Ucs2_canary@2", 8),
        "Ascii_canary3": sms("13800138003", PASSWORDS, "Ascii_canary3", 1),
        "8bit4": sms("13800138003", PASSWORDS, "8bit4"),
        "Long_canary@5_too_long": sms("13800138004", PASSWORDS, "Long_canary@5_too_long"),
        "Ｗｉｄｅ＿ｃａｎ６": sms("13800138004", PASSWORDS, "Ｗｉｄｅ＿ｃａｎ６", 8),
        "我的密码七长城": sms("13800138004", PASSWORDS, "我的密码七长城", 8),
        "Two words8x": sms("13800138004", PASSWORDS, "Two words8x"),
        "Unopened9_can": sms(UNOPENED, PASSWORDS, "Unopened9_can"),
        "Doubt27_can": sms("13800138004", PASSWORDS, "Doubt27_can@"),  # ends in 0x00
        "Payload11@can": SubmitSm(
            source_addr="13800138005",
            destination_addr=PASSWORDS,
            data_coding=1,
            tlvs={MESSAGE_PAYLOAD: b"Payload11@can"},
        ),
        "Datasm12_can@": DataSm(
            source_addr="13800138005",
            destination_addr=PASSWORDS,
            data_coding=1,
            tlvs={MESSAGE_PAYLOAD: b"Datasm12_can@"},
        ),
        "Spaced13_can": sms("13800138006", "12520", "P Spaced13_can"),
        "Glued14can": sms("13800138006", "12520", "PGlued14can"),
        "Hash15_can@": sms("13800138006", "161", "P#Hash15_can@", 8),
        "Hotline16can": sms("13800138006", "10086", "p Hotline16can"),
        "Answer17can": sms("13800138006", "1252003300001", "P Answer17can"),
        "Token18can": sms("13800138007", "12520", "Token18can"),
        "Lines19can": sms("13800138007", "12520", "\n Lines19can \n", 8),
    }
    yield from ((canary, ok, request) for canary, request in whole.items())
    yield "Nomobile10can", CommandStatus.RINVSRCADR, sms("10658", PASSWORDS, "Nomobile10can")
    for number in range(6):  # more than a handset may set in a minute
        yield f"Crowd2{number}_can", ok, sms(CROWDED, PASSWORDS, f"Crowd2{number}_can")
    for number in (1, 2):
        yield f"Part3{number}_can", refused, parted("13800138008", PASSWORDS, number, f"Part3{number}_can")
    yield "Waiting41can", ok, parted("13800138008", "12520", 2, "Waiting41can")
    yield "Joined42can", ok, parted("13800138009", "12520", 2, "Joined42can")
    yield "Joined42can", ok, parted("13800138009", "12520", 1, "P ")


def parted(sender: str, to: str, number: int, text: str) -> SubmitSm:
    """One of two parts of a long SMS (3GPP 23.040 section 9.2.3.24.1)."""
    header = bytes((5, 0, 3, 77, 2, number))
    return SubmitSm(
        source_addr=sender,
        destination_addr=to,
        esm_class=0x40,
        short_message=header + text.encode("ascii"),
    )


def malformed() -> Iterator[bytes]:
    """PDUs with a password in them that cannot be read: a wrong sm_length, a wrong TLV, a second bind."""
    broken = encode(sms("13800138005", PASSWORDS, BROKEN))
    place = broken.index(BROKEN.encode()) - 1
    yield broken[:place] + b"\xf0" + broken[place + 1 :]
    tail = broken + b"\x04\x24\xff\xff" + BROKEN.encode()
    yield len(tail).to_bytes(4, "big") + tail[4:]
    yield encode(BindTransceiver(system_id=SYSTEM_ID, password=BROKEN[:8]))
    yield encode(SubmitSm(source_addr="", destination_addr=PASSWORDS, short_message=BROKEN.encode()))
    yield encode(sms("13800138005", PASSWORDS, BROKEN, esm_class=0x08))


async def open_everybody(esme: Esme) -> None:
    """Customers, two of them buddies, and a chat that is planted in the clear."""
    for msisdn in EVERYBODY.values():
        await accepted(esme, sms(msisdn, "161", "KTFX"))
    await accepted(esme, sms(ASKING, "161", f"HY#{LATE}"))
    await accepted(esme, sms(LATE, "161", "是", 8))
    await accepted(esme, sms(ASKING, f"12520{LATE}", CHAT))


async def plant(esme: Esme, prefix: str = "") -> list[str]:
    """Send every secret; the message ids of those that were accepted. prefix: of the handsets' numbers."""
    ids = []
    for canary, status, request in planted():
        request.source_addr = prefix + request.source_addr
        response = await esme.submit(request)
        assert response.command_status == status, f"{canary}: 0x{response.command_status:X}"
        if status == CommandStatus.ROK:
            ids.append(str(getattr(response, "message_id", "")))
    return ids


async def generated(esme: Esme, msisdn: str) -> str:
    """The password that a handset is sent; what else comes before it is read and dropped."""
    while True:
        delivery = await delivered(esme)
        told = GENERATED.search(text_of(delivery))
        if told is not None and delivery.destination_addr == msisdn:
            return told[1]


def inspected(config: Path, ids: Iterable[str], capsys: pytest.CaptureFixture[str]) -> bytes:
    """What `trace` says of these SMS and `outbox list` of those that wait."""
    where = ["--config", str(config)]
    for message_id in ids:
        assert main(["trace", message_id, *where]) == 0
        assert main(["trace", message_id, "--json", *where]) == 0
    assert main(["outbox", "list", *where]) == 0
    assert main(["outbox", "list", "--json", *where]) == 0
    return capsys.readouterr().out.encode()


async def test_no_password_stands_in_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No password, attempt at one or generated one is in any file: while it runs with replies pending, after
    they were delivered, after kill -9 with one undelivered, after an orderly stop, in a log of JSON or of
    columns; the same search finds a chat each time."""
    config = write_config(tmp_path)
    states: dict[str, Snapshot] = {}
    async with serving(config) as gateway:
        with pytest.raises(BindRefusedError):
            await Esme.connect("127.0.0.1", gateway.port, SYSTEM_ID, WRONG_BIND_PASSWORD)
        sender = await bind(gateway.port, "transmitter")
        await open_everybody(sender)
        ids = await plant(sender)
        ids.append(await accepted(sender, sms(ASKING, "12520", "P")))
        await raw(gateway.port, *malformed(), system_id=SYSTEM_ID)
        states["pending"] = snapshot(tmp_path)
        async with await bind(gateway.port, "receiver") as receiver:
            first = await generated(receiver, ASKING)
        ids.append(await accepted(sender, sms(LATE, "161", "P")))
        states["delivered"] = snapshot(tmp_path)
        told = await asyncio.to_thread(inspected, config, ids, capsys)
        await gateway.kill()
        await sender.wait_lost()
    states["killed"] = snapshot(tmp_path)
    write_config(tmp_path, logging={"format": "console"})
    async with serving(config) as gateway:
        async with await bind(gateway.port, "transmitter") as sender:
            await plant(sender, "86")
        async with await bind(gateway.port, "receiver") as receiver:
            second = await generated(receiver, LATE)
        assert await gateway.stop() == 0
    states["stopped"] = snapshot(tmp_path)
    secrets = {canary for canary, _, _ in planted()}
    secrets |= {first, second, PASSWORD, WRONG_BIND_PASSWORD, BROKEN, BROKEN[:8]}
    told_in = {"trace": told, **merged(states)}
    assert found(secrets, told_in) == []
    for state, files in states.items():
        assert {"var/fetion.db", "var/fetion.key"} <= set(files)
        assert found([CHAT], files) != [], f"{state}: a search that finds nothing at all"
        assert found([ASKING], {"log": files["gateway.log"]}) != []
    assert b"<masked>" in told


def merged(states: Mapping[str, Snapshot]) -> Snapshot:
    """All files of all states but the configuration, which holds what the operator wrote; equal ones once."""
    contents = {
        octets: f"{name}, {state}"
        for state, files in states.items()
        for name, octets in files.items()
        if name != "config.yaml"
    }
    return {name: octets for octets, name in contents.items()}


async def test_what_is_delivered_is_blanked(tmp_path: Path) -> None:
    """The sealed password leaves its outbox row with the delivery: nothing is left to unseal."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ASKING, "161", "KTFX"))
        await delivered(handset)
        await accepted(handset, sms(ASKING, "161", "P"))
        await generated(handset, ASKING)
    outbox = rows(tmp_path / "var/fetion.db", "SELECT text, secret FROM outbox")
    assert [row["text"] for row in outbox if row["secret"]] == [None]


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_bug_does_not_tell_a_password(
    tmp_path: Path, log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that raises with the password in its message, or in the cause of what it raises, is logged
    without it: type and place are there, the words are not."""

    def tell(_world: World, understood: Instruction, given: Given) -> Outcome:
        try:
            raise KeyError(understood.arguments["password"])
        except KeyError as error:
            raise ValueError(f"{given.password!r} {given.password_hash} {understood!r} {given!r}") from error

    handle_with(monkeypatch, "password.set", tell)
    config = write_config(tmp_path, logging={"format": log_format})
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ASKING, "161", "KTFX"))
        await delivered(handset)
        await accepted(handset, sms(ASKING, PASSWORDS, "Telltale7_can"))
        await delivered(handset)
    files = snapshot(tmp_path)
    assert found(["Telltale7_can", "$argon2"], files) == []
    log = files["gateway.log"].decode()
    assert ("sms.failed" if log_format == "json" else "  failed  ") in log
    assert "ValueError" in log
    assert "in tell" in log


async def test_a_password_that_cannot_be_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When argon2 fails (no memory, say), the customer is answered, the gateway lives, the log is clean."""

    def fail(_: object, password: str) -> str:
        raise HashingError(f"cannot hash {password}")

    monkeypatch.setattr("gateway.secrets.PasswordHasher.hash", fail)
    async with inside(write_config(tmp_path)) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ASKING, "161", "KTFX"))
        await delivered(handset)
        await accepted(handset, sms(ASKING, PASSWORDS, "Unhashed7_can"))
        await delivered(handset)
        await accepted(handset, sms(ASKING, "161", "CXFX"))
        assert "已经开通" in text_of(await delivered(handset))
    assert found(["Unhashed7_can"], snapshot(tmp_path)) == []


def test_the_search_finds_every_form(tmp_path: Path) -> None:
    """Whatever form a text was written in, among whatever else, the search sees it; a clean file is clean."""
    for text in ("Zk7_canary@1", "Ｗｉｄｅ９", "长城密码"):
        for _, octets in encodings(text):
            for written in {written for _, written in writings(octets) if len(written) >= LEAST}:
                (tmp_path / "file").write_bytes(b"\x01\xffx" + written + b"\x00\xfe")
                assert found([text], snapshot(tmp_path)) != []
        (tmp_path / "file").write_bytes(bytes(range(256)) * 64)
        assert found([text], snapshot(tmp_path)) == []
        assert len(forms(text)) > 20
