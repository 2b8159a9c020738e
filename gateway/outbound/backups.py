"""Which account has the SMS of one that has had no receiver for a while."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.channels.driver import AccountTerms
from gateway.message import MobileTerminated
from gateway.outbound.selection import Binds

STEP: Final = 2_000
"""SMS that are moved at once."""
AGAIN: Final = 1.0
"""Seconds until another look at SMS of an account of which none could be moved."""


@dataclass(frozen=True, slots=True)
class Backup:
    """account: where SMS leave when there has been no receiver for `after` seconds."""

    account: str
    after: float


class Backups:
    """The backups of a gateway, and where the SMS of each handset went.

    terms: by account. spelled: of all accounts.
    """

    def __init__(
        self, terms: Mapping[str, Backup], binds: Binds, spelled: Mapping[str, AccountTerms]
    ) -> None:
        self._terms = terms
        self._binds = binds
        self._spelled = spelled
        self._down: dict[str, float] = {}  # since when an account has no receiver
        self._not_before: dict[str, float] = {}
        self._away: dict[tuple[str, str], str] = {}  # by account and handset

    def look(self, now: float) -> None:
        """Note which accounts have a receiver now."""
        for account in self._terms:
            if self._binds.receive(account):
                self._down.pop(account, None)
                self._not_before.pop(account, None)
            else:
                self._down.setdefault(account, now)

    def next(self, waiting: Iterable[str]) -> float | None:
        """When SMS of one of these accounts may be moved; None: never. It may be over."""
        times = [
            max(since + self._terms[account].after, self._not_before.get(account, 0.0))
            for account in waiting
            if (since := self._down.get(account)) is not None
        ]
        return min(times, default=None)

    def targets(self, waiting: Iterable[str], now: float) -> dict[str, str]:
        """Where the SMS of each of these accounts go now; those that stay are absent."""
        found = {}
        for account in waiting:
            if now >= self._not_before.get(account, 0.0) and (target := self._target(account, now)):
                found[account] = target
        return found

    def _target(self, account: str, now: float) -> str:
        """The first of its backup, the backup of that, and so on that receives; "" for none. Each before it
        has been down for long enough, and none is asked twice."""
        seen = {account}
        while (since := self._down.get(account)) is not None and now >= since + self._terms[account].after:
            account = self._terms[account].account
            if self._binds.receive(account):
                return account
            if account in seen or account not in self._terms:
                break
            seen.add(account)
        return ""

    def elsewhere(self, targets: Mapping[str, str]) -> Callable[[str, str], str]:
        """Where an SMS of an account to a handset goes, "" for nowhere: the target may not ask for it, and a
        receipt, which is for no handset, is of nobody else's SMS."""

        def where(account: str, msisdn: str) -> str:
            target = targets.get(account, "") if msisdn else ""
            return target if target and self._binds.claim(target, msisdn) >= 0 else ""

        return where

    def stayed(self, accounts: Iterable[str], now: float) -> None:
        """Nothing of these could be moved: look again later where it was time to."""
        for account in accounts:
            since = self._down.get(account)
            if since is not None and now >= since + self._terms[account].after:
                self._not_before[account] = now + AGAIN

    def move(self, sms: MobileTerminated, account: str) -> None:
        """Make an SMS one of another account: spelled and composed as that wants it. Parts that the old one
        has acknowledged leave again."""
        self._away[sms.account, sms.msisdn] = account
        self._away.pop((account, sms.msisdn), None)
        terms = self._spelled[account]
        sms.account, sms.bind, sms.avoid, sms.not_before = account, 0, (), 0.0
        sms.destination, sms.ton, sms.npi = terms.prefix + sms.msisdn, terms.ton, terms.npi
        sms.source_ton, sms.source_npi = 0, 1
        sms.repeat = sms.repeat or sms.parts_done > 0
        sms.parts_done, sms.segments = 0, ()
        sms.leaves_anew = True

    def follow(self, sms: MobileTerminated, waits_for: Callable[[str, str], bool]) -> str:
        """The account to which earlier SMS of its account and handset went, if they still wait there; else
        "". There it must wait too."""
        account = sms.account
        while (target := self._away.get((account, sms.msisdn))) is not None:
            account = target
        if account == sms.account:
            return ""
        if waits_for(account, sms.msisdn):
            return account
        del self._away[sms.account, sms.msisdn]
        return ""

    def forget(self, waits_for: Callable[[str, str], bool]) -> None:
        """Forget where SMS went which have left."""
        for key, target in list(self._away.items()):
            if (target, key[1]) not in self._away and not waits_for(target, key[1]):
                del self._away[key]

    @property
    def any_away(self) -> bool:
        """Whether SMS of some handset went elsewhere."""
        return bool(self._away)


def backups_of(
    settings: Mapping[str, tuple[str, float]], binds: Binds, accounts: Mapping[str, AccountTerms]
) -> Backups | None:
    """Of the configuration: by account, its backup and after how many seconds. None where none has one."""
    return (
        Backups({name: Backup(*each) for name, each in settings.items()}, binds, accounts)
        if settings
        else None
    )
