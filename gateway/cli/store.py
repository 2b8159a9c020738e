"""`store migrate`: copies a store on SQLite into an empty one on PostgreSQL, and checks the copy."""

import argparse
import sys

from gateway.cli.config import add_config, settings_of
from gateway.cli.progress import counting
from gateway.storage.contract import StorageError
from gateway.storage.engines import copy_store


class Migrate:
    """See gateway.cli.main.Command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --to and --config."""
        parser.add_argument(
            "--to",
            required=True,
            metavar="URL",
            help="postgresql://user@host/database, empty so far (password: PGPASSWORD or ~/.pgpass)",
        )
        add_config(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Copy while no gateway runs. 1: nothing is copied."""
        storage = settings_of(args).storage
        if not storage.in_file:
            sys.stderr.write(f"fetion-gateway: {storage.place}: only a store on SQLite can be copied\n")
            return 1
        try:
            with counting() as show:
                counts = copy_store(storage.path, args.to, show)
        except StorageError as error:
            sys.stderr.write(f"fetion-gateway: {error}\n")
            return 1
        sys.stdout.writelines(f"{table:<15} {count:>12,} rows\n" for table, count in counts.items())
        sys.stdout.write(
            "all rows are the same in both stores: set storage.url to the new one, key_file stays\n"
            "for several gateways on it also set node.name: the first node takes over what waits\n"
        )
        return 0


migrate = Migrate()
