"""The values that parts of the gateway take, as the configuration has them."""

from typing import Final

from commands.model import ServiceLimits
from gateway.inbound.guard import Guard
from gateway.net.admission import ConnectionLimits
from gateway.net.listener import Account
from gateway.settings import Account as AccountSettings
from gateway.settings import Settings
from gateway.smpp.timers import Timers

MINUTE_MS: Final = 60_000


def guard_of(limits: ServiceLimits) -> Guard:
    return Guard(limits.instructions_per_minute, limits.same_text, limits.same_text_minutes * MINUTE_MS)


def account_of(account: AccountSettings) -> Account:
    return Account(
        account.system_id,
        account.password,
        account.window_in,
        account.window_out,
        account.allow_from,
        account.modes,
    )


def connection_limits_of(settings: Settings) -> ConnectionLimits:
    listen = settings.smpp.listen
    return ConnectionLimits(listen.connections, listen.per_address, listen.unbound)


def timers_of(settings: Settings) -> Timers:
    timers = settings.smpp.timers
    return Timers(
        session_init=timers.session_init,
        enquire_link=timers.enquire_link,
        inactivity=timers.inactivity,
        response=timers.response,
    )
