"""A request without a wire format: what all dialects have in common, in one shape. Values only.

Rules: order is kept; ids are the client's own; base64 stays base64; a tool's arguments are the JSON text as the model wrote it. What
belongs to one vendor (signatures, encrypted reasoning, server tools) carries that vendor's name, so that others leave it out knowingly.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Role(enum.StrEnum):
    SYSTEM = "system"
    """System and developer text, wherever it stands among the turns."""
    USER = "user"
    ASSISTANT = "assistant"


class Text(NamedTuple):
    text: str
    cache: Mapping[str, Any] | None = None
    """Anthropic's `cache_control`, as it came."""
    citations: tuple[Mapping[str, Any], ...] = ()
    """As the wire wrote them; `vendor` says whose words they are."""
    vendor: str = ""


class Image(NamedTuple):
    """Exactly one of `url`, `data` (base64) and `file_id` is set."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    file_id: str | None = None
    detail: str | None = None
    cache: Mapping[str, Any] | None = None


class Document(NamedTuple):
    """A PDF or a text. Exactly one of `url`, `data` (base64), `text` and `file_id` is set."""

    url: str | None = None
    data: str | None = None
    text: str | None = None
    media_type: str | None = None
    file_id: str | None = None
    name: str | None = None
    cache: Mapping[str, Any] | None = None


class Audio(NamedTuple):
    data: str
    """base64"""
    format: str


class Reasoning(NamedTuple):
    """What a model thought, to be given back to it."""

    text: str
    vendor: str = ""
    """`anthropic`, `openai`, `gemini`; empty for plain text that anybody may read (`reasoning_content`)."""
    seal: str | None = None
    """Signature or encrypted content: only its vendor can use it."""
    id: str | None = None
    is_summary: bool = False
    is_redacted: bool = False
    """Nothing but a seal."""


class Refused(NamedTuple):
    text: str


class ToolCall(NamedTuple):
    id: str
    name: str
    arguments: str
    """JSON text; for a custom tool the plain input."""
    kind: str = "function"
    """`function`, `custom`, or a vendor's server tool."""
    namespace: str | None = None
    """Codex: a call to a namespaced tool must keep it."""
    item_id: str | None = None
    """Responses: the id of the item, beside `call_id`."""
    seal: str | None = None
    """Gemini's thought signature."""
    cache: Mapping[str, Any] | None = None


class ToolResult(NamedTuple):
    call_id: str
    parts: tuple[Part, ...]
    is_error: bool = False
    kind: str = "function"
    name: str | None = None
    cache: Mapping[str, Any] | None = None


class Opaque(NamedTuple):
    """Something of one vendor that has no common meaning (server tool results, compaction items): kept for that vendor, lost for others."""

    vendor: str
    raw: Mapping[str, Any]
    name: str = ""
    """What to call it where it is lost; its type, where that says enough."""


Part = Text | Image | Document | Audio | Reasoning | Refused | ToolCall | ToolResult | Opaque


class Turn(NamedTuple):
    """One message. Tool results stand in USER turns, tool calls and reasoning in ASSISTANT turns. Neighbours may have the same role."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(NamedTuple):
    name: str
    description: str | None = None
    schema: Mapping[str, Any] | None = None
    """JSON Schema of the arguments; None: none was given."""
    strict: bool | None = None
    kind: str = "function"
    """`function`, `custom` (free text, perhaps with a grammar), `server` (run by the vendor)."""
    namespace: str | None = None
    vendor: str = ""
    """Whose server tool it is."""
    raw: Mapping[str, Any] | None = None
    """The declaration as it came: what its own dialect may need of it."""
    cache: Mapping[str, Any] | None = None


class ToolChoice(NamedTuple):
    mode: str = "auto"
    """`auto`, `none`, `required`, `named`."""
    name: str | None = None
    allowed: tuple[str, ...] = ()
    """Only these may be called; empty: all."""


class OutputFormat(NamedTuple):
    kind: str = "text"
    """`text`, `json_object`, `json_schema`."""
    schema: Mapping[str, Any] | None = None
    name: str | None = None
    strict: bool | None = None
    description: str | None = None


PLAIN_TEXT = OutputFormat()


class Thinking(NamedTuple):
    """How much to think: an effort, a budget, or neither said. `codecs.effort` turns one into the other."""

    enabled: bool = True
    effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`."""
    budget_tokens: int | None = None
    is_adaptive: bool = False
    """Anthropic's `adaptive`: the model decides."""
    summary: str | None = None
    """Responses: `auto`, `concise`, `detailed`."""
    show: bool | None = None
    """Is the thinking wanted in the answer? None: the vendor's default."""
    wants_seal: bool = False
    """Responses: `include: [reasoning.encrypted_content]`."""


class Loss(NamedTuple):
    """Something of the request that the upstream's format cannot carry and that was left out."""

    what: str
    """The member, in the client's words: `logit_bias`, `messages[3].cache_control`."""
    why: str


@dataclass(slots=True)
class Conversation:
    turns: list[Turn]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output: OutputFormat = PLAIN_TEXT
    thinking: Thinking | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    answers: int = 1
    """`n`"""
    stream: bool = False
    wants_usage: bool = False
    """chat: `stream_options.include_usage`."""
    user: str | None = None
    metadata: Mapping[str, Any] | None = None
    service_tier: str | None = None
    verbosity: str | None = None
    prompt_cache_key: str | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    echo: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Responses: members of the request that its answer repeats, as they came."""
    dialect: str = ""
    """Where it came from."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Members that the dialect knows and the common shape does not, as they came: for an upstream of the same dialect, lost for others."""
    losses: list[Loss] = field(default_factory=list)

    def lose(self, what: str, why: str) -> None:
        """Note a loss, once: an encoder may run again for another replica."""
        loss = Loss(what, why)
        if loss not in self.losses:
            self.losses.append(loss)

    def lose_item(self, item: Opaque) -> None:
        """Note the loss of something that only its vendor understands."""
        self.lose(item.name or str(item.raw.get("type", "an item")), f"only {item.vendor or 'its own vendor'} can read it")
