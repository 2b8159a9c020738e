"""`fetion-gateway mqtt acl`: the files that it writes, and what a running Mosquitto makes of them."""

import contextlib
import csv
import hashlib
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.cli.main import main
from gateway.operations.broker_rights import fits, hashed, read_credentials
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.proofs.served import write_config

WITHIN = 10.0
PASSWD = shutil.which("mosquitto_passwd")


def written(folder: Path, broker: str = "mosquitto", *more: str) -> dict[str, str]:
    """Run it; the credentials."""
    assert main(["mqtt", "acl", "--broker", broker, "--to", str(folder), *more]) == 0
    return read_credentials((folder / "credentials").read_text("utf-8"))


def test_every_user_has_a_password_that_is_shown_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """31 provinces and the gateway; only their owner may read the files, and the terminal has no password."""
    found = written(tmp_path / "broker")
    assert len(found) == 32
    assert len(set(found.values())) == 32
    assert {"fetion-gateway", "province-200", "province-100"} <= set(found)
    assert min(map(len, found.values())) == 32
    shown = "".join(capsys.readouterr())
    assert not any(password in shown for password in found.values())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "broker").iterdir()} == {0o600}
    assert (tmp_path / "broker").stat().st_mode & 0o777 == 0o700
    hashes = (tmp_path / "broker" / "mosquitto.passwd").read_text("utf-8")
    assert not any(password in hashes for password in found.values())


def test_a_second_run_keeps_what_is_there(tmp_path: Path) -> None:
    """Passwords, and lines of the password file; a user that is new, or whose line is lost, gets one; a
    password that somebody has put there instead is taken."""
    first = written(tmp_path)
    before = (tmp_path / "mosquitto.passwd").read_text("utf-8")
    assert written(tmp_path) == first
    assert (tmp_path / "mosquitto.passwd").read_text("utf-8") == before
    text = (tmp_path / "credentials").read_text("utf-8")
    text = re.sub("province-100 .*\n", "", text).replace(first["province-200"], "another one")
    (tmp_path / "credentials").write_text(text + "auditor theirs\n", "utf-8")
    second = written(tmp_path)
    assert second["province-200"] == "another one"
    assert second["auditor"] == "theirs"
    assert second["province-100"] != first["province-100"]
    lines = dict(line.split(":") for line in (tmp_path / "mosquitto.passwd").read_text("utf-8").splitlines())
    assert all(fits(second[name], line) for name, line in lines.items())
    assert lines["province-311"] in before


