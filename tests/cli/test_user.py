"""`user`: accounts of the console, beside a running gateway and without one."""

import io
import json
from pathlib import Path

import pytest

from tests.cli.test_inspect import ask
from tests.proofs.served import inside, lines, write_config

PASSWORD = "correct horse battery"


def types(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """Standard input has a password, and is no terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\nanother line\n"))


async def test_accounts_of_a_running_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command, and what it says; no password stands in the log, nor its hash."""
    config = write_config(tmp_path)
    async with inside(config) as gateway:
        types(monkeypatch, PASSWORD)
        add = ("user", "add", "ada", "--role", "operator", "--province", "200")
        assert (await ask(capsys, config, *add))[:2] == (0, "ada may log in\n")
        types(monkeypatch, PASSWORD)
        code, _, err = await ask(capsys, config, *add)
        assert (code, "ada is there already" in err) == (1, True)
        code, out, _ = await ask(capsys, config, "user", "list", "--json")
        account = json.loads(out)
        assert (account["role"], account["province"], account["disabled"]) == ("operator", "200", False)
        secret = (await ask(capsys, config, "user", "token", "ada", "--token", "grafana"))[1].strip()
        assert len(secret) == 43
        _, out, _ = await ask(capsys, config, "user", "list")
        assert out.splitlines()[0].split()[:4] == ["NAME", "ROLE", "PROVINCE", "STATE"]
        assert out.splitlines()[1].split()[-1] == "grafana"
        change = ("user", "change", "ada")
        assert (await ask(capsys, config, *change, "--role", "reader"))[0] == 0
        assert (await ask(capsys, config, *change, "--province", "000"))[0] == 0
        account = json.loads((await ask(capsys, config, "user", "list", "--json"))[1])
        assert (account["role"], account["province"], account["tokens"]) == ("reader", "000", ["grafana"])
        for options, reason in (
            ((), "nothing would change: give --role, --province or both"),
            (("--province", "999"), "is no province of the tables"),
        ):
            code, _, err = await ask(capsys, config, *change, *options)
            assert (code, reason in err) == (1, True)
        code, _, err = await ask(capsys, config, "user", "change", "bob", "--role", "reader")
        assert (code, "there is no account 'bob'" in err) == (1, True)
        assert (await ask(capsys, config, "user", "disable", "ada"))[0] == 0
        assert await gateway.store.sessions("ada") == []
        code, _, err = await ask(capsys, config, "user", "token", "ada", "--token", "grafana")
        assert (code, "user enable ada" in err) == (1, True)
        assert (await ask(capsys, config, "user", "enable", "ada", "--json"))[1] == '{"name": "ada"}\n'
        assert (await ask(capsys, config, "user", "remove", "ada"))[0] == 0
        code, _, err = await ask(capsys, config, "user", "remove", "ada")
        assert (code, "there is no account 'ada'" in err) == (1, True)
        actions = [entry.action for _, entry in await gateway.store.audit(1 << 62, 100)]
        assert actions[::-1] == [
            *("account added", "token", "account changed", "account changed"),
            *("account disabled", "account enabled", "account removed"),
        ]
    written = json.dumps(lines(tmp_path / "gateway.log"))
    assert PASSWORD not in written
    assert "argon2id" not in written


async def test_accounts_without_a_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is opened, and closed again."""
    config = write_config(tmp_path)
    async with inside(config):
        pass
    assert "user add NAME --role administrator" in (await ask(capsys, config, "user", "list"))[1]
    types(monkeypatch, PASSWORD)
    assert (await ask(capsys, config, "user", "add", "ada", "--role", "reader"))[0] == 0
    types(monkeypatch, f"{PASSWORD}!")
    assert (await ask(capsys, config, "user", "password", "ada"))[0] == 0
    change = ("user", "change", "ada", "--role", "operator", "--province", "200")
    assert (await ask(capsys, config, *change))[0] == 0
    async with inside(config) as gateway:
        account = await gateway.store.account("ada")
        assert account is not None
        assert (account.role, account.province) == ("operator", "200")
        assert account.password.startswith("$argon2id$")


WEAK = (
    ("Ada", (), PASSWORD, "is no name"),
    ("a b", (), PASSWORD, "is no name"),
    ("x" * 33, (), PASSWORD, "is no name"),
    ("ada", ("--province", "999"), PASSWORD, "is no province of the tables"),
    ("ada", (), "short", "is shorter than 10 characters"),
    ("ada", (), "", "is shorter than 10 characters"),
    ("ada", (), "i am ada, and this is it", "contains the name of the account"),
    ("ada", (), "a" * 300, "is longer than 256 characters"),
    ("ada", (), "........................", "is one character again and again"),
)


async def test_what_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason; nothing is stored."""
    config = write_config(tmp_path)
    async with inside(config) as gateway:
        for name, options, password, reason in WEAK:
            types(monkeypatch, password)
            code, out, err = await ask(capsys, config, "user", "add", name, "--role", "reader", *options)
            assert (code, out) == (1, "")
            assert reason in err
        assert await gateway.store.accounts() == []
