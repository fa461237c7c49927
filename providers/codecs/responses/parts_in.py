"""The content parts of Responses items → parts. A part of a kind not known here is kept whole, as something that only OpenAI can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.codecs.conversation import Audio, Document, Image, Opaque, Part, Refused, Text
from providers.codecs.members import Data, array, obj, optional_string, placed, string, wrong
from providers.codecs.responses.seals import OPENAI
from providers.dialects import BadRequestError


def read_content(content: object, where: str) -> tuple[Part, ...]:
    """Content as a string or as parts. Raises BadRequestError naming the member that is neither."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if content is None:
        return ()
    if not isinstance(content, list):
        raise wrong(where, "a string or an array of content parts")
    parts: list[Part] = []
    try:
        for part in content:
            parts.append(_part(part))  # noqa: PERF401 - how many there are says which one was wrong
    except BadRequestError as error:
        raise placed(error, f"{where}[{len(parts)}]") from None
    return tuple(parts)


def _part(part: Any) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise wrong("", "an object with a `type`")
    read = _READERS.get(kind)
    return Opaque(OPENAI, part) if read is None else read(part)


def _text(part: Data) -> Part:
    annotations = part.get("annotations")
    if annotations and isinstance(annotations, list):
        return Text(string(part, "text"), citations=tuple(annotations), vendor=OPENAI)
    return Text(string(part, "text"))


def _refusal(part: Data) -> Part:
    return Refused(string(part, "refusal"))


def _image(part: Data) -> Part:
    url, detail = optional_string(part, "image_url"), optional_string(part, "detail")
    if url is None:
        return Image(file_id=string(part, "file_id"), detail=detail)
    data = split_data_url(url)
    return Image(url=url, detail=detail) if data is None else Image(data=data[1], media_type=data[0], detail=detail)


def _file(part: Data) -> Part:
    name = optional_string(part, "filename")
    if (data := optional_string(part, "file_data")) is not None:
        media_type, content = split_data_url(data) or (None, data)
        return Document(data=content, media_type=media_type, name=name)
    if (url := optional_string(part, "file_url")) is not None:
        return Document(url=url, name=name)
    return Document(file_id=string(part, "file_id"), name=name)


def _audio(part: Data) -> Part:
    audio = obj(part, "input_audio") or {}
    return Audio(string(audio, "data", "input_audio."), string(audio, "format", "input_audio."))


_READERS: Mapping[str, Callable[[Data], Part]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "summary_text": _text,
    "reasoning_text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}


def split_data_url(url: str) -> tuple[str, str] | None:
    """(media type, base64) of a `data:` URL; None for any other. RFC 2397."""
    if not url.startswith("data:"):
        return None
    head, comma, data = url[5:].partition(",")
    return (head.removesuffix(";base64").partition(";")[0], data) if comma and head.endswith(";base64") else None


def texts_in(item: Data, key: str) -> str:
    """The texts of a member like `summary`: one below the other, as they are shown."""
    if not item.get(key):
        return ""
    parts = read_content(array(item, key), key)
    return "\n\n".join(part.text for part in parts if isinstance(part, Text))
