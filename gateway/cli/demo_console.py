"""The console of the demo: where it listens, and the account that is made for whoever looks at it."""

import secrets
import socket
from typing import Final

from gateway.app import Gateway
from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.operations.console.settings import Console
from gateway.secrets import HashCost, Hasher
from gateway.storage.accounts import Account

NAME: Final = "demo"
PHONES: Final = "13900000000-13900000002"
"""Handsets that the page of phones may play."""
OCTETS: Final = 9
"""Random ones of the password: 12 characters."""


def console_settings(console: Console, *, free_port: bool) -> Console:
    """The console of a demo. free_port, or where the usual port is in use: another one."""
    if console.listen is None:
        return console
    listen = console.listen
    if free_port or not _is_free(listen.host, listen.port):
        listen = listen.model_copy(update={"port": 0})
    return console.model_copy(update={"listen": listen, "phones": (PHONES,)})


async def visitor(gateway: Gateway, cost: HashCost | None = None) -> str:
    """Make the account. Returns what the reader needs to log in; "" where there is no console."""
    console = gateway.console
    if console is None:
        return ""
    password = secrets.token_urlsafe(OCTETS)
    hasher = Hasher(cost, workers=1)
    try:
        hashed = await hasher.hash(password)
    finally:
        hasher.close()
    now = console.application.services.clock.now_ms()
    await gateway.store.put_account(Account(NAME, hashed, Role.ADMINISTRATOR, HEADQUARTERS, now))
    return f"{console.url}  account {NAME}  password {password}"


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False
