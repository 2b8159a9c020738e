"""Builds the console: its sections, in the order of the navigation, around the services of the gateway."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.operations.console.accounts import Users
from gateway.operations.console.application import Application
from gateway.operations.console.page import Section
from gateway.operations.console.pages import (
    account,
    api,
    audit,
    customers,
    health,
    login,
    messages,
    overview,
    phones,
    statistics,
    tables,
)
from gateway.operations.console.server import ConsoleServer
from gateway.operations.console.services import Services

_OWN: tuple[Section, ...] = (
    overview.SECTION,
    phones.SECTION,
    messages.SECTION,
    customers.SECTION,
    statistics.SECTION,
    tables.SECTION,
    audit.SECTION,
    account.SECTION,
    login.SECTION,
    health.SECTION,
)
"""The sections, in the order of the navigation."""

SECTIONS: tuple[Section, ...] = (*_OWN, api.section(_OWN))
"""Everything that can be asked for."""


def build_console(services: Services) -> ConsoleServer | None:
    """The server of a gateway's console; None where the configuration wants none."""
    listen = services.settings.listen
    if listen is None:
        return None
    application = Application(services, SECTIONS, services.sessions)
    return ConsoleServer(application, services, listen)


def user_commands(services: Services) -> dict[str, Callable[..., Any]]:
    """What `fetion-gateway user` asks of a running gateway."""

    def provinces() -> Mapping[str, Any]:
        return services.in_force.tables.routing.provinces

    return Users(services.store, services.clock.now_ms, provinces, services.sessions.forget).commands
