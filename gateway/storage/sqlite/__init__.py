"""The store on SQLite: nothing outside this package names SQLite."""
