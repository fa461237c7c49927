"""The Responses object that an answer is: its members at the start, on the way, and at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs import Frame
from providers.codecs.conversation import Tool
from providers.codecs.events import BlockStarted, Event, Finished, FinishReason, Started, UsageSeen
from providers.codecs.responses.client_tools import is_client_tool
from providers.codecs.responses.usage import usage_object
from providers.codecs.tool_names import tools_by_flat_name
from routing.types import Usage

Item = dict[str, Any]

_INCOMPLETE: Mapping[FinishReason, str] = {
    FinishReason.LENGTH: "max_output_tokens",
    FinishReason.CONTEXT_FULL: "max_output_tokens",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.REFUSAL: "content_filter",
}
_UNSAID: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What the API says in an answer where the request said nothing; but for `store`: donut keeps no answers."""


class Meaning:
    """What a call of the upstream's means to the client: its tool's own name, namespace and kind."""

    __slots__ = ("client_tool", "is_custom", "is_wrapped", "name", "namespace")

    def __init__(self, started: BlockStarted, tools: Mapping[str, Tool]) -> None:
        name = started.name or ""
        tool = tools.get(name) if started.namespace is None else None
        self.name = tool.name if tool is not None else name
        self.namespace = tool.namespace if tool is not None else started.namespace
        self.is_custom = started.call_kind == "custom" or (tool is not None and tool.kind == "custom")
        self.is_wrapped = self.is_custom and started.call_kind != "custom"
        """Does the text come as the one member of a function's arguments?"""
        self.client_tool = str(tool.raw["type"]) if tool is not None and tool.raw is not None and is_client_tool(tool.raw) else ""


class Told:
    """What an encoder has to keep of an answer until its end."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.id = f"resp_{frame.answer_id}"
        self.output: list[Item] = []
        self._usage: Usage | None = None
        self._service_tier: str | None = None
        conversation = frame.conversation
        self.tools = tools_by_flat_name(conversation.tools) if conversation is not None else {}
        echo = dict(conversation.echo) if conversation is not None else {}
        echo["store"] = False
        self._members = {**_UNSAID, **echo}

    def note(self, event: Event) -> None:
        if isinstance(event, Started) and event.usage is not None:
            self._usage = event.usage
        elif isinstance(event, UsageSeen):
            self._usage = event.usage
            self._service_tier = event.service_tier or self._service_tier

    def meaning_of(self, started: BlockStarted) -> Meaning:
        return Meaning(started, self.tools)

    def begun(self) -> Item:
        return self._response("in_progress")

    def ended(self, finished: Finished) -> Item:
        reason = _INCOMPLETE.get(finished.reason)
        if reason is not None:
            return self._response("incomplete", incomplete_details={"reason": reason}, usage=usage_object(self._usage))
        return self._response("completed", usage=usage_object(self._usage))

    def failed(self, error: Item) -> Item:
        return self._response("failed", error=error, usage=usage_object(self._usage) if self._usage is not None else None)

    def is_whole(self, finished: Finished) -> bool:
        return finished.reason not in _INCOMPLETE

    def _response(self, status: str, **more: Any) -> Item:
        response: Item = {
            "id": self.id,
            "object": "response",
            "created_at": self.frame.created_s,
            "status": status,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "model": self.frame.model,
            "output": self.output,
            "usage": None,
            **self._members,
            **more,
        }
        if self._service_tier is not None:
            response["service_tier"] = self._service_tier
        return response
