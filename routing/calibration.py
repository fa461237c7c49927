"""Turns sizes into tokens. Only used where the upstream reports nothing, and before an answer is there; always marked as an estimate.

A tokenizer would cost milliseconds on a 64 KB body and be wrong for every other vendor's vocabulary. Bytes ÷ 4 is right within a
third for English and code; the answers that do report usage pull the ratio of each model to where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass

BYTES_PER_TOKEN = 4
_HALF = BYTES_PER_TOKEN // 2
SMOOTHING = 0.2
"""Weight of the newest answer: five answers outweigh the starting guess."""

RATIO_MIN, RATIO_MAX = 0.1, 10.0
"""One absurd usage figure must not poison the estimates that follow."""


def tokens_from_bytes(size: int) -> int:
    """Bytes of request text (none or more) → tokens, before calibration; at least 1 for anything."""
    return (size + _HALF) // BYTES_PER_TOKEN or 1


@dataclass(slots=True)
class Calibration:
    """Reported ÷ estimated, for one logical model."""

    input_ratio: float = 1.0
    output_ratio: float = 1.0
    samples: int = 0

    def learn_input(self, estimated: int, reported: int) -> None:
        self.samples += 1
        if estimated > 0 and reported > 0:
            self.input_ratio += SMOOTHING * (_bounded(reported / estimated) - self.input_ratio)

    def learn_output(self, estimated: int, reported: int) -> None:
        if estimated > 0 and reported > 0:
            self.output_ratio += SMOOTHING * (_bounded(reported / estimated) - self.output_ratio)

    def input_tokens(self, estimated: int) -> int:
        return round(estimated * self.input_ratio)

    def output_tokens(self, estimated: int) -> int:
        return round(estimated * self.output_ratio)


def _bounded(ratio: float) -> float:
    return RATIO_MIN if ratio < RATIO_MIN else RATIO_MAX if ratio > RATIO_MAX else ratio
