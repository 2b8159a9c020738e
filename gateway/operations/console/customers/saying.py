"""Why something was refused, in the language of the page; the API speaks English."""

from http import HTTPStatus

from gateway.operations.console.page import Refused, Visit

API: str = "/api/"


def is_api(visit: Visit) -> bool:
    """Whether a machine asks."""
    return visit.request.url.path.startswith(API)


def refused(visit: Visit, status: HTTPStatus, key: str, **values: object) -> Refused:
    """The refusal with a text of texts/customers.yaml."""
    language = "en" if is_api(visit) else visit.language
    return Refused(status, visit.rendering.text(language, f"customers.{key}", values))
