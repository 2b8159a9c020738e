"""The certificate that browsers are shown. It imports nothing of the pages: `check` asks it too."""

from collections.abc import Iterator

from gateway.net.tls import Contexts, ServerFiles, TlsFault, Told, load
from gateway.operations.console.settings import Console, ConsoleListen
from routing.tablefile import KeyPath


def faults_of(settings: Console, now_ms: int) -> Iterator[tuple[KeyPath, str]]:
    """Yield the settings of TLS whose files cannot be used, each with the reason."""
    tls = None if settings.listen is None else settings.listen.tls
    if tls is None:
        return
    place = ("console", "listen", "tls")
    try:
        own = load(ServerFiles(tls.cert, tls.key)).own
    except TlsFault as fault:
        yield (*place, fault.key), str(fault)
    else:
        if own is not None and (reason := own.fault(now_ms)):
            yield (*place, "cert"), f"{tls.cert}: {reason}"


def contexts_of(listen: ConsoleListen, told: Told) -> Contexts | None:
    """The context of TLS; None: there is none. Raises TlsFault, which names the setting."""
    if listen.tls is None:
        return None
    try:
        return Contexts("console", ServerFiles(listen.tls.cert, listen.tls.key), told)
    except TlsFault as fault:
        raise TlsFault(fault.key, f"console.listen.tls.{fault.key}: {fault}") from None
