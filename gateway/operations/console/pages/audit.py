"""The section audit of the console: who has an account, and what was done."""

from typing import Final

from starlette.responses import Response

from gateway.operations.console.accounts import COMMAND_LINE
from gateway.operations.console.audited import Did
from gateway.operations.console.masks import masking_texts
from gateway.operations.console.page import Page, Section, Visit
from gateway.operations.console.rights import Right, Role
from gateway.storage.accounts import AuditEntry

ROWS: Final = 100
NEWEST: Final = (1 << 63) - 1
MOBILE: Final = 11
"""Digits of a mobile, the middle four of which are hidden."""


async def show(visit: Visit) -> Response:
    """Accounts, and the last entries; with ?before= older ones."""
    store = visit.services.store
    said = visit.request.query_params.get("before", "")
    before = int(said) if said.isascii() and said.isdigit() and len(said) <= len(str(NEWEST)) else NEWEST
    found = await store.audit(min(before, NEWEST), ROWS)
    mask = masking_texts()  # of reasons, which may name a number
    rows = [
        entry._asdict()
        | {"at": visit.time(entry.at), "subject": masked(entry.subject), "action": action_of(visit, entry)}
        | {"reason": mask(_reason(visit, entry)), "account": _account(visit, entry)}
        for _, entry in found
    ]
    older = found[-1][0] if len(found) == ROWS else 0
    first = before == NEWEST
    accounts = await store.accounts() if first else []
    return await visit.drawn("audit.html", rows=rows, older=older, accounts=accounts, first=first)


def masked(subject: str) -> str:
    """A mobile without its middle digits; everything else as it is."""
    mobile = subject.isascii() and subject.isdigit() and len(subject) == MOBILE
    return f"{subject[:3]}****{subject[7:]}" if mobile else subject


def action_of(visit: Visit, entry: AuditEntry) -> str:
    """What was done, in words; what a later version of the gateway has written stays as it is."""
    try:
        return visit.text(f"audit.did_{Did(entry.action).name.lower()}")
    except ValueError:
        return entry.action


def _reason(visit: Visit, entry: AuditEntry) -> str:
    """Why. Of an account that was added or changed the role and the province."""
    role, _, province = entry.reason.partition(" ")
    if entry.action not in {Did.ADDED, Did.CHANGED} or role not in set(Role):
        return entry.reason
    return f"{visit.text(f'base.role_{role}')} {province}"


def _account(visit: Visit, entry: AuditEntry) -> str:
    return visit.text("audit.command_line") if entry.account == COMMAND_LINE else entry.account


SECTION = Section("audit", "/audit", Right.ACCOUNTS, (Page("/audit", show, Right.ACCOUNTS),))
