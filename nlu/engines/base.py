"""The ports behind which engines are exchanged: examples and rules today, trained networks as well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from nlu.api import Entity, Intent


class IntentEngine(Protocol):
    """Names what a text wants. Thread-safe, blocking."""

    def warm_up(self) -> None:
        """Load and train what is needed; the first `classify` does it otherwise."""
        ...

    def classify(self, text: str) -> Sequence[Intent]:
        """Best first, confidences in [0, 1]; OUT_OF_SCOPE may be among them. `text` is normalised."""
        ...


class EntityEngine(Protocol):
    """Finds values in a text. Thread-safe, blocking."""

    def warm_up(self) -> None:
        """Load what is needed; the first `extract` does it otherwise."""
        ...

    def extract(self, text: str, *, expected_slot: str, now: datetime) -> Sequence[Entity]:
        """Values found in the normalised `text`; may overlap, whoever calls keeps the most confident."""
        ...
