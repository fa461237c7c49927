"""Turns → input items."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from providers.codecs.conversation import Conversation, Opaque, Part, Reasoning, Refused, Role, Text, ToolCall, ToolResult, Turn
from providers.codecs.responses.client_tools import CLIENT_TOOLS, call_members, is_client_tool
from providers.codecs.responses.models import Ways
from providers.codecs.responses.parts_out import Item, PartWriter
from providers.codecs.responses.seals import OPENAI

CALL_ID_CHARS = 64
"""The longest `call_id` that OpenAI takes."""


class ItemWriter:
    """Writes the items of one request: a call and its result keep the same id and kind in it."""

    def __init__(self, conversation: Conversation, writer: PartWriter, ways: Ways) -> None:
        self._writer = writer
        self._ways = ways
        self._kinds: dict[str, str] = {}
        self._client_tools = {tool.name for tool in conversation.tools if tool.raw is not None and is_client_tool(tool.raw)}

    def items(self, turns: Iterable[Turn]) -> list[Item]:
        """Raises UntranslatableError for what would change the meaning if it were missing."""
        found: list[Item] = []
        for turn in turns:
            if turn.name:
                self._writer.lose("messages[].name", "OpenAI's Responses have no names")
            if turn.role is Role.ASSISTANT:
                found += self._assistant(turn.parts)
            else:
                found += self._given(turn.role, turn.parts)
        return found

    def _given(self, role: Role, parts: Sequence[Part]) -> list[Item]:
        """Results as items of their own, and what stands between them as messages."""
        found: list[Item] = []
        pending: list[Part] = []
        for part in parts:
            if isinstance(part, ToolResult):
                found += [*self._message(role, pending), self._result(part)]
                pending = []
            else:
                pending.append(part)
        return found + self._message(role, pending)

    def _message(self, role: Role, parts: Sequence[Part]) -> list[Item]:
        content = self._writer.given(parts)
        return [{"type": "message", "role": role.value, "content": content}] if content else []

    def _assistant(self, parts: Sequence[Part]) -> list[Item]:
        found: list[Item] = []
        content: list[Item] = []
        for part in parts:
            if isinstance(part, Text | Refused):
                said = self._writer.said(part)
                content += [said] if said is not None else []
                continue
            item = self._item(part)
            if item is not None:
                found += [*_spoken(content), item]
                content = []
        return found + _spoken(content)

    def _item(self, part: Part) -> Item | None:
        match part:
            case ToolCall():
                return self._call(part)
            case Reasoning():
                return self._reasoning(part)
            case Opaque():
                return self._writer.opaque(part)
            case ToolResult():
                return self._result(part)
        self._writer.lose(f"{type(part).__name__.lower()} of the assistant's", "OpenAI takes back only what a model said in words")
        return None

    def _reasoning(self, part: Reasoning) -> Item | None:
        if part.vendor == OPENAI:
            item: Item = {"type": "reasoning", "summary": _texts("summary_text", part.text)}
            if part.id:
                item["id"] = part.id
            if part.seal:
                item["encrypted_content"] = part.seal
            return item
        if not part.vendor and part.text and not self._ways.is_openai:
            if part.is_summary:
                return {"type": "reasoning", "summary": _texts("summary_text", part.text)}
            return {"type": "reasoning", "summary": [], "content": _texts("reasoning_text", part.text)}
        self._writer.lose("reasoning", "OpenAI takes back only reasoning that it encrypted itself")
        return None

    def _call(self, call: ToolCall) -> Item:
        call_id = _call_id(call.id)
        if call.seal is not None:
            self._writer.lose("thoughtSignature", "only Gemini can read it")
        if call.name in self._client_tools:
            self._kinds[call.id] = call.name
            item = call_members(call.name, call_id, call.arguments)
            item |= {"id": call.item_id} if call.item_id else {}
            return item | ({"status": "completed"} if call.name == "local_shell" else {})
        is_custom = call.kind == "custom"
        self._kinds[call.id] = "custom" if is_custom else "function"
        item = {
            "type": "custom_tool_call" if is_custom else "function_call",
            "call_id": call_id,
            "name": call.name,
            "input" if is_custom else "arguments": call.arguments if is_custom else call.arguments or "{}",
        }
        if call.namespace:
            item["namespace"] = call.namespace
        if call.item_id:
            item["id"] = call.item_id
        return item

    def _result(self, result: ToolResult) -> Item:
        if result.is_error:
            self._writer.lose("tool_result.is_error", "OpenAI's results have no such mark: their text says it")
        kind, call_id = self._kinds.get(result.call_id, result.kind), _call_id(result.call_id)
        if kind == "local_shell":
            return {"type": CLIENT_TOOLS[kind].output, "id": call_id, "call_id": call_id, "output": _plain(result.parts)}
        if kind == "tool_search":
            self._writer.lose("tool_search_output.tools", "they are among the tools of the request")
            return {"type": CLIENT_TOOLS[kind].output, "call_id": call_id, "execution": "client", "status": "completed", "tools": []}
        return {
            "type": "custom_tool_call_output" if kind == "custom" else "function_call_output",
            "call_id": call_id,
            "output": self._output(result.parts),
        }

    def _output(self, parts: Sequence[Part]) -> Any:
        """One text as a string, which every server takes; more as content parts."""
        if not parts:
            return ""
        if len(parts) == 1 and isinstance(parts[0], Text):
            return parts[0].text
        return self._writer.given(parts) or ""


def _spoken(content: list[Item]) -> list[Item]:
    return [{"type": "message", "role": "assistant", "content": content}] if content else []


def _texts(kind: str, text: str) -> list[Item]:
    return [{"type": kind, "text": text}] if text else []


def _plain(parts: Sequence[Part]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, Text))


def _call_id(id_: str) -> str:
    if len(id_) <= CALL_ID_CHARS:
        return id_ or "call"
    return f"{id_[:40]}_{hashlib.sha256(id_.encode('utf-8', 'replace')).hexdigest()[:20]}"
