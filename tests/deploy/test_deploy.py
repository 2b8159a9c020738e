"""The files of deploy/: they agree with one another, and what can be run of them without an engine is run."""

import asyncio
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.testing import configuration
from tests.deploy.containerfile import ROOT, Build, allowed, steps
from tests.proofs.served import ALPHABET, accepted, bind, delivered, lines, serving, sms, until

DEPLOY = ROOT / "deploy"
PASSWORD = "FETION__SMPP__ACCOUNTS__0__PASSWORD"
CONFIG = "/etc/fetion-gateway/config.yaml"
STORE = "/var/lib/fetion-gateway"
NO_NETWORK = ("NewConnectionError", "Temporary failure in name resolution", "No matching distribution")


ANALYZE = shutil.which("systemd-analyze")
LOGROTATE = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")


def environ(**more: str) -> dict[str, str]:
    """This process's, without settings of a gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FETION_")} | more


def check(**more: str) -> "subprocess.CompletedProcess[str]":
    """`check` of the deployed configuration."""
    command = [sys.executable, "-m", "gateway", "check", "--config", str(DEPLOY / "config.yaml")]
    return subprocess.run(command, env=environ(**more), capture_output=True, text=True, check=False)


def unit() -> configparser.ConfigParser:
    """The systemd unit; of a key that stands several times the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "fetion-gateway.service", "utf-8")
    return parser


