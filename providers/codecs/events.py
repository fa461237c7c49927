"""An answer without a wire format, as a sequence of events. A whole answer is the same sequence, all at once.

Grammar: `Started` (BlockStarted Delta* Sealed? BlockEnded)* `UsageSeen`? `Finished`, or `Failed` at any point. Blocks are numbered in
the order in which they begin; several may be open at once (parallel tool calls of chat). `UsageSeen` may come more than once: the later
one counts. An encoder whose format knows no overlap keeps the later block back until the earlier one has ended.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

from routing.facts import Failure
from routing.types import Usage


class BlockKind(enum.StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"
    OPAQUE = "opaque"
    """A vendor's own (server tool calls and results): `raw` holds it whole, no deltas."""


class FinishReason(enum.StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"
    """Anthropic's `pause_turn`: the server's own loop wants to go on."""
    CONTEXT_FULL = "context_full"


class Started(NamedTuple):
    upstream_id: str = ""
    model: str = ""
    """As the upstream calls it."""
    usage: Usage | None = None
    """Anthropic says the input at once."""


class BlockStarted(NamedTuple):
    block: int
    kind: BlockKind
    id: str | None = None
    """Of a tool call: what its result will refer to."""
    name: str | None = None
    """Of a tool call."""
    call_kind: str = "function"
    namespace: str | None = None
    item_id: str | None = None
    vendor: str = ""
    is_summary: bool = False
    raw: Mapping[str, Any] | None = None


class Delta(NamedTuple):
    """More of block `block`: text, thinking, a refusal, or a piece of a tool call's arguments. Never empty."""

    block: int
    text: str


class Annotated(NamedTuple):
    """Citations for the text so far, as the vendor writes them."""

    block: int
    vendor: str
    items: tuple[Mapping[str, Any], ...]


class LogProbs(NamedTuple):
    """OpenAI's shape (`content` entries of chat): the only one there is."""

    block: int
    items: tuple[Mapping[str, Any], ...]


class Sealed(NamedTuple):
    """Signature or encrypted content of a reasoning block or of a tool call; comes before the block ends."""

    block: int
    vendor: str
    seal: str


class BlockEnded(NamedTuple):
    block: int


class UsageSeen(NamedTuple):
    usage: Usage
    service_tier: str | None = None


class Finished(NamedTuple):
    reason: FinishReason
    stop_sequence: str | None = None


class Failed(NamedTuple):
    """An error that the upstream sent inside its answer."""

    failure: Failure
    code: str = ""
    """The upstream's own word for it."""


Event = Started | BlockStarted | Delta | Annotated | LogProbs | Sealed | BlockEnded | UsageSeen | Finished | Failed
