"""The driver for PostgreSQL (docs/postgresql.md). It needs the extra `pg`; whoever names it loads it."""
