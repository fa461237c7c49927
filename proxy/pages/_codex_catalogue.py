"""The list of models as Codex wants it: what it lets a person choose from, and how it then behaves towards each model.

Fields: reference/cliproxyapi-routes.md §8, and `ModelInfo` in Codex's own protocol crate, which refuses a list that lacks one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.offers import Offer
from routing.types import Capability

WINDOW_UNKNOWN = 128_000
"""Codex wants a number. Seven of ten models of the shipped catalog have at least this window; a local model of which nothing is known may
have less, and its own error then says so."""

TOOL_OUTPUT_TOKENS = 10_000
"""Of a tool's output Codex keeps so much; what it does for models that it does not know."""

EFFORTS = {
    "low": "Answers sooner, and thinks less",
    "medium": "A balance of speed and care",
    "high": "Takes its time over hard problems",
}

INSTRUCTIONS = """\
You are a coding agent that works in a person's terminal, in their own checkout.

- Look before you act: read the files that matter, and follow the conventions that you find there, in AGENTS.md and in the code.
- Do the whole task. Go on until it is solved or you need something that only the person can give; then ask, briefly.
- Change what the task needs and nothing else. Never undo changes that you did not make.
- Use the tools that you are offered, with exactly the arguments that they describe. Run what checks your work: tests, a build, a linter.
- Do nothing that destroys data or reaches beyond the workspace unless you were asked to.
- Say what you did in a few plain sentences, name the files, and say honestly what you could not check.
"""
"""Codex puts them in the place of its own prompt."""


def codex_catalogue(offers: Sequence[Offer]) -> dict[str, Any]:
    return {"models": [_model(offer, rank) for rank, offer in enumerate(offers)]}


def _model(offer: Offer, rank: int) -> dict[str, Any]:
    window = offer.context_window or WINDOW_UNKNOWN
    reasons = offer.can(Capability.REASONING)
    return {
        "slug": offer.name,
        "display_name": offer.title,
        "description": _description(offer),
        "base_instructions": INSTRUCTIONS,
        "minimal_client_version": "0.1.0",
        "visibility": "hide" if offer.is_replica else "list",
        "supported_in_api": True,
        "priority": rank,
        "upgrade": None,
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [{"effort": effort, "description": words} for effort, words in EFFORTS.items()],
        "supports_reasoning_summaries": reasons,
        "support_verbosity": False,
        "default_verbosity": None,
        "context_window": window,
        "max_context_window": window,
        "auto_compact_token_limit": None,
        "truncation_policy": {"mode": "tokens", "limit": TOOL_OUTPUT_TOKENS},
        "input_modalities": ["text", "image"] if offer.can(Capability.VISION) else ["text"],
        "shell_type": "default",
        "apply_patch_tool_type": None,  # the freeform tool has a grammar that only OpenAI's own models keep to
        "supports_parallel_tool_calls": False,
        "supports_search_tool": False,
        "experimental_supported_tools": [],
        "service_tiers": [],
        "prefer_websockets": False,
    }


def _description(offer: Offer) -> str:
    if offer.is_open:
        return "donut chooses the model for every request" if offer.name.startswith("auto") else f"donut chooses a {offer.name} model"
    where = "on this machine" if all(replica.is_local for replica in offer.replicas) else f"at {offer.owner}"
    return f"{offer.replicas[0].tier.value} model, {where}"
