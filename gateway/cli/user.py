"""`user add|list|change|password|disable|enable|remove|token`: accounts of the console (docs/console.md).

A running gateway is asked over its control socket, and what an account has lost ends at once. Without one the
store is opened. A password is typed, or is the first line of standard input; only its hash leaves this
process.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from commands.tables import Tables
from gateway.cli.inspect import print_columns
from gateway.cli.output import complain, print_json
from gateway.cli.showing import add_common, guarded, say
from gateway.clock import SystemClock
from gateway.operations.console.accounts import WEAK, AccountFault, Users, weakness
from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.operations.control import NotRunning, ask
from gateway.operations.timeline.records import utc
from gateway.secrets import Hasher
from gateway.settings import Settings
from gateway.storage.contract import StorageError, Store
from gateway.storage.engines import open_store

_COLUMNS = ("NAME", "ROLE", "PROVINCE", "STATE", "SINCE", "LOGINS", "TOKENS")


class UserCommand:
    """One of them. word: what is done. options: declares what it takes beside NAME. values: the arguments of
    the gateway's command. said: what is printed, with the name and the answer."""

    def __init__(
        self,
        word: str,
        options: Callable[[argparse.ArgumentParser], None],
        values: Callable[[argparse.Namespace], dict[str, str]],
        said: str,
    ) -> None:
        self._word = word
        self._options = options
        self._values = values
        self._said = said

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare NAME and the options."""
        parser.add_argument("name", metavar="NAME", help="name of the account")
        self._options(parser)
        add_common(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Do it, in the running gateway or in its store."""
        return guarded(self._run, args)

    def _run(self, args: argparse.Namespace, settings: Settings) -> int:
        try:
            values = self._values(args)
            answer = asyncio.run(_do(settings, f"user_{self._word}", name=args.name, **values))
        except StorageError as error:
            return complain(error)
        if args.json:
            print_json({"name": args.name} | ({"secret": answer} if self._word == "token" else {}))
        else:
            say(self._said.format(name=args.name, answer=answer))
        return 0


class ListUsers:
    """`user list`: lists the accounts."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the common options."""
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per account."""
        return guarded(_list, args)


def _list(args: argparse.Namespace, settings: Settings) -> int:
    try:
        found = asyncio.run(_do(settings, "user_list"))
    except StorageError as error:
        return complain(error)
    if args.json:
        for each in found:
            print_json(each | {"created_at": utc(each["created_at"])})
    elif not found:
        sys.stdout.write("nobody has an account: user add NAME --role administrator makes the first\n")
    else:
        print_columns(_COLUMNS, [_row(each) for each in found])
    return 0


def _row(account: dict[str, Any]) -> list[str]:
    since = datetime.fromtimestamp(account["created_at"] / 1000, UTC).strftime("%Y-%m-%d")
    state = "disabled" if account["disabled"] else "active"
    tokens = ", ".join(account["tokens"]) or "-"
    begin = [account["name"], account["role"], account["province"], state]
    return [*begin, since, str(account["sessions"]), tokens]


async def _do(settings: Settings, command: str, **arguments: str) -> Any:
    """Ask the running gateway; without one, do it here. Raises CommandRefused, StorageError, TableError."""
    try:
        return await ask(settings.storage.path, command, **arguments)
    except NotRunning:
        provinces = Tables.load(settings.tables.folder).routing.provinces
        store = _opened(settings)
        try:
            users = Users(store, SystemClock().now_ms, lambda: provinces)
            return await users.commands[command](**arguments)
        finally:
            await store.close()


def _opened(settings: Settings) -> Store:
    storage, node = settings.storage, settings.node
    if storage.in_file:
        return open_store(storage.path)
    return open_store(storage.url, node.name or "", node.lease)


def _hashed(args: argparse.Namespace) -> dict[str, str]:
    """The password that somebody types, as argon2. Raises AccountFault."""
    password = _typed()
    if why := weakness(args.name, password):
        raise AccountFault(f"the password {WEAK[why]}: take another one")

    async def hashed() -> str:
        hasher = Hasher(workers=1)
        try:
            return await hasher.hash(password)
        finally:
            hasher.close()

    return {"hashed": asyncio.run(hashed())}


def _typed() -> str:
    """Twice on a terminal, where it is not shown; else the first line of standard input."""
    if sys.stdin is None or not sys.stdin.isatty():
        line = "" if sys.stdin is None else sys.stdin.readline(4096)
        return line.rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise AccountFault("the two passwords differ: type it again")
    return password


def _nothing(parser: argparse.ArgumentParser) -> None:
    del parser


def _of_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", required=True, choices=[each.value for each in Role], help="what it may do")
    parser.add_argument(
        "--province",
        default=HEADQUARTERS,
        metavar="CODE",
        help="the only province that it sees (default: %(default)s, headquarters, which sees all)",
    )


def _of_change(parser: argparse.ArgumentParser) -> None:
    roles = [each.value for each in Role]
    parser.add_argument("--role", default="", choices=roles, help="what it may do (default: as it is)")
    parser.add_argument(
        "--province",
        default="",
        metavar="CODE",
        help=f"the only province that it sees, {HEADQUARTERS} for all (default: as it is)",
    )


def _of_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--token", required=True, metavar="NAME", help="what the token is called")
    parser.add_argument("--days", default="365", metavar="N", help="for how long it is valid (default: 365)")


user_list = ListUsers
user_add = UserCommand(
    "add",
    _of_account,
    lambda args: {"role": args.role, "province": args.province, **_hashed(args)},
    "{name} may log in",
)
user_change = UserCommand(
    "change",
    _of_change,
    lambda args: {"role": args.role, "province": args.province},
    "{name} is changed, and is logged out; its tokens have the new rights",
)
user_password = UserCommand("password", _nothing, _hashed, "{name} has another password, and is logged out")
user_disable = UserCommand("disable", _nothing, lambda _: {}, "{name} is disabled, and is logged out")
user_enable = UserCommand("enable", _nothing, lambda _: {}, "{name} may log in again")
user_remove = UserCommand("remove", _nothing, lambda _: {}, "{name} is removed")
user_token = UserCommand(
    "token", _of_token, lambda args: {"token": args.token, "days": args.days}, "{answer}"
)