def compose() -> dict[str, Any]:
    """The only service of the compose file."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    (service,) = found["services"].values()
    assert isinstance(service, dict)
    return service


def test_the_password_comes_from_the_environment() -> None:
    """The deployed configuration has none, refuses the shipped one, and takes another."""
    assert (check().returncode, "smpp.accounts[0].password: is missing" in check().stdout) == (1, True)
    shipped = check(**{PASSWORD: "fetion16"})
    assert (shipped.returncode, "the shipped password is refused" in shipped.stdout) == (1, True)
    own = check(**{PASSWORD: "x7Qp2mZ"})
    assert (own.returncode, own.stderr) == (0, "")


def test_all_files_name_the_same_places() -> None:
    """Configuration, store, port and command are the same in image, compose file, unit and configuration."""
    told = dict(steps(DEPLOY / "Containerfile"))
    config = yaml.safe_load((DEPLOY / "config.yaml").read_text("utf-8"))
    service, of_unit = compose(), unit()["Service"]
    assert told["VOLUME"] == STORE
    assert config["storage"] == {"url": f"sqlite:///{STORE}/fetion.db", "key_file": f"{STORE}/fetion.key"}
    assert json.loads(told["ENTRYPOINT"]) + json.loads(told["CMD"]) == [
        *("fetion-gateway", "serve", "--config", CONFIG)
    ]
    assert json.loads(told["HEALTHCHECK"].partition("CMD ")[2])[1:] == ["status", "--config", CONFIG]
    assert of_unit["ExecStart"] == f"/opt/fetion-gateway/bin/fetion-gateway serve --config {CONFIG}"
    assert Path(f"/var/lib/{of_unit['StateDirectory']}") == Path(STORE)
    assert service["volumes"] == [f"store:{STORE}", f"./config.yaml:{CONFIG}:ro"]
    assert told["EXPOSE"] == str(config["smpp"]["listen"]["port"])
    assert service["ports"] == ["2775:2775"]
    assert list(service["environment"]) == [PASSWORD]


def test_nothing_runs_as_root() -> None:
    """Image and unit have a user of their own, and no way to more."""
    told, of_unit = dict(steps(DEPLOY / "Containerfile")), unit()["Service"]
    assert int(told["USER"].partition(":")[0]) > 0
    assert compose()["cap_drop"] == ["ALL"]
    assert compose()["security_opt"] == ["no-new-privileges:true"]
    assert of_unit["User"] in (DEPLOY / "fetion-gateway.sysusers").read_text("utf-8")
    hardening = ("NoNewPrivileges", "MemoryDenyWriteExecute", "PrivateUsers", "ProtectHome")
    assert [of_unit[name] for name in hardening] == ["yes"] * 4
    assert (of_unit["ProtectSystem"], of_unit["CapabilityBoundingSet"]) == ("strict", "")


def test_a_stop_has_time() -> None:
    """Engine and systemd wait longer for the end than the gateway takes for it."""
    deadline = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))["shutdown"]["deadline"]
    assert int(unit()["Service"]["TimeoutStopSec"]) > 2 * deadline
    assert int(compose()["stop_grace_period"].removesuffix("s")) > 2 * deadline


def test_the_image_gets_what_it_copies() -> None:
    """Every file that is copied is there, and let through by the ignore file; nothing else is."""
    copied = [rest.split() for name, rest in steps(DEPLOY / "Containerfile") if name == "COPY"]
    names = [each for words in copied if not words[0].startswith("--") for each in words[:-1]]
    assert [each for each in names if not (ROOT / each).exists() or not allowed(each)] == []
    let = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").split()
    assert sorted(each[1:] for each in let if each.startswith("!")) == sorted(names)
    assert let[0] == "*"


@pytest.mark.timeout(600)
@pytest.mark.long  # it installs everything once more: 20 to 75 s
async def test_the_steps_of_the_container_file(tmp_path: Path) -> None:
    """They build, from this folder and the lock alone, a gateway that checks its configuration, serves, and
    tells its health; no tool of developers is in it."""
    try:
        built = await asyncio.to_thread(Build(tmp_path).run, DEPLOY / "Containerfile")
    except subprocess.CalledProcessError as failed:
        if any(reason in str(failed.stderr) for reason in NO_NETWORK):
            pytest.skip("no package index is reachable: the steps of the container file cannot run")
        raise AssertionError(f"{failed.cmd}: {failed.stderr}") from failed
    command = str(built.image / "opt/fetion-gateway/bin/fetion-gateway")
    password = {PASSWORD: "x7Qp2mZ"}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [command, *words], env=environ(**password), capture_output=True, text=True, check=False, cwd="/"
        )

    assert run("check", "--config", str(built.image / CONFIG[1:])).returncode == 0
    here = configuration.write_config(
        tmp_path / "run",
        {
            "smpp": {"accounts": [{"system_id": "smsc", "password": "fetion16", "default": True}]},
            "logging": {"file": "gateway.log", "format": "json"},
        },
    )
    password.clear()
    assert run("status", "--config", str(here)).returncode == 3
    serve = [command, "serve", "--config", str(here)]
    process = await asyncio.create_subprocess_exec(*serve, env=environ(), cwd="/")
    try:
        log = tmp_path / "run/gateway.log"
        await until(lambda: log.exists() and b"gateway.ready" in log.read_bytes(), "gateway.ready")
        assert run("status", "--config", str(here)).returncode == 0
    finally:
        process.terminate()
        ended = await process.wait()
    assert ended == 0
    installed = {path.name for path in (built.image / "opt/fetion-gateway").rglob("site-packages/*")}
    assert installed.isdisjoint({"pip", "pytest", "mypy", "ruff", "hypothesis", "setuptools", "tests"})


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """It finds no fault, and rates its exposure as OK: 2.0 of 10 or less."""
    text = (DEPLOY / "fetion-gateway.service").read_text("utf-8")
    file = tmp_path / "fetion-gateway.service"
    file.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE), "utf-8")
    verified = subprocess.run(
        [str(ANALYZE), "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", "--threshold=20", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout[-300:] + rated.stderr


@pytest.mark.skipif(
    not (shutil.which("docker") and Path("/usr/libexec/docker/cli-plugins/docker-compose").exists()),
    reason="docker compose is not installed",
)
def test_compose_takes_its_file() -> None:
    """It reads the file, and refuses to go without a password."""
    command = [
        str(shutil.which("docker")),
        "compose",
        "-f",
        str(DEPLOY / "compose.yaml"),
        "config",
        "--quiet",
    ]
    refused = subprocess.run(command, env=environ(), capture_output=True, text=True, check=False)
    assert (refused.returncode != 0, "SMSC_PASSWORD" in refused.stderr) == (True, True)
    taken = subprocess.run(command, env=environ(SMSC_PASSWORD="x7Qp2mZ"), capture_output=True, check=False)
    assert taken.returncode == 0


def rotation(folder: Path, postrotate: str) -> Path:
    """The logrotate file for logs of that folder, of our own user."""
    text = (DEPLOY / "logrotate").read_text("utf-8")
    text = text.replace("/var/log/fetion-gateway", str(folder)).replace(
        "systemctl try-reload-or-restart fetion-gateway.service", postrotate
    )
    file = folder / "logrotate"
    file.write_text(re.sub(r"^ *su .*\n", "", text, flags=re.MULTILINE), "utf-8")
    file.chmod(0o600)
    return file


@pytest.mark.skipif(not LOGROTATE, reason="logrotate is not installed")
async def test_a_rotation_loses_no_line(tmp_path: Path) -> None:
    """The gateway goes on in a new file when its log is moved away: every SMS has its line in one of them."""
    config = configuration.write_config(tmp_path, {"logging": {"file": "gateway.log", "format": "json"}})
    async with serving(config) as served, await bind(served.port) as handset:
        names = [await accepted(handset, sms("13800138000", "161", "KTFX"))]
        assert ALPHABET.decode((await delivered(handset)).short_message, 8)
        file = rotation(tmp_path, f"kill -HUP {served.process.pid}")
        rotate = [str(LOGROTATE), "--force", "--state", str(tmp_path / "state"), str(file)]
        rotated = await asyncio.to_thread(subprocess.run, rotate, capture_output=True, text=True, check=False)
        assert (rotated.returncode, rotated.stderr) == (0, "")
        await until(served.log.exists, "the new log")
        names.append(await accepted(handset, sms("13800138001", "161", "KTFX")))
        assert await served.stop() == 0
    logs = [tmp_path / "gateway.log.1", served.log]
    handled = [line for log in logs for line in lines(log) if line["event"] == "sms.handled"]
    assert [line["message_id"] for line in handled] == names


def test_the_rotation_knows_the_unit() -> None:
    """It reloads the unit of this folder, whose reload is SIGHUP, as the user whose logs they are."""
    text = (DEPLOY / "logrotate").read_text("utf-8")
    of_unit = unit()["Service"]
    assert "try-reload-or-restart fetion-gateway.service" in text
    assert of_unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert f"/var/log/{of_unit['LogsDirectory']}/*.log" in text
    assert f"su {of_unit['User']} {of_unit['Group']}" in text
