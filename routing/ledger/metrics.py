"""The figures that the ledger may hold: a closed vocabulary, so that a misspelled metric is an error and not a figure nobody reads.

Bounds are those of plausibility, not of taste: outside them a value is a unit's error or an attack, and is quarantined. Shares of right
answers are in percent, as most leaderboards print them; sources that use fractions are converted where they are read.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import NamedTuple


class Kind(enum.StrEnum):
    """What a figure says something about."""

    QUALITY = "quality"
    SPEED = "speed"
    PRICE = "price"
    LIMIT = "limit"
    RELIABILITY = "reliability"


class Metric(NamedTuple):
    """One kind of figure."""

    name: str
    kind: Kind
    unit: str
    low: float
    high: float
    is_versioned: bool = False
    """Is its scale fitted anew with every edition, so that figures of two editions must not be compared? (AA's index 4.0 put models of
    70 at 50.)"""
    lower_is_better: bool = False

    def accepts(self, value: float) -> bool:
        return math.isfinite(value) and self.low <= value <= self.high


def _indices(*names: str) -> list[Metric]:
    return [Metric(name, Kind.QUALITY, "index", 0.0, 250.0, is_versioned=True) for name in names]


def _elos(*names: str) -> list[Metric]:
    return [Metric(name, Kind.QUALITY, "elo", 200.0, 4000.0, is_versioned=True) for name in names]


def _percents(*names: str) -> list[Metric]:
    return [Metric(name, Kind.QUALITY, "percent", 0.0, 100.0) for name in names]


def _prices(*names: str) -> list[Metric]:
    # The dearest chat model ever listed cost 600 USD per 1M tokens of output (o1-pro); ten times that is a unit's error.
    return [Metric(name, Kind.PRICE, "usd_per_mtok", 0.0, 6000.0, lower_is_better=True) for name in names]


def _times(*names: str) -> list[Metric]:
    return [Metric(name, Kind.SPEED, "s", 0.0, 3600.0, lower_is_better=True) for name in names]


_ALL = (
    Metric("quality", Kind.QUALITY, "share", 0.0, 1.0),
    *_indices(
        "intelligence_index", "coding_index", "agentic_index", "math_index", "coding_agent_index", "multilingual_index", "openness_index",
        "epoch_capabilities_index", "vellum_index",
    ),
    *_elos(
        "arena_text_elo", "arena_code_elo", "arena_webdev_elo", "arena_vision_elo", "arena_search_elo", "arena_document_elo",
        "arena_creative_elo", "arena_hard_elo", "arena_math_elo", "arena_instruction_elo", "arena_long_query_elo", "arena_multi_turn_elo",
        "design_arena_elo", "gdpval_elo",
    ),
    *_percents(
        "mmlu", "mmlu_pro", "mmmu", "mmmu_pro", "gpqa", "hle", "aime", "aime_2025", "math_500", "frontier_math", "ifbench", "ifeval",
        "simpleqa", "browsecomp", "omniscience", "long_context_reasoning", "mrcr", "charxiv", "arc_agi", "arc_agi_2", "swe_bench_verified",
        "swe_bench_pro", "swe_bench_multilingual", "swe_bench_multimodal", "swe_lancer", "swe_atlas_qna", "swe_atlas_test_writing",
        "swe_atlas_refactoring", "terminal_bench", "terminal_bench_hard", "terminal_bench_2", "terminal_bench_2_1", "terminal_bench_4",
        "livecodebench", "livecodebench_pro", "scicode", "aider_polyglot", "aider_polyglot_first_try", "aider_well_formed",
        "livebench_average", "livebench_coding", "livebench_agentic_coding", "livebench_reasoning", "bfcl", "tau_bench", "tau2_bench",
        "tau3_banking", "nl2repo", "claw_eval", "cti_realm", "human_eval", "mbpp", "search_accuracy", "helios_success",
        "structured_output", "tool_calling",
    ),
    *_prices("price_input", "price_output", "price_cache_read", "price_cache_write", "price_cache_write_1h", "price_reasoning"),
    Metric("price_blended", Kind.PRICE, "usd_per_mtok", 0.0, 6000.0, lower_is_better=True),
    Metric("price_request", Kind.PRICE, "usd", 0.0, 100.0, lower_is_better=True),
    Metric("price_image", Kind.PRICE, "usd", 0.0, 100.0, lower_is_better=True),
    Metric("cost_per_task", Kind.PRICE, "usd", 0.0, 10_000.0, lower_is_better=True),
    Metric("cost_to_run_index", Kind.PRICE, "usd", 0.0, 1_000_000.0, lower_is_better=True),
    Metric("speed_tps", Kind.SPEED, "tokens_per_s", 0.0, 20_000.0),
    *_times("ttft_s", "ttft_p95_s", "first_answer_s", "end_to_end_s", "end_to_end_p95_s", "task_s"),
    Metric("context_window", Kind.LIMIT, "tokens", 1.0, 100_000_000.0),
    Metric("max_input", Kind.LIMIT, "tokens", 1.0, 100_000_000.0),
    Metric("max_output", Kind.LIMIT, "tokens", 1.0, 10_000_000.0),
    Metric("success_rate", Kind.RELIABILITY, "share", 0.0, 1.0),
    Metric("uptime", Kind.RELIABILITY, "percent", 0.0, 100.0),
    Metric("cache_hit_share", Kind.RELIABILITY, "share", 0.0, 1.0),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
"""Name → metric; the order is the one in which they are shown."""

PRICE_FIELDS: Mapping[str, str] = {
    "price_input": "input",
    "price_output": "output",
    "price_cache_read": "cache_read",
    "price_cache_write": "cache_write",
    "price_cache_write_1h": "cache_write_1h",
    "price_reasoning": "reasoning",
    "price_request": "request",
    "price_image": "image",
}
"""Metric → the field of `routing.types.Price` that it fills."""

OTHER_NAMES: Mapping[str, tuple[str, float]] = {
    "latency_ms": ("ttft_s", 0.001),
    "latency_ttft_ms": ("ttft_s", 0.001),
    "latency_e2e_ms": ("end_to_end_s", 0.001),
    "price_input_per_1m": ("price_input", 1.0),
    "price_output_per_1m": ("price_output", 1.0),
    "price_cache_read_per_1m": ("price_cache_read", 1.0),
    "price_cache_write_per_1m": ("price_cache_write", 1.0),
    "context_window_tokens": ("context_window", 1.0),
    "max_output_tokens": ("max_output", 1.0),
}
"""The spellings of tokenledger's benchmarks.yaml → (metric, factor). Its `latency_ms` is the time to the first token."""
