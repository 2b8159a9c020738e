"""The section login of the console: log in, log out, and how pages look."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from gateway.operations.console.application import LANGUAGE, LOGIN, THEME, THEMES
from gateway.operations.console.page import Page, Refused, Section, Visit
from gateway.operations.console.rendering import LANGUAGES

YEAR: Final = 365 * 86_400


async def show(visit: Visit) -> Response:
    """The form."""
    return _form(visit, local(visit.request.query_params.get("next", "/")))


async def enter(visit: Visit) -> Response:
    """Check name and password; then go where the visitor wanted to."""
    form = await visit.form()
    name, after = form.get("name", "").strip(), local(form.get("next", "/"))
    try:
        secret = await visit.services.sessions.log_in(visit.request, name, form.get("password", ""))
    except Refused as refused:
        why = refused.said(visit.text)
        return _form(visit, after, why, name, refused.status)
    return with_session(visit, RedirectResponse(after, HTTPStatus.SEE_OTHER), secret)


async def leave(visit: Visit) -> Response:
    """Log out."""
    sessions = visit.services.sessions
    await sessions.log_out(visit.request)
    response = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    response.delete_cookie(sessions.cookie, secure=sessions.secure, httponly=True, samesite="lax")
    return response


async def prefer(visit: Visit) -> Response:
    """Choose a language, or light or dark; then the same page again."""
    form = await visit.form()
    response = RedirectResponse(local(form.get("back", "/")), HTTPStatus.SEE_OTHER)
    secure = visit.services.sessions.secure
    for cookie, allowed in ((LANGUAGE, LANGUAGES), (THEME, THEMES)):
        value = form.get(cookie)
        if value in allowed:
            response.set_cookie(
                cookie, str(value), max_age=YEAR, secure=secure, httponly=True, samesite="lax"
            )
        elif value is not None:
            response.delete_cookie(cookie, secure=secure, httponly=True, samesite="lax")
    return response


def _form(visit: Visit, after: str, why: str = "", name: str = "", status: int = 200) -> Response:
    back = f"{LOGIN}?{urlencode({'next': after})}"
    return visit.page("login.html", status, back=back, after=after, why=why, name=name[:64])


def with_session(visit: Visit, response: Response, secret: str) -> Response:
    """Give the browser its session. Its end is looked after by the gateway: the cookie ends with the
    browser."""
    sessions = visit.services.sessions
    response.set_cookie(sessions.cookie, secret, secure=sessions.secure, httponly=True, samesite="lax")
    return response


def local(path: str) -> str:
    """A path of this console, else "/". Browsers take //host, and \\ like /, for another host."""
    fine = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if fine and path.isascii() else "/"


SECTION = Section(
    "login",
    "",
    None,
    (
        Page(LOGIN, show, None),
        Page(LOGIN, enter, None, method="POST"),
        Page("/logout", leave, None, method="POST"),
        Page("/preferences", prefer, None, method="POST"),
    ),
)
