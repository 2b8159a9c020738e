"""`mqtt acl`: writes credentials and rights of gateway and provinces for a broker (docs/mqtt.md)."""

import argparse
import os
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

from gateway.cli.config import add_config, settings_of
from gateway.cli.output import complain, sentence
from gateway.operations.broker_rights import (
    CREDENTIALS,
    FILES,
    GATEWAY,
    credentials,
    emqx_acl,
    emqx_users,
    mosquitto_acl,
    mosquitto_passwords,
    read_credentials,
    users,
)
from routing.model import Accepts
from routing.table import Routing

OCTETS: Final = 24
"""Random octets of a password: 32 characters."""
PLAIN: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}")
"""Names of users that need no quotes anywhere."""


class Acl:
    """See gateway.cli.main.Command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --broker, --to and --config."""
        parser.add_argument("--broker", required=True, choices=sorted(FILES), help="which broker it is")
        parser.add_argument(
            "--to",
            type=Path,
            default=Path("broker"),
            metavar="DIR",
            help="folder of the files (default: broker); passwords that are there stay",
        )
        add_config(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Write the files. 1: they cannot be written."""
        broker = settings_of(args).mqtt.broker
        name = (broker and broker.user) or GATEWAY
        if not PLAIN.fullmatch(name):
            return complain(
                f"mqtt.url: the user {name!r} cannot stand in these files: letters and digits can"
            )
        every = users(name, _provinces())
        folder: Path = args.to
        rights, hashes = FILES[args.broker]
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = read_credentials(_read(folder / CREDENTIALS))
            drawn = {user.name: kept.get(user.name) or secrets.token_urlsafe(OCTETS) for user in every}
            passwords = drawn | ({name: broker.password} if broker and broker.password else {})
            if args.broker == "mosquitto":
                texts = {
                    rights: mosquitto_acl(every),
                    hashes: mosquitto_passwords(passwords, _read(folder / hashes), secrets.token_bytes),
                }
            else:
                texts = {rights: emqx_acl(every), hashes: emqx_users(passwords, secrets.token_bytes)}
            if passwords != drawn:
                del drawn[name]  # it stands in the configuration, and has no second place
            for file, text in {CREDENTIALS: credentials(kept | drawn), **texts}.items():
                _write(folder / file, text)
        except OSError as error:
            return complain(sentence(error))
        except UnicodeDecodeError as error:
            return complain(f"{folder}: a file of passwords is not UTF-8 ({error}): move it away")
        sys.stdout.write(f"{folder / rights}: rights of {len(every)} users\n")
        sys.stdout.write(f"{folder / hashes}: their passwords, hashed\n")
        sys.stdout.write(f"{folder / CREDENTIALS}: their passwords in clear: give each user its own\n")
        return 0


def _provinces() -> list[str]:
    """The codes of the provinces that have numbers of their own."""
    routing = Routing.load()
    base = routing.notice_from()
    return [c for c in sorted(routing.provinces) if routing.resolve(base + c).accepts is Accepts.PROVINCE]


def _read(path: Path) -> str:
    """Its text; "" where there is none."""
    return path.read_text("utf-8") if path.exists() else ""


def _write(path: Path, text: str) -> None:
    """Replace a file whole; only its owner may read it."""
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with permissions 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise


acl = Acl()
