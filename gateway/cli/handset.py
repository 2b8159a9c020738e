"""`handset send` and `handset chat`: take address and account from --config and the environment."""

import argparse
from ipaddress import ip_address
from typing import Final

from gateway.cli.config import add_config, settings_of
from gateway.cli.main import Command
from gateway.settings import Settings
from gateway.simulator import cli


class Configured:
    """A command of gateway.simulator.cli, which itself knows no configuration."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        self._command.add_arguments(parser)
        add_config(parser)

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command. The command line overrides the configuration."""
        settings = settings_of(args)
        account = settings.smpp.default_account
        args.host = args.host or reachable(settings)
        args.port = args.port or settings.smpp.listen.port
        args.password = args.password or password_of(settings, args.system_id or account.system_id)
        args.system_id = args.system_id or account.system_id
        return self._command.run(args)


handset_send: Final = Configured(cli.handset_send)
handset_chat: Final = Configured(cli.handset_chat)


def reachable(settings: Settings) -> str:
    """Return the host to connect to: loopback if the gateway listens on every address."""
    host = settings.smpp.listen.host
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def password_of(settings: Settings, system_id: str) -> str | None:
    """Return the password of an account, or None if there is no such account."""
    accounts = {account.system_id: account.password for account in settings.smpp.accounts}
    return accounts.get(system_id)
