"""What the classifier looks at: the telling parts of a request, cut to size. Any dialect can make one; no JSON reaches the classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

HEAD_CHARS = 2000
TAIL_CHARS = 1000
"""Of a long text only its edges are kept: instructions stand there, and no body may cost more than another."""

STEPS_KEPT = 24
"""Tool calls since the last human turn that are looked at, the newest ones."""


class Step(NamedTuple):
    """One tool call of the turn under way, with what came back."""

    tool: str
    arguments: str
    """As text, cut to size."""
    result: str
    """As text, cut to size; empty when nothing came back yet."""
    failed: bool = False
    """True when the wire format itself says so (`is_error`). Text that reads like an error is the classifier's business."""


class Excerpt(NamedTuple):
    endpoint: str
    """The dialect: `chat`, `embeddings` …"""
    system: str
    """System and developer text, cut to size."""
    human: str
    """The last human turn, cut to size; for embeddings the input."""
    human_chars: int
    """Its length before it was cut."""
    opening: str
    """The first human turn, cut to size: the same object as `human` when there is only one."""
    tool_names: tuple[str, ...] = ()
    has_images: bool = False
    messages: int = 1
    human_turns: int = 1
    assistant_turns: int = 0
    steps: tuple[Step, ...] = ()
    """Since the last human turn, oldest first. Not empty and the last one with a result: the call is a continuation."""
    ends_with_result: bool = False
    """Is the last message a tool result?"""
    wants_json: bool = False
    output_tokens_max: int | None = None
    input_tokens_estimated: int = 0
    harness: str = "unknown"
    hints: Mapping[str, str] = {}
    """Marks that the harness itself sent about the call, such as `x-claude-code-request-class` or `x-openai-subagent`, by header name."""
    answer_fields: tuple[str, ...] = ()
    """Names at the top of the JSON schema that the answer must follow, where one was sent."""
    said_last: str = ""
    """The last text of the last human turn, cut to size: empty when the turn is one text, for then it is `human`."""


def cut(text: str) -> str:
    """`text`, or its edges when it is long."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n…\n{text[-TAIL_CHARS:]}"
