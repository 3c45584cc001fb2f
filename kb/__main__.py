"""`python -m kb`: import documents, try questions (the same as `hotline kb`). `hotline serve kb` runs the service."""

from __future__ import annotations

import sys

from rich.console import Console

from common.errors import HotlineError
from kb.cli import kb_app

if __name__ == "__main__":
    try:
        kb_app()
    except HotlineError as error:
        Console(stderr=True, highlight=False).print(f"{error.code}: {error.message}", soft_wrap=True)
        sys.exit(2)
