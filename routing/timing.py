"""How quick a replica is, told from its own answers: the time to the first token by length of prompt, and tokens per second after it."""

from __future__ import annotations

import math
from typing import NamedTuple

SMOOTHING = 0.2
"""Weight of the newest answer: quick enough to notice a swapped-out model, slow enough to survive one long prompt."""

STEPS_PER_DOUBLING = 4
"""Measured times and speeds are told in steps of 2^¼, 19 %: less than two answers of one idle server differ by. What jitters within a
step neither reorders the candidates nor costs a new ranking."""

SMALLEST = 2.0**-10
"""Seconds, or tokens per second: below a millisecond nothing is worth telling apart."""

TOKENS_TO_MEASURE = 8
SECONDS_TO_MEASURE = 0.02
"""An answer shorter than this came in one or two pieces, and its speed is the network's."""

EXTRAPOLATION = 8.0
"""How many times longer, or shorter, than the mean a prompt's time may be told to be: further away than that nothing was measured."""


def stepped(value: float) -> float:
    """`value` (> 0) on the grid of steps."""
    return float(2.0 ** (round(math.log2(max(value, SMALLEST)) * STEPS_PER_DOUBLING) / STEPS_PER_DOUBLING))


class Timing(NamedTuple):
    """Exponentially weighted moments; the line through (prompt tokens, seconds) is the prediction. A value: learning makes a new one.

    A line, because both parts are real: a network and a queue that every prompt pays, and a device that reads so many tokens a second.
    """

    ttft_s_ewma: float | None = None
    """None until the first answer: unknown is not fast."""
    tokens_per_s_ewma: float | None = None
    prompt_tokens_ewma: float = 0.0
    variance: float = 0.0
    covariance: float = 0.0

    def after_first_token(self, prompt_tokens: int, ttft_s: float) -> Timing:
        mean_s, speed, mean_tokens, variance, covariance = self
        if mean_s is None:
            return Timing(ttft_s, speed, float(prompt_tokens))
        tokens_off = prompt_tokens - mean_tokens
        seconds_off = ttft_s - mean_s
        learned = (
            mean_s + SMOOTHING * seconds_off,
            speed,
            mean_tokens + SMOOTHING * tokens_off,
            (1.0 - SMOOTHING) * (variance + SMOOTHING * tokens_off * tokens_off),
            (1.0 - SMOOTHING) * (covariance + SMOOTHING * tokens_off * seconds_off),
        )
        return tuple.__new__(Timing, learned)  # not by a call of Python: one is made for every stream

    def after_answer(self, output_tokens: int, seconds: float) -> Timing:
        """`seconds` from the first token to the end. Short answers teach nothing."""
        if output_tokens < TOKENS_TO_MEASURE or seconds < SECONDS_TO_MEASURE:
            return self
        speed, previous = output_tokens / seconds, self.tokens_per_s_ewma
        return self._replace(tokens_per_s_ewma=speed if previous is None else previous + SMOOTHING * (speed - previous))

    def expected_ttft_s(self, prompt_tokens: int) -> float | None:
        """For a prompt of this length, on an idle replica; None while nothing was measured."""
        mean_s, covariance = self.ttft_s_ewma, self.covariance
        if mean_s is None or covariance <= 0.0 or self.variance <= 0.0:
            return mean_s
        guess = mean_s + covariance / self.variance * (prompt_tokens - self.prompt_tokens_ewma)
        return min(max(guess, mean_s / EXTRAPOLATION), mean_s * EXTRAPOLATION)


UNMEASURED = Timing()
