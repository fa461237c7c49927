"""The content parts of Responses items → parts. A part of a kind not known here is kept whole, as something that only OpenAI can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.codecs.conversation import Audio, Document, Image, Opaque, Part, Refused, Text
from providers.codecs.members import Data, array, obj, optional_string, string, wrong
from providers.codecs.responses.seals import OPENAI


def read_content(content: object, where: str) -> tuple[Part, ...]:
    """Content as a string or as parts. Raises BadRequestError naming the member that is neither."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if content is None:
        return ()
    if not isinstance(content, list):
        raise wrong(where, "a string or an array of content parts")
    return tuple(_part(part, f"{where}[{index}]") for index, part in enumerate(content))


def _part(part: Any, where: str) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise wrong(where, "an object with a `type`")
    read = _READERS.get(kind)
    return Opaque(OPENAI, part) if read is None else read(part, where + ".")


def _text(part: Data, where: str) -> Part:
    annotations = part.get("annotations")
    if annotations and isinstance(annotations, list):
        return Text(string(part, "text", where), citations=tuple(annotations), vendor=OPENAI)
    return Text(string(part, "text", where))


def _refusal(part: Data, where: str) -> Part:
    return Refused(string(part, "refusal", where))


def _image(part: Data, where: str) -> Part:
    url, detail = optional_string(part, "image_url", where), optional_string(part, "detail", where)
    if url is None:
        return Image(file_id=string(part, "file_id", where), detail=detail)
    data = split_data_url(url)
    return Image(url=url, detail=detail) if data is None else Image(data=data[1], media_type=data[0], detail=detail)


def _file(part: Data, where: str) -> Part:
    name = optional_string(part, "filename", where)
    if (data := optional_string(part, "file_data", where)) is not None:
        media_type, content = split_data_url(data) or (None, data)
        return Document(data=content, media_type=media_type, name=name)
    if (url := optional_string(part, "file_url", where)) is not None:
        return Document(url=url, name=name)
    return Document(file_id=string(part, "file_id", where), name=name)


def _audio(part: Data, where: str) -> Part:
    audio = obj(part, "input_audio", where) or {}
    return Audio(string(audio, "data", where + "input_audio."), string(audio, "format", where + "input_audio."))


_READERS: Mapping[str, Callable[[Data, str], Part]] = {
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
