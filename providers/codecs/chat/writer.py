"""Parts → what stands in a chat message, with what its servers are strict about, and a note of everything left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from providers.codecs import UntranslatableError
from providers.codecs.chat.reasoning import signature_member
from providers.codecs.conversation import Audio, Conversation, Document, Image, Opaque, Part, Refused, Text, ToolCall
from providers.codecs.custom_input import CUSTOM_INPUT
from providers.codecs.files import DEFAULT_IMAGE, PDF
from providers.codecs.tool_names import flat_name

ID_CHARS = 40
"""OpenAI refuses longer ids of tool calls."""

ContentPart = dict[str, Any]


class Writer:
    """For one request. `is_native`: it came in this dialect, so that everything may be said as it was."""

    def __init__(self, conversation: Conversation) -> None:
        self.lose, self._lose_item = conversation.lose, conversation.lose_item
        self.is_native = conversation.dialect == "chat"
        self.knows_openai_files = conversation.dialect in ("chat", "responses")

    def content(self, parts: Sequence[Part], joint: str) -> str | list[ContentPart] | None:
        """A message's `content`: one string wherever there is nothing but text (many servers know no other), else parts; None: nothing.

        `joint` stands between texts that were parts of their own.
        """
        if len(parts) == 1 and isinstance(text := parts[0], Text) and text.cache is None and not text.citations:
            return text.text or None  # what most messages are
        written = [part for each in parts if (part := self._part(each)) is not None]
        if not written:
            return None
        if all(part.keys() == {"type", "text"} for part in written) and (len(written) == 1 or not self.is_native):
            return joint.join(part["text"] for part in written)
        return written

    def _part(self, part: Part) -> ContentPart | None:
        match part:
            case Text():
                return self._text(part)
            case Image():
                return self._cached({"type": "image_url", "image_url": self._image(part)}, part.cache)
            case Document():
                return self._cached(self._document(part), part.cache)
            case Audio():
                return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
            case Refused():
                return {"type": "text", "text": part.text} if part.text else None
            case Opaque():
                self._lose_item(part)
        return None

    def _text(self, part: Text) -> ContentPart | None:
        if part.citations:
            self.lose("citations", "messages of this format have no place for them")
        return self._cached({"type": "text", "text": part.text}, part.cache) if part.text else None

    def _cached(self, written: ContentPart, cache: Mapping[str, Any] | None) -> ContentPart:
        if cache is not None:
            if self.is_native:
                written["cache_control"] = cache
            else:
                self.lose("cache_control", "servers of this format cache by themselves")
        return written

    def _image(self, image: Image) -> dict[str, Any]:
        if image.data is not None:
            url = f"data:{image.media_type or DEFAULT_IMAGE};base64,{image.data}"
        elif image.url is not None:
            url = image.url
        else:
            raise UntranslatableError(
                "an image's `file_id` cannot be sent in a chat request: send the image itself (base64 or URL)", "file_id"
            )
        return {"url": url} if image.detail is None else {"url": url, "detail": image.detail}

    def _document(self, document: Document) -> ContentPart:
        if document.text is not None:
            title = f"{document.name}\n\n" if document.name else ""
            return {"type": "text", "text": title + document.text}
        file: dict[str, Any] = {} if document.name is None else {"filename": document.name}
        if document.data is not None:
            media_type = document.media_type or PDF
            file = {"filename": document.name or "document.pdf", "file_data": f"data:{media_type};base64,{document.data}"}
        elif document.file_id is not None and self.knows_openai_files:
            file["file_id"] = document.file_id
        elif document.url is not None and self.is_native:
            file["file_data"] = document.url
        else:
            what = "url" if document.url is not None else "file_id"
            raise UntranslatableError(f"a document's `{what}` cannot be sent in a chat request: send the file itself as base64", what)
        return {"type": "file", "file": file}

    def call(self, call: ToolCall) -> dict[str, Any]:
        """An entry of `tool_calls`."""
        name = flat_name(call.name, call.namespace)
        if call.kind == "custom" and self.is_native:
            return {"id": self.id(call.id), "type": "custom", "custom": {"name": name, "input": call.arguments}}
        arguments = call.arguments if call.kind != "custom" else orjson.dumps({CUSTOM_INPUT: call.arguments}).decode()
        written: dict[str, Any] = {
            "id": self.id(call.id),
            "type": "function",
            "function": {"name": name, "arguments": arguments or "{}"},
        }
        if call.seal is not None:
            if self.is_native:
                written |= signature_member(call.seal)
            else:
                self.lose("thoughtSignature", "only Gemini can read it")
        return written

    def id(self, id_: str) -> str:
        """The id of a call, short enough for everyone; the same one always gives the same."""
        if self.is_native or len(id_) <= ID_CHARS:
            return id_
        return "call_" + hashlib.sha256(id_.encode("utf-8", "replace")).hexdigest()[:32]
