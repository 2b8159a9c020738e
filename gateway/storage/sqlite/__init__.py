"""The Store and the Reader on SQLite. Only this package imports sqlite3."""
