"""Parts → Google's parts, with what its API is strict about: no empty texts, objects as arguments, signatures on calls."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from providers.codecs import UntranslatableError
from providers.codecs.conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Loss,
    Opaque,
    Part,
    Reasoning,
    Refused,
    Text,
    ToolCall,
    ToolResult,
)
from providers.codecs.custom_input import CUSTOM_INPUT
from providers.codecs.gemini.models import Ways
from providers.codecs.gemini.seals import GEMINI, UNSEALED
from providers.codecs.tool_names import flat_name

Block = dict[str, Any]

DEFAULT_IMAGE = "image/jpeg"
PDF = "application/pdf"
_CALL = "functionCall"


class PartWriter:
    """Writes the parts of one request; what is left out is noted in `conversation.losses`."""

    def __init__(self, conversation: Conversation, ways: Ways) -> None:
        self._conversation = conversation
        self._ways = ways
        self._names: dict[str, str] = {}
        """Ids of the calls so far → their functions: Google's results must name them."""

    def lose(self, what: str, why: str) -> None:
        """Note a loss, once: an encoder may run again for another replica."""
        loss = Loss(what, why)
        if loss not in self._conversation.losses:
            self._conversation.losses.append(loss)

    def model_parts(self, parts: Iterable[Part]) -> list[Block]:
        """The parts of one answer of the model's. A seal that came as reasoning goes onto the call that it preceded."""
        found: list[Block] = []
        pending: str | None = None
        """A seal for the call that comes next."""
        has_call = False
        listed = list(parts)
        for part, after in zip(listed, [*listed[1:], None], strict=True):
            if isinstance(part, Reasoning):
                pending = self._reasoning(part, found, is_before_call=isinstance(after, ToolCall)) or pending
            elif isinstance(part, ToolCall):
                seal = part.seal or pending or (None if has_call or not self._ways.is_strict else UNSEALED)
                found.append(self._call(part, seal))
                pending, has_call = None, True
            else:
                found += self.parts((part,))
        return found

    def parts(self, parts: Iterable[Part]) -> list[Block]:
        """Everything but reasoning and calls. Raises UntranslatableError for what would change the meaning if it were missing."""
        found: list[Block] = []
        for part in parts:
            match part:
                case Text():
                    if part.citations:
                        self.lose("annotations", "Google takes no citations back")
                    found += _text(part.text)
                case Image():
                    found.append(self._image(part))
                case Document():
                    found += self._document(part)
                case ToolResult():
                    found += self._result(part)
                case Audio():
                    found.append(_inline(f"audio/{part.format}", part.data))
                case Refused():
                    found += _text(part.text)
                case Opaque():
                    if part.vendor == GEMINI:
                        found.append(dict(part.raw))
                    else:
                        self.lose(str(part.raw.get("type", "an item")), f"only {part.vendor or 'its own vendor'} can read it")
                case Reasoning() | ToolCall():
                    pass  # only the model has them
        return found

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
        arguments = {CUSTOM_INPUT: call.arguments} if call.kind == "custom" else self._arguments(call.arguments)
        block: Block = {_CALL: {"id": call.id, "name": name, "args": arguments}}
        if seal is not None:
            block["thoughtSignature"] = seal
        return block

    def _arguments(self, arguments: str) -> Mapping[str, Any]:
        """The arguments as an object. What the model wrote wrongly is still what it wrote: it goes along as text."""
        if not arguments.strip():
            return {}
        try:
            data = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            data = None
        if isinstance(data, dict):
            return data
        self.lose("tool_calls[].function.arguments", "they are no JSON object, which Google demands: sent as text in a member `arguments`")
        return {"arguments": arguments}

    def _result(self, result: ToolResult) -> list[Block]:
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        others = self.parts(part for part in result.parts if not isinstance(part, Text))
        name = self._names.get(result.call_id)
        if name is None:
            self.lose("tool_call_id", "no call has this id: its result is sent as the user's text")
            return [*_text("\n".join(texts)), *others]
        answered: Block = {"id": result.call_id, "name": name, "response": {"error" if result.is_error else "output": "\n".join(texts)}}
        if others and self._ways.is_strict and all("inlineData" in part for part in others):
            answered["parts"], others = others, []
        return [{"functionResponse": answered}, *others]

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
            text = _decoded(document.data)
        if text is not None:
            return _text(f"{document.name}:\n{text}" if document.name else text)
        if document.data is not None:
            return [_inline(document.media_type or PDF, document.data)]
        return [self._file(document.url, document.file_id, document.media_type, PDF)]

    def _file(self, url: str | None, file_id: str | None, media_type: str | None, default: str) -> Block:
        if url is None:
            if self._conversation.dialect != GEMINI:
                raise UntranslatableError(f"`file_id` {file_id} is another vendor's: send the file itself (base64 or URL)", "file_id")
            url = file_id or ""
        guessed = media_type or mimetypes.guess_type(url.partition("?")[0])[0] or default
        return {"fileData": {"mimeType": guessed, "fileUri": url}}


def _text(text: str) -> list[Block]:
    return [{"text": text}] if text else []


def _inline(media_type: str, data: str) -> Block:
    return {"inlineData": {"mimeType": media_type, "data": data}}


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
