"""Which host a request names, where it comes from, and whether a page of ours has sent it."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gateway.operations.console.settings import Console

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
LONGEST_ADDRESS: Final = 64


class Hosts:
    """Names under which the console may be asked for. A page of another name (DNS rebinding) is refused."""

    def __init__(self, settings: Console) -> None:
        listen = settings.listen
        own = () if listen is None else (listen.host, f"[{listen.host}]")
        self._names = LOOPBACK | {name.lower().rstrip(".") for name in (*own, *settings.names)}

    def knows(self, hosts: Iterable[str], address: str) -> bool:
        """Whether a request names a host of ours. hosts: its headers `Host`; address: where it arrived."""
        given = list(hosts)
        if len(given) != 1:
            return False
        name = name_of(given[0])
        # An address is no name that somebody else may point at us.
        return name in self._names or name in {address.lower(), f"[{address.lower()}]"}


def name_of(host: str) -> str:
    """A header `Host` without its port: small letters."""
    name, colon, port = host.strip().lower().rpartition(":")
    whole = name if colon and port.isdigit() and (not name.startswith("[") or name.endswith("]")) else ""
    return (whole or host.strip().lower()).rstrip(".")


def same_origin(request: HTTPConnection) -> bool:
    """Whether a page of ours has sent a request: by Sec-Fetch-Site, else by Origin. Neither: no."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("origin", "")).netloc.lower()
    except ValueError:
        return False
    return origin != "" and origin == request.headers.get("host", "").lower()


def remote_of(request: HTTPConnection, *, behind_proxy: bool) -> str:
    """The address of the browser. Behind a proxy it is what that proxy has added last: to
    a header of the browser's, or as another one."""
    if behind_proxy and (said := request.headers.getlist("x-forwarded-for")):
        return said[-1].rpartition(",")[2].strip()[:LONGEST_ADDRESS]
    return request.client.host if request.client else ""