def test_the_gateway_of_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The user of mqtt.url with its password, which is not written down a second time; a name that would be
    read as something else in the files is refused."""
    config = write_config(tmp_path, mqtt={"url": "mqtt://feixin:%3Asecret@broker"})
    found = written(tmp_path / "broker", "mosquitto", "--config", str(config))
    lines = (tmp_path / "broker" / "mosquitto.passwd").read_text("utf-8").splitlines()
    [line] = [line for line in lines if line.startswith("feixin:")]
    assert fits(":secret", line.partition(":")[2])
    assert "feixin" not in found
    assert "user feixin\n" in (tmp_path / "broker" / "mosquitto.acl").read_text("utf-8")
    write_config(tmp_path, mqtt={"url": "mqtt://a%0Auser%20b:c@broker"})
    assert (
        main(["mqtt", "acl", "--broker", "emqx", "--config", str(config), "--to", str(tmp_path / "x")]) == 1
    )
    assert "mqtt.url" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_files_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the place, and exit code 1."""
    (tmp_path / "file").write_text("", "utf-8")
    assert main(["mqtt", "acl", "--broker", "emqx", "--to", str(tmp_path / "file" / "below")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
    (tmp_path / "credentials").write_bytes(b"\xff\xfe")
    assert main(["mqtt", "acl", "--broker", "emqx", "--to", str(tmp_path)]) == 1
    assert "move it away" in capsys.readouterr().err


def test_the_files_of_emqx(tmp_path: Path) -> None:
    """Rights in the order publish, subscribe, everything else denied; hashes of salt and password."""
    found = written(tmp_path, "emqx")
    rules = (tmp_path / "acl.conf").read_text("utf-8").splitlines()
    assert rules[-1] == "{deny, all}."
    assert '{allow, {username, "province-200"}, publish, ["fetion/province/200/mt"]}.' in rules
    reads = '["fetion/province/200/mo", "fetion/province/200/mt/refused"]'
    assert f'{{allow, {{username, "province-200"}}, subscribe, {reads}}}.' in rules
    with (tmp_path / "emqx-users.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["user_id"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(found)
    for name, row in rows.items():
        assert row["password_hash"] == hashlib.sha256((row["salt"] + found[name]).encode()).hexdigest()
        assert row["is_superuser"] == "false"


@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
def test_hashes_are_those_of_mosquitto_passwd(tmp_path: Path) -> None:
    """A password that it hashed fits, another does not; ours has the same form."""
    assert PASSWD is not None
    path = tmp_path / "theirs"
    subprocess.run([PASSWD, "-c", "-b", str(path), "province-200", "s3cret"], check=True, capture_output=True)
    line = path.read_text("utf-8").strip().partition(":")[2]
    assert fits("s3cret", line)
    assert not fits("s3creT", line)
    ours = hashed("s3cret", b"0" * 12)
    assert list(map(len, ours.split("$"))) == list(map(len, line.split("$")))
    assert not fits("x", "$6$abc$def")
    assert not fits("x", "")


class Peer:
    """One user at the broker: what a publish leads to, and what it reads. Mosquitto 2.0.11 closes the
    connection of who publishes what is denied, so each attempt has one of its own."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self._port = port
        self._name = name
        self._password = password

    @property
    def connects(self) -> bool:
        """Whether the broker lets it in."""
        return self._answer(lambda _: None, connects=True)

    def may_publish(self, topic: str) -> bool:
        """Whether the broker takes it."""
        return self._answer(lambda client: client.publish(topic, b"[]", 1))

    @contextlib.contextmanager
    def reading(self, topic: str) -> Iterator["queue.Queue[str]"]:
        """Subscribe; the topics of what comes."""
        came: queue.Queue[str] = queue.Queue()
        granted = threading.Event()
        client = self._client()
        client.on_connect = lambda client, *_: client.subscribe(topic, options=SubscribeOptions(qos=1))
        client.on_subscribe = lambda *_: granted.set()
        client.on_message = lambda _client, _data, message: came.put(message.topic)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        assert granted.wait(WITHIN)
        try:
            yield came
        finally:
            client.disconnect()
            client.loop_stop()

    def _client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, self._name, protocol=MQTTProtocolVersion.MQTTv5)
        client.username_pw_set(self._name, self._password)
        return client

    def _answer(self, act: Callable[[Client], object], *, connects: bool = False) -> bool:
        """Connect, act, and wait for the answer."""
        codes: queue.Queue[int] = queue.Queue()
        client = self._client()

        def connected(_client: Client, _data: Any, _flags: Any, code: ReasonCode, *_: Any) -> None:
            if connects:
                codes.put(code.value)
            else:
                act(client)

        client.on_connect = connected
        client.on_publish = lambda _client, _data, _mid, code, *_: codes.put(code.value)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        try:
            return codes.get(timeout=WITHIN) < 0x80
        finally:
            client.disconnect()
            client.loop_stop()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[tuple[int, dict[str, str]]]:
    """A Mosquitto with the files, as docs/mqtt.md says: its port, and the credentials."""
    found = written(tmp_path / "broker")
    made = Mosquitto(
        tmp_path,
        "allow_anonymous false",
        f"acl_file {tmp_path}/broker/mosquitto.acl",
        f"password_file {tmp_path}/broker/mosquitto.passwd",
    )
    await made.start()
    yield made.port, found
    made.kill()


@needs_mosquitto
async def test_a_running_mosquitto_keeps_to_them(broker: tuple[int, dict[str, str]]) -> None:
    """A province publishes its mt and reads its mo and mt/refused, nothing else and nobody else's, whatever
    it subscribes to; the gateway has all of its topics; a wrong password and a stranger are refused."""
    port, found = broker
    province = Peer(port, "province-200", found["province-200"])
    gateway = Peer(port, "fetion-gateway", found["fetion-gateway"])
    mine, theirs = "fetion/province/200", "fetion/province/100"
    out = ("fetion/events/200/service/opened", "fetion/nodes/bj1/state", "fetion/nodes/bj1/mt")
    assert province.may_publish(f"{mine}/mt")
    for topic in (f"{mine}/mo", f"{mine}/mt/refused", "fetion/province/2000/mt", f"{theirs}/mt", *out):
        assert not province.may_publish(topic), topic
    with province.reading("#") as came:
        for topic in (*out, f"{theirs}/mo", f"{theirs}/mt/refused", f"{mine}/mo", f"{mine}/mt/refused"):
            assert gateway.may_publish(topic), topic
        assert [came.get(timeout=WITHIN), came.get(timeout=WITHIN)] == [f"{mine}/mo", f"{mine}/mt/refused"]
        assert came.empty()
    assert not gateway.may_publish(f"{mine}/mt")
    with gateway.reading("fetion/province/+/mt") as came:
        assert province.may_publish(f"{mine}/mt")
        assert came.get(timeout=WITHIN) == f"{mine}/mt"
    for name, password in (("province-200", found["province-100"]), ("province-200", ""), ("nobody", "x")):
        assert not Peer(port, name, password).connects
