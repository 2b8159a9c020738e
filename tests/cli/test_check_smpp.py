"""`check`: certificates that cannot be used, and what of the section `smpp` can never match."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.main import main
from tests.net.certificates import Authority

OPEN = {"system_id": "smsc", "password": "own7pass", "default": True, "allow_from": ["10.0.0.0/8"]}


def check(
    folder: Path, capsys: pytest.CaptureFixture[str], **smpp: Any
) -> tuple[int, dict[str, str], list[tuple[str, str]]]:
    """Exit code, faults by key, warnings in order, of a section smpp."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"smpp": smpp}))
    code = main(["check", "--config", str(config), "--json"])
    report = json.loads(capsys.readouterr().out)
    faults = {each["key"]: each["reason"] for each in report["faults"]}
    return code, faults, [(each["key"], each["reason"]) for each in report["warnings"]]


def link(name: str, **more: Any) -> dict[str, Any]:
    """A link with what it must have."""
    return {"name": name, "host": "192.0.2.1", "system_id": "fetion", "password": "secret", **more}


def test_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the listener and of links, with paths relative to the file: the key of the setting, and why."""
    authority = Authority(tmp_path)
    authority.sign("one")
    authority.sign("two")
    authority.sign("old", days=-2)
    code, faults, _ = check(
        tmp_path,
        capsys,
        listen={"tls": {"cert": "one.cert", "key": "two.key"}},
        links=[
            link("north", tls={"ca": "missing"}),
            link("south", tls={"ca": "authority.pem", "cert": "old.cert", "key": "old.key"}),
            link("west", tls={"ca": "authority.pem"}),
        ],
    )
    assert code == 1
    assert {key: reason.partition(": ")[2].partition(":")[0] for key, reason in faults.items()} == {
        "smpp.listen.tls.key": f"is not the key of {tmp_path / 'one.cert'}",
        "smpp.links[0].tls.ca": "cannot be read",
        "smpp.links[1].tls.cert": f"has expired at {faults['smpp.links[1].tls.cert'].split()[4][:13]}",
    }
    assert faults["smpp.listen.tls.key"].startswith(str(tmp_path / "two.key"))


def test_certificates_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TLS on 127.0.0.1 is fine; a certificate that ends soon, and a peer that nobody verifies, are not."""
    Authority(tmp_path).sign("soon", days=5)
    code, faults, warnings = check(
        tmp_path,
        capsys,
        listen={"tls": {"cert": "soon.cert", "key": "soon.key"}},
        links=[link("north", tls={"verify": False})],
    )
    assert (code, faults) == (0, {})
    assert [key for key, _ in warnings] == ["smpp.links[0].tls.verify", "smpp.listen.tls.cert"]
    assert "ends at 20" in warnings[1][1]


