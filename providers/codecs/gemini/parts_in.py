"""Google's parts → parts. What is no part of a kind known here is kept whole, as something that only Google can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs.conversation import Audio, Document, Image, Opaque, Part, Reasoning, Text
from providers.codecs.gemini.calls import Calls
from providers.codecs.gemini.seals import GEMINI, UNSEALED, is_ours, reasoning_in
from providers.codecs.gemini.spelling import camel, member
from providers.dialects import BadRequestError

Data = Mapping[str, Any]
Lost = dict[str, str]
"""Member → why it is left out: each member once, however many parts carry it."""

_BESIDE = frozenset({"thought", "thoughtSignature"})
"""Members that stand beside the one that says what a part is."""
_ONLY_GOOGLES = frozenset({"videoMetadata", "mediaResolution", "partMetadata"})
_OWN_FILES = ("gs://", "https://generativelanguage.googleapis.com/")
_TEXT_KEYS = ("output", "error", "result")
"""Where a function's response is one text; the first two are Google's own words for it, the third is what its first examples had."""


class PartReader:
    """Reads the parts of one request, in order."""

    def __init__(self, lost: Lost) -> None:
        self._lost = lost
        self._calls = Calls(lost)

    def read(self, parts: object) -> tuple[Part, ...]:
        """The parts of one content. Raises BadRequestError naming the member that is wrong, from `parts` on."""
        if isinstance(parts, dict):  # one part without its array, as protobuf's JSON allows it
            parts = [parts]
        if parts is None:
            return ()
        if not isinstance(parts, list):
            raise BadRequestError("`parts` must be an array of parts", "parts", "invalid_type")
        found: list[Part] = []
        for index, part in enumerate(parts):
            if not isinstance(part, dict):
                raise BadRequestError(f"`parts[{index}]` must be an object", f"parts[{index}]", "invalid_type")
            try:
                self._read(part, found)
            except (KeyError, TypeError, AttributeError) as error:
                name = f"`{error.args[0]}` is missing or" if isinstance(error, KeyError) else "a member"
                raise BadRequestError(f"`parts[{index}]`: {name} of the wrong type", f"parts[{index}]") from None
        return tuple(found)

    def _read(self, part: Data, found: list[Part]) -> None:
        if len(part) == 1 and isinstance(text := part.get("text"), str):  # what nearly every part is
            if text:
                found.append(Text(text))
            return
        names = part if part.keys() <= _AS_DOCUMENTED else self._camelled(part)
        for name in names:
            if (read := _READERS.get(name)) is not None:
                read(self, names, found)
                return
        if names.keys() - _BESIDE:
            found.append(Opaque(GEMINI, part))

    def _camelled(self, part: Data) -> Data:
        """In the documented spelling, without what only Google's format has."""
        names = {camel(name): value for name, value in part.items()}
        for name in _ONLY_GOOGLES & names.keys():
            self._lost[f"parts[].{name}"] = "only Google's format has it"
            del names[name]
        return names

    def _text(self, part: Data, found: list[Part]) -> None:
        text = _string(part, "text")
        signature = _signature(part)
        if part.get("thought") is True:
            found.append(Reasoning(text, GEMINI, signature, is_summary=True))
            return
        if text:
            found.append(Text(text))
        if signature is not None:
            found.append(Reasoning("", GEMINI, signature))

    def _call(self, part: Data, found: list[Part]) -> None:
        call = part["functionCall"]
        name, arguments = _string(call, "name"), call.get("args")
        if not isinstance(arguments, dict | None):
            raise KeyError("args")
        signature = part.get("thoughtSignature")
        if is_ours(signature):
            found += reasoning_in(str(signature))
        found.append(self._calls.made(name, call.get("id"), orjson.dumps(arguments or {}).decode(), signature and _signature(part)))

    def _response(self, part: Data, found: list[Part]) -> None:
        answered = part["functionResponse"]
        name, response = _string(answered, "name"), answered.get("response")
        if not isinstance(response, dict | None):
            raise KeyError("response")
        text, is_error = _said(response or {})
        said: list[Part] = [Text(text)] if text else []
        for each in answered.get("parts") or ():
            self._read(each, said)
        result = self._calls.answered(name, answered.get("id"), tuple(said), is_error=is_error)
        if result is not None:
            found.append(result)

    def _inline(self, part: Data, found: list[Part]) -> None:
        blob = part["inlineData"]
        media_type, data = member(blob, "mimeType"), _string(blob, "data")
        if not isinstance(media_type, str):
            raise KeyError("mimeType")
        major, _, minor = media_type.partition("/")
        match major:
            case "image":
                found.append(Image(data=data, media_type=media_type))
            case "audio":
                found.append(Audio(data, minor.removeprefix("x-")))
            case "video":
                found.append(Opaque(GEMINI, part))
            case _:
                found.append(Document(data=data, media_type=media_type, name=member(blob, "displayName")))

    def _file(self, part: Data, found: list[Part]) -> None:
        file = part["fileData"]
        address, media_type = member(file, "fileUri"), member(file, "mimeType")
        if not isinstance(address, str):
            raise KeyError("fileUri")
        media_type = media_type if isinstance(media_type, str) else None
        file_id, url = (address, None) if address.startswith(_OWN_FILES) else (None, address)
        if media_type is not None and media_type.startswith("image/"):
            found.append(Image(url=url, media_type=media_type, file_id=file_id))
        elif media_type is not None and media_type.startswith(("video/", "audio/")):
            found.append(Opaque(GEMINI, part))
        else:
            found.append(Document(url=url, media_type=media_type, file_id=file_id, name=member(file, "displayName")))


_READERS: Mapping[str, Callable[[PartReader, Data, list[Part]], None]] = {
    "text": PartReader._text,
    "functionCall": PartReader._call,
    "functionResponse": PartReader._response,
    "inlineData": PartReader._inline,
    "fileData": PartReader._file,
}
_AS_DOCUMENTED = _READERS.keys() | _BESIDE


def _string(data: Data, key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise KeyError(key)
    return value


def _signature(part: Data) -> str | None:
    """Google's own signature; neither its stand-in nor what donut put there."""
    signature = part.get("thoughtSignature")
    return signature if isinstance(signature, str) and signature and signature != UNSEALED and not is_ours(signature) else None


def _said(response: Data) -> tuple[str, bool]:
    """(a function's response as text, did it fail?)."""
    if len(response) == 1:
        ((key, value),) = response.items()
        if key in _TEXT_KEYS:
            return (value if isinstance(value, str) else orjson.dumps(value).decode()), key == "error"
    return (orjson.dumps(response).decode() if response else ""), False
