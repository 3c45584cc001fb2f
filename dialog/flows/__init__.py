"""Flows as data: the YAML files of this folder, and the little language they are written in (dialog.flows.language)."""
