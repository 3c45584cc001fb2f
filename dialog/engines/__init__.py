"""Adapters of outside systems, one file each, imported lazily by dialog.factory."""
