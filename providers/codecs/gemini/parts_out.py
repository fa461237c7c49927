"""Parts → Google's parts, with what its API is strict about: no empty texts, objects as arguments, signatures on calls."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Sequence
from typing import Any

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
from providers.codecs.gemini.models import Ways
from providers.codecs.gemini.seals import GEMINI, UNSEALED
from providers.codecs.tool_names import flat_name

Block = dict[str, Any]

_CALL = "functionCall"


class PartWriter:
    """Writes the parts of one request; what is left out is noted in `conversation.losses`."""

    def __init__(self, conversation: Conversation, ways: Ways) -> None:
        self._conversation = conversation
        self.lose = conversation.lose
        self._ways = ways
        self._names: dict[str, str] = {}
        """Ids of the calls so far → their functions: Google's results must name them."""

    def model_parts(self, parts: Sequence[Part]) -> list[Block]:
        """The parts of one answer of the model's. A seal that came as reasoning goes onto the call that it preceded."""
        found: list[Block] = []
        pending: str | None = None
        """A seal for the call that comes next."""
        has_call = False
        for index, part in enumerate(parts):
            if isinstance(part, ToolCall):
                seal = part.seal or pending or (None if has_call or not self._ways.is_strict else UNSEALED)
                found.append(self._call(part, seal))
                pending, has_call = None, True
            elif isinstance(part, Reasoning):
                is_before_call = index + 1 < len(parts) and isinstance(parts[index + 1], ToolCall)
                pending = self._reasoning(part, found, is_before_call=is_before_call) or pending
            else:
                self._write(part, found)
        return found

    def parts(self, parts: Iterable[Part]) -> list[Block]:
        """Everything but reasoning and calls. Raises UntranslatableError for what would change the meaning if it were missing."""
        found: list[Block] = []
        for part in parts:
            self._write(part, found)
        return found

    def _write(self, part: Part, found: list[Block]) -> None:
        match part:
            case Text():
                if part.citations:
                    self.lose("annotations", "Google takes no citations back")
                if part.text:
                    found.append({"text": part.text})
            case ToolResult():
                self._result(part, found)
            case Image():
                found.append(self._image(part))
            case Document():
                found += self._document(part)
            case Audio():
                found.append(_inline(f"audio/{part.format}", part.data))
            case Refused():
                found += _text(part.text)
            case Opaque():
                if part.vendor == GEMINI:
                    found.append(dict(part.raw))
                else:
                    self._conversation.lose_item(part)
            case Reasoning() | ToolCall():
                pass  # only the model has them

    def _reasoning(self, reasoning: Reasoning, found: list[Block], *, is_before_call: bool) -> str | None:
        """Tell a Google thought as it came; the seal of one before a call is the call's, and is given back."""
        if reasoning.vendor != GEMINI:
            self.lose("reasoning", "Google takes back only what its own models thought")
            return None
        block: Block = {"text": reasoning.text, "thought": True} if reasoning.text else {"text": ""}
        if reasoning.seal is not None and not is_before_call:
            block["thoughtSignature"] = reasoning.seal
        if len(block) > 1:
            found.append(block)
        return reasoning.seal if is_before_call else None

    def _call(self, call: ToolCall, seal: str | None) -> Block:
        name = flat_name(call.name, call.namespace)
        self._names[call.id] = name
        block: Block = {_CALL: {"id": call.id, "name": name, "args": input_of(call, self.lose, "Google")}}
        if seal is not None:
            block["thoughtSignature"] = seal
        return block

    def _result(self, result: ToolResult, found: list[Block]) -> None:
        text, others = self._said(result.parts)
        name = self._names.get(result.call_id)
        if name is None:
            self.lose("tool_call_id", "no call has this id: its result is sent as the user's text")
            found += [*_text(text), *others]
            return
        answered: Block = {"id": result.call_id, "name": name, "response": {"error" if result.is_error else "output": text}}
        if others and self._ways.is_strict and all("inlineData" in part for part in others):
            answered["parts"], others = others, []
        found.append({"functionResponse": answered})
        found += others

    def _said(self, parts: Sequence[Part]) -> tuple[str, list[Block]]:
        """(what a function returned in words, what else)."""
        if len(parts) == 1 and isinstance(text := parts[0], Text):
            return text.text, []
        words = "\n".join(part.text for part in parts if isinstance(part, Text))
        return words, self.parts(part for part in parts if not isinstance(part, Text))

    def no_result(self, call_id: str) -> Block:
        """For a call whose result never came: Google refuses a conversation in which their numbers differ."""
        self.lose("tool_call_id", "a call has no result: told the model so")
        return {"functionResponse": {"id": call_id, "name": self._names[call_id], "response": {"error": "There is no result."}}}

    def _image(self, image: Image) -> Block:
        if image.detail not in (None, "auto"):
            self.lose("image_url.detail", "Google has no levels of detail for one picture")
        if image.data is not None:
            return _inline(image.media_type or DEFAULT_IMAGE, image.data)
        return self._file(image.url, image.file_id, image.media_type, DEFAULT_IMAGE)

    def _document(self, document: Document) -> list[Block]:
        text = document.text
        if text is None and document.data is not None and (document.media_type or "").startswith("text/"):
            text = decoded(document.data)
        if text is not None:
            return _text(f"{document.name}:\n{text}" if document.name else text)
        if document.data is not None:
            return [_inline(document.media_type or PDF, document.data)]
        return [self._file(document.url, document.file_id, document.media_type, PDF)]

    def _file(self, url: str | None, file_id: str | None, media_type: str | None, default: str) -> Block:
        if url is None:
            if self._conversation.dialect != GEMINI:
                raise foreign_file(file_id)
            url = file_id or ""
        guessed = media_type or mimetypes.guess_type(url.partition("?")[0])[0] or default
        return {"fileData": {"mimeType": guessed, "fileUri": url}}


def _text(text: str) -> list[Block]:
    return [{"text": text}] if text else []


def _inline(media_type: str, data: str) -> Block:
    return {"inlineData": {"mimeType": media_type, "data": data}}
