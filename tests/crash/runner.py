"""`python -m tests.crash.runner`: what `fetion-gateway serve` runs, with a store that dies when told to."""

import argparse
import asyncio
import os
import signal
from pathlib import Path

from gateway.app import Environment, Gateway
from gateway.cli.serve import new_event_loop
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.testing import CHEAP
from tests.crash.stores import AnswersFirst, MortalStore, Wish, opener

STORES = {"honest": MortalStore, "answers-first": AnswersFirst}


async def serve(config: Path, wish: Wish, kind: type[MortalStore]) -> None:
    """Run until SIGTERM, or until the wish comes true."""
    settings = load(config, os.environ)
    log = open_log(settings.logging)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Gateway(settings, log, Environment(hash_cost=CHEAP, open_store=opener(kind, wish))):
        await stop.wait()
    log.close()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--wish", type=Path, required=True)
    parser.add_argument("--store", choices=STORES, default="honest")
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(args.config, Wish(args.wish), STORES[args.store]))


if __name__ == "__main__":
    main()
