"""Who is at the other end, for observers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A bind (gateway.observer.Remote)."""

    account: str = "smsc"
    peer: str = "10.0.0.1:2775"
    number: int = 1
