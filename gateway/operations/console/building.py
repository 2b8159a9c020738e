"""Builds the console: its sections, in the order of the navigation, around the services of the gateway."""

from starlette.requests import Request

from gateway.operations.console.application import Application
from gateway.operations.console.page import Section
from gateway.operations.console.pages import api, customers, messages, overview, phones, statistics, tables
from gateway.operations.console.rights import Viewer
from gateway.operations.console.server import ConsoleServer
from gateway.operations.console.services import Services

SECTIONS: tuple[Section, ...] = (
    overview.SECTION,
    phones.SECTION,
    messages.SECTION,
    customers.SECTION,
    statistics.SECTION,
    tables.SECTION,
)
"""The sections, in the order of the navigation."""

EVERY: tuple[Section, ...] = (*SECTIONS, api.section(SECTIONS))
"""Everything that can be asked for."""


class Nobody:
    """Knows no account yet."""

    async def viewer(self, request: Request) -> Viewer | None:
        """Nobody's."""
        del request
        return None


def build_console(services: Services) -> ConsoleServer | None:
    """The server of a gateway's console; None where the configuration wants none."""
    listen = services.settings.listen
    if listen is None:
        return None
    application = Application(services, EVERY, Nobody())
    return ConsoleServer(application, listen, services.settings.connections)
