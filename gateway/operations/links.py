"""Answers the commands of operators about links to SMS centres: lists them, pauses and resumes them."""

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.operations.control import Command, CommandRefused


class Links(Protocol):
    """The links of a gateway (gateway.channels.smpp.links.LinkChannel)."""

    def report(self) -> list[dict[str, Any]]:
        """Each bind of each link."""

    def pause(self, name: str) -> str:
        """Unbind a link, and dial it no more in this run. Gives its state. Raises ValueError."""

    def resume(self, name: str) -> str:
        """Dial it again. Gives its state. Raises ValueError."""


class LinkCommands:
    """The commands. links: None where the gateway has none."""

    def __init__(self, links: Links | None) -> None:
        self._links = links

    @property
    def commands(self) -> Mapping[str, Command]:
        """Return the commands by the names that the control socket uses."""
        return {"links list": self.list, "links pause": self.pause, "links resume": self.resume}

    def report(self) -> list[dict[str, Any]]:
        """Each bind of each link, for `status`."""
        return [] if self._links is None else self._links.report()

    async def list(self) -> "list[dict[str, Any]]":
        """`fetion-gateway links list`."""
        return self.report()

    async def pause(self, name: str) -> str:
        """`fetion-gateway links pause NAME`."""
        try:
            return self._some().pause(name)
        except ValueError as error:
            raise CommandRefused(str(error)) from error

    async def resume(self, name: str) -> str:
        """`fetion-gateway links resume NAME`."""
        try:
            return self._some().resume(name)
        except ValueError as error:
            raise CommandRefused(str(error)) from error

    def _some(self) -> Links:
        if self._links is None:
            raise CommandRefused("this gateway has no links: smpp.links of its configuration is empty")
        return self._links
