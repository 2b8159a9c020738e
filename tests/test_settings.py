"""Configuration: defaults, file, environment, and how every mistake is named."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.cli.config import load_settings
from gateway.events.broker import Broker
from gateway.settings import ENVIRONMENT, LimitSettings, Settings, load, unread
from routing.tablefile import TableError

ROOT = Path(__file__).parent.parent
BAD_CONFIGS = sorted((Path(__file__).parent / "vectors" / "bad_config").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the suite's own."""
    monkeypatch.delenv("FETION__CONSOLE__LISTEN")


def faults_of(path: Path | None, environ: dict[str, str]) -> list[str]:
    """The faults of a file and an environment, as printed."""
    with pytest.raises(TableError) as caught:
        load(path, environ)
    return [str(fault) for fault in caught.value.faults]


def config(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "config.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_file_equals_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """config.yaml says what the gateway does without a file, value by value."""
    monkeypatch.chdir(ROOT)
    assert load(Path("config.yaml"), {}) == load(None, {}) == Settings()


def test_the_shipped_file_names_every_key() -> None:
    """Every key of the schema stands in config.yaml; ton, which depends on another, in a comment."""
    text = (ROOT / "config.yaml").read_text("utf-8")
    keys = set(re.findall(r'"(\w+)":', Settings().model_dump_json()))
    assert {key for key in keys if not re.search(rf"^[ #-]*{key}:", text, re.MULTILINE)} == set()


def test_shipped_values() -> None:
    """The values that users and acceptance checks rely on."""
    settings = Settings()
    account = settings.smpp.default_account
    assert account is not None
    assert (settings.smpp.listen.host, settings.smpp.listen.port) == ("127.0.0.1", 2775)
    assert settings.smpp.timers.model_dump() == {
        "session_init": 30,
        "enquire_link": 30,
        "inactivity": 0,
        "response": 60,
    }
    assert (account.system_id, account.password, account.window_in, account.window_out) == (
        "smsc",
        "fetion16",
        1000,
        100,
    )
    assert [str(network) for network in account.allow_from] == ["127.0.0.0/8"]
    assert (account.msisdn_format, account.ton, account.npi, account.duplicate) == ("national", 0, 1, 3_600)
    assert settings.storage.retention.journal_days == 90
    assert settings.limits.model_dump() == {
        "buddies": 300,
        "open_questions": 20,
        "question_hours": 24,
        "list_hours": 2,
        "suggestion_minutes": 10,
        "message_length": 180,
        "sms_per_day": 600,
        "sms_per_month": 10_000,
        "invitations_per_month": 1,
        "free_hours": 72,
        "instructions_per_minute": 30,
        "help_period": 600,
        "province_reply": 60,
        "same_text": 20,
        "same_text_minutes": 10,
    }
    assert (settings.service.timezone, settings.shutdown.deadline) == ("Asia/Shanghai", 10)


@pytest.mark.parametrize("path", BAD_CONFIGS, ids=lambda path: path.stem)
def test_bad_config(path: Path) -> None:
    """A file that breaks a rule is refused with the line, key and reason that its head announces."""
    expected = re.findall(r"^# expected: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    with pytest.raises(TableError) as caught:
        load_settings(path)
    assert [str(fault) for fault in caught.value.faults] == [f"{path}:{line}" for line in expected]


def test_no_fault_tells_a_password() -> None:
    """A password that is refused is not repeated in the reason."""
    path = next(path for path in BAD_CONFIGS if path.stem == "password_too_long")
    assert "canary" in path.read_text("utf-8")
    assert "canary" not in "".join(faults_of(path, {}))


def test_no_settings_print_a_password() -> None:
    """The repr of settings, which may end up in a log, has no password."""
    assert "fetion16" not in repr(Settings())


def test_settings_are_frozen() -> None:
    """Nobody changes settings on the way."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().smpp.listen.port = 1


def test_a_file_says_only_what_differs(tmp_path: Path) -> None:
    """What a file leaves out, or a file with nothing in it, is the default."""
    assert load(config(tmp_path, "smpp: {listen: {port: 0}}"), {}).smpp.listen.port == 0
    assert load(config(tmp_path, ""), {}).smpp == Settings().smpp


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Store, key and log file lie where the configuration file lies, wherever the process runs."""
    settings = load(config(tmp_path, "logging: {file: log/a.log}"), {})
    assert settings.storage.path == tmp_path / "var/fetion.db"
    assert settings.storage.url == f"sqlite:///{tmp_path}/var/fetion.db"
    assert settings.storage.key_file == tmp_path / "var/fetion.key"
    assert settings.logging.file == tmp_path / "log/a.log"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    """An absolute path, four slashes in a URL, is taken as it is."""
    settings = load(config(tmp_path, "storage: {url: 'sqlite:////srv/a.db', key_file: /srv/key}"), {})
    assert (settings.storage.path, settings.storage.key_file) == (Path("/srv/a.db"), Path("/srv/key"))


@pytest.mark.parametrize(("spelling", "ton"), [("national", 0), ("international", 1), ("plus", 1)])
def test_type_of_number_follows_the_spelling(tmp_path: Path, spelling: str, ton: int) -> None:
    """TON defaults to what goes with msisdn_format; a given one stays."""
    account = f"{{system_id: a, password: b, msisdn_format: {spelling}"
    given = load(config(tmp_path, f"smpp: {{accounts: [{account}}}]}}"), {}).smpp.accounts[0]
    assert (given.ton, given.npi) == (ton, 1)
    given = load(config(tmp_path, f"smpp: {{accounts: [{account}, ton: 5}}]}}"), {}).smpp.accounts[0]
    assert given.ton == 5


def test_the_only_account_is_the_default_account(tmp_path: Path) -> None:
    """A single account need not say that it is the default one; of several, one must."""
    one = load(config(tmp_path, "smpp: {accounts: [{system_id: a, password: b}]}"), {})
    assert one.smpp.default_account == one.smpp.accounts[0]
    rows = "[{system_id: a, password: b}, {system_id: c, password: d, default: true}]"
    two = load(config(tmp_path, f"smpp: {{accounts: {rows}}}"), {})
    assert two.smpp.default_account == two.smpp.accounts[1]


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    """A variable wins over the file, its value read as YAML; others of the section stay."""
    path = config(tmp_path, "smpp: {listen: {host: localhost, port: 1}}")
    environ = {
        "FETION__SMPP__LISTEN__PORT": "2",
        "FETION__LOGGING__MASK_MSISDN": "true",
        "FETION__LOGGING__FILE": "null",
        "FETION__SMPP__TIMERS": "{response: 5}",
        "OTHER": "x",
    }
    settings = load(path, environ)
    assert (settings.smpp.listen.host, settings.smpp.listen.port) == ("localhost", 2)
    assert settings.logging.mask_msisdn is True
    assert settings.logging.file is None
    assert (settings.smpp.timers.response, settings.smpp.timers.session_init) == (5, 30)


@pytest.mark.parametrize("password", ["01234567", "1e5", "no", "null", "{a: b}", "a#b", "*x"])
def test_text_in_the_environment_is_taken_as_it_stands(password: str) -> None:
    """Where the schema wants text, a variable that looks like a number, a boolean or YAML is text."""
    settings = load(None, {"FETION__SMPP__ACCOUNTS__0__PASSWORD": password})
    assert settings.smpp.accounts[0].password == password
    assert settings.smpp.accounts[0].system_id == "smsc"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:10.0.0.1/128", "10.0.0.1/32"),
        ("::/0", "::/0"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_ipv4_networks_written_as_ipv6(tmp_path: Path, written: str, meant: str) -> None:
    """IPv4 is IPv4, however a network of allow_from is written."""
    account = f"{{system_id: a, password: b, allow_from: ['{written}']}}"
    settings = load(config(tmp_path, f"smpp: {{accounts: [{account}]}}"), {})
    assert [str(network) for network in settings.smpp.accounts[0].allow_from] == [meant]


def test_limits_that_may_be_none(tmp_path: Path) -> None:
    """0 is no limit where a load test needs it, and no value elsewhere."""
    limits = load(config(tmp_path, "limits: {instructions_per_minute: 0, same_text: 0}"), {}).limits
    assert (limits.instructions_per_minute, limits.same_text) == (0, 0)
    for name in LimitSettings.model_fields:
        if name not in {"instructions_per_minute", "same_text"}:
            (fault,) = faults_of(config(tmp_path, f"limits: {{{name}: 0}}"), {})
            assert f"limits.{name}: must be above 0" in fault


def test_items_of_lists_and_maps_in_the_environment(tmp_path: Path) -> None:
    """Items go by position, the next position adds one, and codecs go by data_coding."""
    path = config(tmp_path, "smpp: {accounts: [{system_id: a, password: b, default: true}]}")
    environ = {
        "FETION__SMPP__ACCOUNTS__0__ALPHABET__15": "gbk",
        "FETION__SMPP__ACCOUNTS__0__ALLOW_FROM": "[10.0.0.0/8, '::1/128']",
        "FETION__SMPP__ACCOUNTS__0__ALLOW_FROM__1": "192.0.2.0/24",
        "FETION__SMPP__ACCOUNTS__1__SYSTEM_ID": "c",
        "FETION__SMPP__ACCOUNTS__1__PASSWORD": "d",
    }
    first, second = load(path, environ).smpp.accounts
    assert first.alphabet == {15: "gbk"}
    assert [str(network) for network in first.allow_from] == ["10.0.0.0/8", "192.0.2.0/24"]
    assert (second.system_id, second.password) == ("c", "d")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("FETION__SMPP__PORT", "1", "unknown key; known: accounts, links, listen, timers"),
        ("FETION__SMP__LISTEN__PORT", "1", "unknown key; did you mean 'smpp'?"),
        ("FETION__SMPP__LISTEN__PRT", "1", "unknown key; did you mean 'port'?"),
        ("FETION__SMPP__LISTEN__PORT", "99999", "must be at most 65535"),
        ("FETION__SMPP__LISTEN", "{prt: 1}", "smpp.listen.prt: unknown key; did you mean 'port'?"),
        ("FETION__SMPP__LISTEN__PORT__X", "1", "there is no place for it in smpp.listen.port"),
        ("FETION__SMPP__ACCOUNTS__2__PASSWORD", "a", "there is no place for it in smpp.accounts"),
        ("FETION__SMPP__ACCOUNTS__SMSC__PASSWORD", "a", "there is no place for it in smpp.accounts"),
        ("FETION__SMPP__ACCOUNTS__0__PASSWORD", "ninechars", "must be 1 to 8 printable ASCII characters"),
        ("FETION__SMPP__TIMERS", "[", "is not YAML"),
        ("FETION__CONSOLE__LISTEN__PORT", "2775", "is smpp.listen.port: take another one"),
        (
            "FETION__CONSOLE__STREAMS",
            "200",
            "must be below console.connections: live pages would leave no connection for others",
        ),
        (
            "FETION__",
            "1",
            "unknown key; known: console, limits, logging, mqtt, node, provinces, service, shutdown, smpp,"
            " statistics, storage, tables, telemetry",
        ),
    ],
)
def test_faults_of_the_environment_name_the_variable(name: str, value: str, reason: str) -> None:
    """An unknown or wrong variable is a fault of that variable."""
    assert faults_of(ROOT / "config.yaml", {name: value}) == [f"{ENVIRONMENT}: {name}: {reason}"]


@pytest.mark.parametrize("name", ["https://x", "x:8161", "x/y", "", "*", "a b", "a..b", "::1", "ab:80"])
def test_a_name_of_the_console_is_a_host(name: str) -> None:
    """A URL or a port is told apart by `check`: with it no request would ever name the console."""
    (fault,) = faults_of(ROOT / "config.yaml", {"FETION__CONSOLE__NAMES": json.dumps([name])})
    assert f"console.names[0]: {name!r} is no name of a host: without scheme, port and path" in fault
    fine = json.dumps(["console.example.net", "Console", "192.0.2.1", "[2001:db8::1]", "a_b.example."])
    assert len(load(ROOT / "config.yaml", {"FETION__CONSOLE__NAMES": fine}).console.names) == 5


def test_what_a_variable_lacks_is_its_fault() -> None:
    """An account that a variable began and left unfinished is reported under that variable."""
    name = "FETION__SMPP__ACCOUNTS__1__SYSTEM_ID"
    assert f"{ENVIRONMENT}: {name}: smpp.accounts[1].password: is missing" in faults_of(None, {name: "b"})


def test_a_wrong_codec_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks beyond the schema know variables too."""
    name = "FETION__SMPP__ACCOUNTS__0__ALPHABET__15"
    monkeypatch.setenv(name, "klingon")
    with pytest.raises(TableError, match=f"{name}: .*'klingon'"):
        load_settings(None)


def test_file_and_environment_are_reported_together(tmp_path: Path) -> None:
    """Every fault is told at once, whichever side it comes from."""
    path = config(tmp_path, "limits:\n  buddies: 0\nshutdown:\n  deadline: 0\n")
    keys = [fault.split(": ")[1] for fault in faults_of(path, {"FETION__LOGGING__LEVEL": "loud"})]
    assert keys == ["FETION__LOGGING__LEVEL", "limits.buddies", "shutdown.deadline"]


def test_what_breaks_the_schema_hides_nothing_else(tmp_path: Path) -> None:
    """A value that is left out for its fault leads to no second one: the rest is still checked."""
    text = (
        "smpp: {listen: {host: 0.0.0.0, port: x}, accounts: [{system_id: 5, default: true}, {system_id: 5}]}"
    )
    found = {fault.split(": ", 1)[1].rsplit(": ", 1)[0] for fault in faults_of(config(tmp_path, text), {})}
    assert found == {
        "smpp.listen.port",
        "smpp.accounts[0].password",
        "smpp.accounts[0].system_id: must be text",
        "smpp.accounts[1].password",
        "smpp.accounts[1].system_id: must be text",
    }


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("FETION_SMPP_PORT", "FETION__SMPP__LISTEN__PORT"),
        ("FETION_SMPP__LISTEN__HOST", "FETION__SMPP__LISTEN__HOST"),
        ("FETION_LOGGING_LEVEL", "FETION__LOGGING__LEVEL"),
        ("FETION_SMPP_ACCOUNTS_0_PASSWORD", "FETION__SMPP__ACCOUNTS__0__PASSWORD"),
        ("FETION_XYZZY", "FETION__SECTION__KEY"),
    ],
)
def test_variables_that_nobody_reads(name: str, nearest: str) -> None:
    """A variable with one underscore too few is found, with the one that was meant; others are let alone."""
    assert list(unread({name: "1", "FETIONS": "1", "FETION__SMPP__PORT": "1"})) == [(name, nearest)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "storage: {url: 'sqlite:///file/a.db'}",
            "storage.url: {0}/file/a.db: must be in a folder, and {0}/file is none",
        ),
        (
            "storage: {key_file: file/x/key}",
            "storage.key_file: {0}/file/x/key: must be in a folder, and {0}/file is none",
        ),
        ("logging: {file: folder}", "logging.file: {0}/folder: is a folder, must be a file"),
    ],
)
def test_a_path_where_no_file_can_be(tmp_path: Path, text: str, fault: str) -> None:
    """What stands in the way of store, key or log is found before anything is started."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    path = config(tmp_path, text)
    with pytest.raises(TableError) as caught:
        load_settings(path)
    assert [str(each) for each in caught.value.faults] == [f"{path}:1: {fault.format(tmp_path)}"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_shipped_password_is_good_on_loopback(host: str) -> None:
    """On this machine only, the password of the documentation may stay."""
    assert load(None, {"FETION__SMPP__LISTEN__HOST": host}).smpp.listen.host == host


@pytest.mark.parametrize("host", ["10.0.0.1", "::", "gateway.example"])
def test_the_shipped_password_is_refused_elsewhere(host: str) -> None:
    """Anywhere else it is refused, and another one is taken."""
    listen = {"FETION__SMPP__LISTEN__HOST": host}
    assert faults_of(None, listen) == [
        f"{ENVIRONMENT}: FETION__SMPP__LISTEN__HOST: is not loopback, where the shipped password is"
        " refused: set smpp.accounts[0].password"
    ]
    assert load(None, {**listen, "FETION__SMPP__ACCOUNTS__0__PASSWORD": "other"}).smpp.listen.host == host


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    """A configuration file that is not there is named."""
    missing = tmp_path / "no.yaml"
    assert faults_of(missing, {}) == [f"{missing}:1: (file): cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://broker", Broker("broker", 1883, tls=False)),
        ("mqtts://broker/", Broker("broker", 8883, tls=True)),
        ("mqtt://[::1]:2000", Broker("::1", 2000, tls=False)),
        ("mqtt://feixin:p%40ss%3A@broker:1", Broker("broker", 1, tls=False, user="feixin", password="p@ss:")),
    ],
)
def test_the_url_of_a_broker(url: str, broker: Broker) -> None:
    """Scheme, host, port, and %-encoded user and password."""
    settings = load(None, {"FETION__MQTT__URL": url})
    assert settings.mqtt.broker == broker
    assert "p%40ss" not in repr(settings)
    assert "p@ss" not in repr(broker)


@pytest.mark.parametrize("path", [path for path in BAD_CONFIGS if path.stem.startswith("mqtt_")])
def test_no_fault_tells_the_password_of_a_broker(path: Path) -> None:
    """Whatever is wrong with the URL, it is not repeated."""
    assert "canary" not in "".join(faults_of(path, {}))


@pytest.mark.parametrize(
    ("lines", "key", "reason"),
    [
        ("ca_file: missing.pem", "ca_file", "missing.pem: No such file or directory"),
        ("ca_file: empty.pem", "ca_file", "empty.pem: has no certificates in PEM form"),
        ("cert_file: empty.pem\n  key_file: empty.pem", "cert_file", "empty.pem: is not a certificate with"),
        ("cert_file: missing.pem\n  key_file: empty.pem", "cert_file", "No such file or directory"),
    ],
)
def test_certificates_that_are_none(tmp_path: Path, lines: str, key: str, reason: str) -> None:
    """A file that is missing, or that has none, is a fault of `check` where the broker has TLS."""
    (tmp_path / "empty.pem").write_text("nothing", "utf-8")
    path = config(tmp_path, f"mqtt:\n  url: mqtts://broker\n  {lines}\n")
    with pytest.raises(TableError) as caught:
        load_settings(path)
    [fault] = caught.value.faults
    assert (fault.key, fault.line) == (f"mqtt.{key}", 3)
    assert reason in fault.reason
    assert "None" not in fault.reason


def test_an_account_of_certain_nodes(tmp_path: Path) -> None:
    """A gateway without a name is none of them; a name that is none, and no name at all, are faults."""
    config = tmp_path / "config.yaml"
    account = "system_id: a, password: b, nodes: "
    for nodes, name, fault in (
        ("[east]", "east", ""),
        ("[east]", "west", ""),
        ("null", "null", ""),
        ("[east]", "null", "node.name is not set"),
        ("[no name]", "east", "nodes"),
        ("[]", "east", "nodes"),
    ):
        config.write_text(f"node: {{name: {name}}}\nsmpp: {{accounts: [{{{account}{nodes}}}]}}\n", "utf-8")
        if not fault:
            assert load(config, {}).smpp.accounts[0].nodes == (None if nodes == "null" else ("east",))
            continue
        with pytest.raises(TableError, match=fault):
            load(config, {})


def test_digits_without_quotes(tmp_path: Path) -> None:
    """Numbers of the service, mobiles and provinces may be written as YAML numbers."""
    link = "{name: north, host: h, system_id: f, password: p, provinces: [200, 100], access_codes: [161]}"
    account = "{system_id: a, password: p, default: true, sources: [13800138000, 138*]}"
    smpp = load(config(tmp_path, f"smpp: {{links: [{link}], accounts: [{account}]}}"), {}).smpp
    assert smpp.links[0].provinces == {"200", "100"}
    assert smpp.links[0].access_codes == {"161"}
    assert smpp.accounts[0].sources == {"13800138000", "138*"}
