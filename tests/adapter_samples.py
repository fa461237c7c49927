"""One file of every format that an adapter imports, as its system writes it (shapes: reference/adapters.md)."""

from __future__ import annotations

from typing import Any

BENCH: dict[str, Any] = {
    "binary": "/opt/bin/codex",
    "task_id": "hello-file",
    "task_name": "Create a file",
    "category": "files",
    "difficulty": "easy",
    "runs": 4,
    "run_results": [
        {"run_id": 1, "elapsed_seconds": 10.0, "success": True, "rss_mean": 81.5, "timestamp": "2026-11-20T10:00:00"},
        {"run_id": 2, "elapsed_seconds": 30.0, "success": True, "rss_mean": 80.0, "timestamp": "2026-11-20T10:01:00"},
        {"run_id": 3, "elapsed_seconds": 20.0, "success": True, "rss_mean": 80.0, "timestamp": "2026-11-20T10:02:00"},
        {"run_id": 4, "elapsed_seconds": 900.0, "success": False, "rss_mean": 80.0, "timestamp": "2026-11-20T10:20:00"},
    ],
    "system_info": {"platform": "linux"},
    "timestamp": "2026-11-20T10:30:00",
}

HARNESS: dict[str, Any] = {
    "harness_name": "cliproxy",
    "model": "MiniMax-M2.5",
    "agent_count": 6,
    "total_wall_time": 14.2,
    "sla_p50": 3.5,
    "sla_p95": 6.25,
    "sla_p99": 7.0,
    "ttft_percent": 22.0,
    "llm": {
        "ttft": 0.75,
        "generation_time": 2.5,
        "total_time": 0.0,
        "completion_tokens": 200,
        "tokens_per_second": 80.0,
        "conciseness_ratio": 0.0,
        "total_cost": 0.0,
    },
    "system": {"cpu_percent_avg": 12.0},
    "agent_times": [3.0, 3.5],
    "errors": ["timeout"],
}

SLA: dict[str, Any] = {
    "results": [
        {"name": "ttft", "value": 420.0, "unit": "ms", "tags": {"model": "gpt-5.6", "harness": "codex"}, "timestamp": 1795000000.0},
        {"name": "throughput", "value": 91.0, "unit": "tok/s", "tags": {"model": "gpt-5.6"}, "timestamp": 1795000000.0},
        {"name": "spawn_time", "value": 12.0, "unit": "ms", "tags": {}, "timestamp": 1795000000.0},
    ],
    "sla_metrics": [{"name": "ttft", "value": 420.0, "unit": "ms", "threshold": 500.0, "sla_type": "max", "passed": True}],
}

THEGENT: dict[str, Any] = {
    "version": 2,
    "source": {"name": "a model card", "published": "2026-02-19", "methodology": "https://example.com/method"},
    "terminal_bench_2_0": {"big-1": 62.9, "small-1": 28.3},
    "swe_bench": {"big-1": 80.8},
    "aime": {"big-1": 85.0},
    "benchmark_categories": {"reasoning": ["arc_agi_2"]},
    "benchmarks_by_task_type": {
        "terminal_bench_2_0_terminus_2": {"task_type": "agentic", "metric": "percent", "scores": {"big-1": 65.4, "other": 50.0}},
        "gpqa_diamond": {"task_type": "reasoning", "metric": "percent", "scores": {"big-1": 91.3, "small-1": None}},
        "livecodebench_pro": {"task_type": "agentic", "metric": "elo", "scores": {"big-1": 2887}},
        "gdpval_aa_elo": {"task_type": "expert", "metric": "elo", "scores": {"big-1": 1606}},
    },
}

PRICING: dict[str, Any] = {
    "meta": {"source": "by hand", "updated_at": "2026-11-01T00:00:00Z", "version": "7"},
    "provider_aliases": {"claude": "anthropic"},
    "providers": {
        "anthropic": {
            "subscription_usd_month": 200.0,
            "model_aliases": {"sonnet": "big-1"},
            "models": {
                "big-1": {
                    "input_usd_per_mtok": 3.0,
                    "output_usd_per_mtok": 15.0,
                    "cache_write_usd_per_mtok": 3.75,
                    "cache_read_usd_per_mtok": 0.3,
                    "tool_input_usd_per_mtok": None,
                    "tool_output_usd_per_mtok": None,
                }
            },
        }
    },
}

BENCHMARKS: list[dict[str, Any]] = [
    {
        "model_id": "big-1",
        "provider": "anthropic",
        "intelligence_index": 61.0,
        "speed_tps": 74.0,
        "latency_ttft_ms": 850.0,
        "price_input_per_1m": 3.0,
        "context_window_tokens": 200000,
        "source": "artificial_analysis",
        "confidence": 0.9,
        "updated_at": "2026-10-01",
    }
]

SNAPSHOT: dict[str, Any] = {
    "updated_at": "2026-11-20T00:00:00Z",
    "providers": {"claude": [{"provider": "claude", "model": "big-1", "p50_latency_ms": 2100.0, "success_rate": 98.5, "requests": 400}]},
}

FILES: dict[str, Any] = {
    "heliosBench result": BENCH,
    "helioscope harness benchmark": HARNESS,
    "helioscope SLA benchmark": SLA,
    "thegent benchmarks": THEGENT,
    "tokenledger pricing": PRICING,
    "tokenledger benchmarks": BENCHMARKS,
    "CLIProxyAPI metrics snapshot": SNAPSHOT,
}
"""Format → a file of it."""
