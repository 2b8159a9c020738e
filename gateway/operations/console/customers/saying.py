"""Whether a machine or a browser asks."""

from gateway.operations.console.page import Visit

API: str = "/api/"


def is_api(visit: Visit) -> bool:
    """Whether a machine asks."""
    return visit.request.url.path.startswith(API)
