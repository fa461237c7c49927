"""Google's `logprobsResult` and OpenAI's `content` entries, which are what events carry. https://ai.google.dev/api/generate-content#LogprobsResult"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def read_logprobs(result: object) -> tuple[Mapping[str, Any], ...]:
    """One entry per token that was chosen, in OpenAI's shape."""
    if not isinstance(result, Mapping):
        return ()
    chosen, tops = result.get("chosenCandidates"), result.get("topCandidates")
    if not isinstance(chosen, list):
        return ()
    entries = []
    for index, each in enumerate(chosen):
        top = tops[index] if isinstance(tops, list) and index < len(tops) else None
        others = top.get("candidates") if isinstance(top, Mapping) else None
        listed = [_entry(other) for other in others] if isinstance(others, list) else []
        entries.append({**_entry(each), "top_logprobs": listed})
    return tuple(entries)


def logprobs_result(items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The inverse."""
    listed = list(items)
    return {
        "chosenCandidates": [_candidate(item) for item in listed],
        "topCandidates": [{"candidates": [_candidate(other) for other in item.get("top_logprobs") or ()]} for item in listed],
    }


def _entry(candidate: object) -> dict[str, Any]:
    data = candidate if isinstance(candidate, Mapping) else {}
    token = data.get("token")
    text = token if isinstance(token, str) else ""
    return {"token": text, "logprob": data.get("logProbability") or 0.0, "bytes": list(text.encode("utf-8", "replace"))}


def _candidate(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"token": entry.get("token"), "logProbability": entry.get("logprob")}
