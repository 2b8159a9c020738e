"""The section `telemetry` of the configuration."""

from importlib.util import find_spec
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from routing.tablefile import Closed

PATH: Final = "/v1/traces"
MISSING: Final = "needs OpenTelemetry: pip install 'fetion-gateway[otel]', or set it to null"


def _endpoint(text: str) -> str:
    """The URL to which spans are sent, with its path."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_port(parts):
        raise ValueError(f"{text!r} is no URL of a collector: write http://host:4318")
    if not is_installed():
        raise ValueError(MISSING)
    return text if parts.path.strip("/") else text.rstrip("/") + PATH


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or is left out."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def is_installed() -> bool:
    """Whether the extra `otel` is there."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


class Telemetry(Closed):
    """endpoint: of a collector of OpenTelemetry (OTLP over HTTP); null: no spans are made."""

    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
