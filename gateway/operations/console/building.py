"""Builds the console: its sections, in the order of the navigation, around the services of the gateway."""

from gateway.operations.console.application import Application
from gateway.operations.console.page import Section
from gateway.operations.console.pages import (
    account,
    api,
    audit,
    customers,
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
