"""Links and backups for an outbox in memory."""

from gateway.channels.driver import AccountTerms
from gateway.channels.smpp.composing import SmppComposer
from gateway.channels.smpp.settings import LinkSettings
from gateway.outbound.backups import Backup, Backups
from tests.peers import Sending
from tests.proofs.served import SYSTEM_ID
from tests.support import GSM


def link(name: str = "north", **more: object) -> LinkSettings:
    """The settings of a link."""
    usual = {"name": name, "host": "centre", "system_id": "us", "password": "secret"}
    return LinkSettings.model_validate({**usual, **more})


def with_backups(sending: Sending, **backups: tuple[str, float]) -> Backups:
    """Give accounts of an outbox a backup: by account, its name and after how many seconds. Account `south`
    writes mobiles with 86."""
    composer = SmppComposer({})
    accounts = {
        SYSTEM_ID: AccountTerms(composer),
        "north": AccountTerms(composer),
        "other": AccountTerms(composer),
        "south": AccountTerms(composer, "86", 1, 1),
    }
    terms = {account: Backup(*each) for account, each in backups.items()}
    sending.outbox.backups = Backups(terms, sending.binds, accounts)
    sending.advance(0)
    return sending.outbox.backups


__all__ = ["GSM", "link", "with_backups"]
