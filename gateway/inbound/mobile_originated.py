"""A mobile originated SMS after it was read: its sender, route and meaning."""

from dataclasses import dataclass

from commands.model import Understood
from commands.tables import Tables
from gateway.channels.contract import Inbound
from gateway.message import AskedFor
from routing.model import Route


@dataclass(slots=True, eq=False)
class MobileOriginated:
    """One SMS on its way to a handler. gateway.inbound completes it; execution does not change it.

    number: drawn for it; message_id: the same as text. came: the SMS itself. msisdn: the customer's number,
    which is the main number where the source is a second one. tables: with which it was read; with them it is
    handled to its replies, whatever is in force meanwhile. understood: None while a part of a long message
    waits for the others. joined: the SMS in which the other parts came; asked: of those whose
    sender wants to be told of them; parts: how many it has. secret,
    secret_hash: a password that was hashed beforehand. fault: what a bug raised on its way here. at: when its
    batch began (ms). digest: by what a retransmission of it is known. seen: of
    equal SMS of other nodes, by number, how many commits their node had made when they were first seen, and
    when that was (monotonic seconds).
    """

    number: int
    message_id: str
    came: Inbound
    msisdn: str
    route: Route
    tables: Tables
    understood: Understood | None = None
    parts: int = 1
    joined: tuple[int, ...] = ()
    asked: tuple[AskedFor, ...] = ()
    secret: str = ""
    secret_hash: str = ""
    fault: Exception | None = None
    at: int = 0
    digest: bytes = b""
    seen: dict[int, tuple[int, float]] | None = None

    @property
    def handset(self) -> str:
        """The customer's number, or the source where it is none."""
        return self.msisdn or self.came.source
