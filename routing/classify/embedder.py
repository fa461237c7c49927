"""What a text means, as a second source beside its words: the port behind which an embedding model may stand.

Structure, roles and steps do not change by it. Model and matrix live outside: they need numpy, and `routing/` is pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

BY_MEANING = "what it means, by an embedding model"
"""The reason that says that one had a say."""


class Embedder(Protocol):
    def outputs(self, text: str) -> Sequence[float] | None:
        """What the meaning of `text`, a window of at most 1,001 characters, adds to the raw output of every head, in the order of HEADS.
        None where the model knows nothing in it. Runs within a decision: it must not wait for anything."""
        ...
