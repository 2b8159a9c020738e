"""A gateway of one's own for a test: free port, fresh store, real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app import Gateway
from gateway.cli.demo import demo_settings
from gateway.operations.logs import open_log
from gateway.simulator.handset import Account


@asynccontextmanager
async def running_gateway(folder: Path) -> AsyncIterator[Account]:
    """A gateway as the demo starts it; gives where and as whom to bind."""
    settings = demo_settings(folder, folder / "gateway.log", free_port=True)
    account = settings.smpp.default_account
    assert account is not None
    log = open_log(settings.logging)
    try:
        async with Gateway(settings, log) as gateway:
            yield Account("127.0.0.1", gateway.port, account.system_id, account.password)
    finally:
        log.close()
