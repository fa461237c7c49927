"""Parts → Anthropic's content blocks, with what its API is strict about: ids, empty texts, whose thinking it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from providers.codecs import UntranslatableError
from providers.codecs.call_input import input_of
from providers.codecs.conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refused,
    Text,
    ToolCall,
    ToolResult,
)
from providers.codecs.files import DEFAULT_IMAGE, PDF, decoded, foreign_file
from providers.codecs.messages.seals import ANTHROPIC
from providers.codecs.tool_names import flat_name

Block = dict[str, Any]

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
"""The API takes ids of these characters only; Kimi's (`functions.name:0`) and others' have more."""


class BlockWriter:
    """Writes the blocks of one request: ids stay consistent in it, and what is left out is noted in `conversation.losses`."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.lose = conversation.lose
        self._ids: dict[str, str] = {}

    def blocks(self, parts: Iterable[Part]) -> list[Block]:
        """The blocks of one message. Raises UntranslatableError for what would change the meaning if it were missing."""
        found = []
        for part in parts:
            block = self._text(part) if isinstance(part, Text) else self._block(part)
            if block is not None:
                found.append(block)
        return found

    def _block(self, part: Part) -> Block | None:  # noqa: PLR0911 - one line per kind of part
        match part:
            case Text():
                return self._text(part)
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case Image():
                return _cached({"type": "image", "source": self._image_source(part)}, part.cache)
            case Document():
                return self._document(part)
            case Reasoning():
                return self._reasoning(part)
            case Refused():
                return {"type": "text", "text": part.text} if part.text else None
            case Opaque():
                return self._opaque(part)
            case Audio():
                raise UntranslatableError("`input_audio` cannot be sent to a model behind Anthropic's format: send text", "messages")

    def _text(self, part: Text) -> Block | None:
        if not part.text:
            return None  # refused by the API, and nothing is lost
        block: Block = {"type": "text", "text": part.text}
        if part.citations:
            if part.vendor == ANTHROPIC:
                block["citations"] = list(part.citations)
            else:
                self.lose("annotations", "Anthropic takes back only citations of its own")
        return _cached(block, part.cache)

    def _image_source(self, image: Image) -> Block:
        if image.detail not in (None, "auto"):
            self.lose("image_url.detail", "Anthropic has no levels of detail")
        if image.data is not None:
            return {"type": "base64", "media_type": image.media_type or DEFAULT_IMAGE, "data": image.data}
        if image.url is not None:
            return {"type": "url", "url": image.url}
        return self._file(image.file_id)

    def _file(self, file_id: str | None) -> Block:
        if self._conversation.dialect != "messages":
            raise foreign_file(file_id)
        return {"type": "file", "file_id": file_id}

    def _document(self, document: Document) -> Block:
        block: Block = {"type": "document", "source": self._document_source(document)}
        if document.name:
            block["title"] = document.name
        return _cached(block, document.cache)

    def _document_source(self, document: Document) -> Block:
        if document.text is not None:
            return _plain(document.text)
        if document.url is not None:
            return {"type": "url", "url": document.url}
        if document.data is None:
            return self._file(document.file_id)
        media_type = document.media_type or PDF
        if media_type == PDF:
            return {"type": "base64", "media_type": media_type, "data": document.data}
        text = decoded(document.data) if media_type.startswith("text/") or media_type == "application/json" else None
        if text is None:
            raise UntranslatableError(f"a file of type {media_type} cannot be sent in Anthropic's format: send PDF or text", "file")
        return _plain(text)

    def _reasoning(self, reasoning: Reasoning) -> Block | None:
        if reasoning.vendor == ANTHROPIC and reasoning.seal is not None:
            if reasoning.is_redacted:
                return {"type": "redacted_thinking", "data": reasoning.seal}
            return {"type": "thinking", "thinking": reasoning.text, "signature": reasoning.seal}
        self.lose("reasoning", "Anthropic takes back only thinking that it signed itself")
        return None

    def _opaque(self, part: Opaque) -> Block | None:
        if part.vendor == ANTHROPIC:
            return dict(part.raw)
        self._conversation.lose_item(part)
        return None

    def _call(self, call: ToolCall) -> Block:
        name = flat_name(call.name, call.namespace)
        if call.seal is not None:
            self.lose("thoughtSignature", "only Gemini can read it")
        block: Block = {"type": "tool_use", "id": self._id(call.id), "name": name, "input": input_of(call, self.lose, "Anthropic")}
        return _cached(block, call.cache)

    def _result(self, result: ToolResult) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": self._id(result.call_id)}
        parts = result.parts
        if len(parts) == 1 and isinstance(parts[0], Text) and len(parts[0].text) and parts[0].cache is None:
            block["content"] = parts[0].text
        elif parts:
            block["content"] = self.blocks(parts)
        if result.is_error:
            block["is_error"] = True
        return _cached(block, result.cache)

    def _id(self, id_: str) -> str:
        known = self._ids.get(id_)
        if known is None:
            known = _NOT_IN_AN_ID.sub("_", id_) or "call"
            while known in self._ids.values():
                known += "_"
            self._ids[id_] = known
        return known


def _cached(block: Block, cache: Mapping[str, Any] | None) -> Block:
    if cache is not None:
        block["cache_control"] = cache
    return block


def _plain(text: str) -> Block:
    return {"type": "text", "media_type": "text/plain", "data": text}