@pytest.mark.parametrize(
    ("host", "networks", "useless"),
    [
        ("127.0.0.1", ["127.0.0.0/8", "10.0.0.0/8", "::1/128"], [1, 2]),
        ("localhost", ["127.0.0.1/32", "::1/128", "10.0.0.0/8"], [2]),
        ("0.0.0.0", ["10.0.0.0/8", "2001:db8::/32", "::ffff:10.0.0.0/104"], [1]),  # noqa: S104
        ("192.0.2.7", ["10.0.0.0/8", "::/0"], [1]),
        ("2001:db8::1", ["2001:db8::/32", "10.0.0.0/8"], [1]),
        ("::", ["10.0.0.0/8", "2001:db8::/32"], []),
        ("smpp.example", ["10.0.0.0/8", "2001:db8::/32"], []),
    ],
)
def test_networks(
    host: str, networks: list[str], useless: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks from which nobody can connect to this listener; those of mapped addresses are IPv4."""
    account = {**OPEN, "allow_from": networks}
    code, _, warnings = check(tmp_path, capsys, listen={"host": host}, accounts=[account])
    assert code == 0
    assert [key for key, _ in warnings] == [f"smpp.accounts[0].allow_from[{n}]" for n in useless]
    balanced = {"host": host, "balancers": networks}
    _, _, warnings = check(tmp_path, capsys, listen=balanced, accounts=[account])
    assert [key for key, _ in warnings] == [f"smpp.listen.balancers[{n}]" for n in useless]


def test_everybody_is_a_balancer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then anybody may name any address as the peer: allow_from would be of no use."""
    listen = {"host": "0.0.0.0", "balancers": ["10.0.0.0/8", "0.0.0.0/0"]}  # noqa: S104
    code, _, [(key, reason)] = check(tmp_path, capsys, listen=listen, accounts=[OPEN])
    assert (code, key) == (0, "smpp.listen.balancers[1]")
    assert "name the balancers only" in reason


def test_names_that_no_table_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Access codes, sources, provinces; two centres for one province; an account that lets nobody in."""
    peer = {
        **OPEN,
        "allow_from": [],
        "access_codes": ["161", "12520", "12520050", "999"],
        "sources": ["13800138000", "138*", "1*", "1380", "2*", "0138*"],
    }
    code, faults, warnings = check(
        tmp_path,
        capsys,
        listen={"host": "::"},
        accounts=[peer],
        links=[
            link("a", provinces=["200", "210"], access_codes=["161"]),
            link("b", centre="north", provinces=["200", "777"]),
            link("c", centre="north", provinces=["777", "100"]),
        ],
    )
    assert (code, faults) == (0, {})
    assert [(key, reason.partition(":")[0]) for key, reason in warnings] == [
        ("smpp.accounts[0].allow_from", "is empty"),
        ("smpp.accounts[0].sources", "0138*"),
        ("smpp.accounts[0].sources", "1380"),
        ("smpp.accounts[0].sources", "2*"),
        ("smpp.accounts[0].access_codes", "12520050"),
        ("smpp.accounts[0].access_codes", "999"),
        ("smpp.links[1].provinces", "200"),
        ("smpp.links[1].provinces", "777"),
        ("smpp.links[2].provinces", "777"),
    ]


def test_one_way_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accounts and centres that cannot be sent to, and those that are asked for receipts in vain."""
    asks = {"receipts": {"ask": "always"}}
    code, faults, warnings = check(
        tmp_path,
        capsys,
        accounts=[
            {**OPEN, "allow_from": ["127.0.0.0/8"], "modes": ["transmitter"], **asks},
            {"system_id": "b", "password": "p", "modes": ["receiver"], **asks},
        ],
        links=[
            link("c", bind="receiver"),
            link("d", bind="receiver", backup="c"),
            link("e", bind="transmitter", **asks),
            link("f1", centre="f", bind="transmitter", **asks),
            link("f2", centre="f", bind="receiver", **asks),
        ],
    )
    assert (code, faults) == (0, {})
    assert [(key, reason.partition(":")[0]) for key, reason in warnings] == [
        ("smpp.accounts[0].modes", "no receiver"),
        ("smpp.accounts[1].receipts.ask", "no transmitter"),
        ("smpp.links[0].bind", "no link of c transmits"),
        ("smpp.links[2].receipts.ask", "no link of e receives"),
    ]


def test_what_3_3_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ways of long SMS, PDUs and TLVs that a link of version 3.3 cannot send; another version has them."""
    newer = {"long": "payload", "message": "data_sm", "tlvs": {0x1401: "0A"}, "pass_tlvs": [0x1402]}
    old = {"bind": "pair", "version": "3.3"}
    code, faults, warnings = check(
        tmp_path, capsys, links=[link("a", **newer), link("b", **newer, **old), link("c", **old)]
    )
    assert (code, faults) == (0, {})
    assert [(key, reason.partition(":")[0]) for key, reason in warnings] == [
        ("smpp.links[1].long", "SMPP 3.3 has no TLVs"),
        ("smpp.links[1].message", "SMPP 3.3 has no data_sm"),
        ("smpp.links[1].tlvs", "SMPP 3.3 has no TLVs"),
        ("smpp.links[1].pass_tlvs", "SMPP 3.3 has no TLVs"),
    ]


def test_how_a_warning_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Like a fault, with the word; no fault is said too, and the exit code is 0."""
    config = tmp_path / "config.yaml"
    config.write_text("smpp:\n  accounts:\n    - system_id: smsc\n      password: p\n      allow_from: []\n")
    assert main(["check", "--config", str(config)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{config}:5: smpp.accounts[0].allow_from: warning: is empty: nobody can bind to this account",
        f"{config} and the tables: no faults",
    ]
