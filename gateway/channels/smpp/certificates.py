"""TLS of the listener and of links, from the section `smpp`: contexts, and the faults of their files."""

from collections.abc import Iterator

from gateway.channels.smpp.settings import ClientTls, LinkSettings, ServerTls, Smpp
from gateway.net.tls import DAY_MS, ENDING_DAYS, ClientFiles, Contexts, ServerFiles, TlsFault, Told, load
from routing.tablefile import KeyPath

__all__ = ["TlsFault", "ending", "faults_of", "of_link", "of_listener", "unverified"]

Place = tuple[KeyPath, ServerFiles | ClientFiles]


def of_listener(tls: ServerTls | None, told: Told) -> Contexts | None:
    """The context for connections that come in; None: no TLS. Raises TlsFault."""
    return None if tls is None else _contexts("listener", "smpp.listen.tls", _server(tls), told)


def of_link(link: LinkSettings, told: Told) -> Contexts | None:
    """The context for connections of a link; None: no TLS. Raises TlsFault."""
    if link.tls is None:
        return None
    return _contexts(link.name, f"smpp.links: {link.name}: tls", _client(link.tls), told)


def _contexts(name: str, place: str, files: ServerFiles | ClientFiles, told: Told) -> Contexts:
    """Raises TlsFault, which says where the setting stands."""
    try:
        return Contexts(name, files, told)
    except TlsFault as fault:
        raise TlsFault(fault.key, f"{place}.{fault.key}: {fault}") from None


def _server(tls: ServerTls) -> ServerFiles:
    return ServerFiles(tls.cert, tls.key, tls.client_ca)


def _client(tls: ClientTls) -> ClientFiles:
    return ClientFiles(tls.ca, tls.cert, tls.key, tls.verify)


def _places(smpp: Smpp) -> Iterator[Place]:
    """Where TLS is set, and with which files."""
    if smpp.listen.tls is not None:
        yield ("smpp", "listen", "tls"), _server(smpp.listen.tls)
    for position, link in enumerate(smpp.links):
        # One of cert and key without the other is a fault of its own (gateway.settings).
        if link.tls is not None and (link.tls.cert is None) is (link.tls.key is None):
            yield ("smpp", "links", position, "tls"), _client(link.tls)


def faults_of(smpp: Smpp, now_ms: int) -> Iterator[tuple[KeyPath, str]]:
    """Yield the settings whose files cannot be used, each with the reason."""
    for place, files in _places(smpp):
        try:
            own = load(files).own
        except TlsFault as fault:
            yield (*place, fault.key), str(fault)
        else:
            if own is not None and (reason := own.fault(now_ms)):
                yield (*place, "cert"), f"{files.cert}: {reason}"


def ending(smpp: Smpp, now_ms: int) -> Iterator[tuple[KeyPath, str]]:
    """Yield the certificates of ours that are valid, and not for long any more."""
    for place, files in _places(smpp):
        try:
            own = load(files).own
        except TlsFault:
            continue  # a fault
        if own is not None and now_ms < own.ends_ms < now_ms + ENDING_DAYS * DAY_MS:
            yield (*place, "cert"), f"{files.cert}: ends at {own.not_after}: replace it by a new one"


def unverified(smpp: Smpp) -> Iterator[KeyPath]:
    """Yield the settings by which anybody is believed to be the peer."""
    for position, link in enumerate(smpp.links):
        if link.tls is not None and not link.tls.verify:
            yield "smpp", "links", position, "tls", "verify"
