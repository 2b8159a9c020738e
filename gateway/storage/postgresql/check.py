"""Looks whether a gateway could use the store at a URL, without changing anything."""

import psycopg

from gateway.storage.contract import StoreUnusable
from gateway.storage.postgresql.migration import check_server, check_version, version_of
from gateway.storage.postgresql.place import SESSION, Place, unusable

_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
_MAY_CREATE = """
SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE), current_setting('search_path')
"""


def check(url: str) -> None:
    """Raises StoreUnusable with the reason."""
    place = Place.of(url)
    try:
        with psycopg.connect(place.conninfo, autocommit=True) as db:
            db.execute(SESSION)
            check_server(db, place)
            if (row := db.execute(_READ_ONLY).fetchone()) and row[0]:
                raise StoreUnusable(
                    f"{place.name}: this server only reads (a standby?): storage.url must name the primary"
                )
            check_version(version := version_of(db), place)
            may_create, path = db.execute(_MAY_CREATE).fetchone() or (False, "")
            if not version and not may_create:
                raise StoreUnusable(
                    f"{place.name}: its user may not make tables in the schema of search_path ({path}):"
                    " create that schema, and make the user its owner"
                )
    except psycopg.Error as error:
        raise unusable(error, place) from error
