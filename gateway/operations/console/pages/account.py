"""The section account of the console: one's own password, browsers and tokens."""

from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from gateway.operations.console.accounts import weakness
from gateway.operations.console.page import Page, Refused, Section, Visit
from gateway.operations.console.pages.login import with_session
from gateway.operations.console.rights import Right
from gateway.operations.console.sessions import digest_of

PATH = "/account"


async def show(visit: Visit) -> Response:
    """Who one is, and where one is logged in."""
    return await _page(visit)


async def change(visit: Visit) -> Response:
    """Change one's own password. Every other browser is logged out."""
    form = await visit.form()
    old, new = form.get("old", ""), form.get("new", "")
    if new != form.get("again", ""):
        return await _page(visit, visit.text("account.differ"), HTTPStatus.BAD_REQUEST)
    if why := weakness(visit.viewer.name, new):
        return await _page(visit, visit.text(f"account.{why}"), HTTPStatus.BAD_REQUEST)
    sessions = visit.services.sessions
    try:
        secret = await sessions.change_password(visit.request, visit.viewer.name, old, new)
    except Refused as refused:
        why = refused.said(visit.text)
        return await _page(visit, why, refused.status)
    return with_session(visit, RedirectResponse(PATH, HTTPStatus.SEE_OTHER), secret)


async def end(visit: Visit) -> Response:
    """Log out another browser, or end a token."""
    form = await visit.form()
    try:
        digest = bytes.fromhex(form.get("session", ""))
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "account.bad_session") from error
    await visit.services.sessions.end(visit.viewer.name, [digest])
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


async def _page(visit: Visit, why: str = "", status: int = 200) -> Response:
    sessions = visit.services.sessions
    own = digest_of(sessions.secret_of(visit.request))
    found = await sessions.of_account(visit.viewer.name)
    rows = [
        {
            "digest": each.digest.hex(),
            "token": each.token,
            "here": each.digest == own,
            "since": visit.time(each.created_at),
            "seen": visit.time(each.seen_at),
            "until": visit.time(each.expires_at),
        }
        for each in found
    ]
    rights = sorted(visit.viewer.rights)
    return visit.page("account.html", status, back=PATH, rows=rows, why=why, rights=rights)


SECTION = Section(
    "account",
    "",
    Right.OWN,
    (
        Page(PATH, show, Right.OWN),
        Page(f"{PATH}/password", change, Right.OWN, method="POST"),
        Page(f"{PATH}/end", end, Right.OWN, method="POST"),
    ),
)
