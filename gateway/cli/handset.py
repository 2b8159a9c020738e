"""`handset send` and `handset chat`: take address and account from --config and the environment."""

import argparse
from ipaddress import ip_address
from typing import Final

from gateway.cli.config import add_config, settings_of
from gateway.cli.main import Command
from gateway.cli.output import complain
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
        if reason := _obstacle(settings, args):
            return complain(reason)
        args.host = args.host or reachable(settings)
        args.port = args.port or settings.smpp.listen.port
        args.system_id = args.system_id or (account.system_id if account else None)
        args.password = args.password or password_of(settings, args.system_id)
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


def _obstacle(settings: Settings, args: argparse.Namespace) -> str:
    """Return why nobody can bind at the gateway of the configuration; "": somebody can, or another peer is
    named."""
    if args.host or args.port:
        return ""
    elsewhere = "where an SMS centre listens: --host, --port, --system-id, --password"
    if not settings.smpp.accounts:
        return f"smpp.accounts is empty: a handset cannot bind at this gateway; say {elsewhere}"
    if settings.smpp.listen.tls is not None:
        return f"smpp.listen.tls: the gateway speaks TLS, and this command does not; say {elsewhere}"
    return ""


def password_of(settings: Settings, system_id: str | None) -> str | None:
    """Return the password of an account, or None if there is no such account."""
    return next((each.password for each in settings.smpp.accounts if each.system_id == system_id), None)
