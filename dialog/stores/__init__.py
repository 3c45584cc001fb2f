"""Backends of the `Store` port: memory, SQLite, Redis."""
