"""Parts → the content parts of Responses items, with a note of what the format cannot say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from providers.codecs.conversation import Audio, Conversation, Document, Image, Opaque, Part, Refused, Text
from providers.codecs.files import PDF, foreign_file
from providers.codecs.responses.seals import OPENAI

Item = dict[str, Any]
FILE_NAME = "document.pdf"
"""A file must have a name, and its ending says what it is."""


class PartWriter:
    """Writes the parts of one request; what is left out is noted in `conversation.losses`."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.lose = conversation.lose
        self.is_native = conversation.dialect == "responses"

    def given(self, parts: Iterable[Part]) -> list[Item]:
        """What a model is told: a message of the user's or the system's, or a tool's result. Raises UntranslatableError."""
        return [written for part in parts if (written := self._given(part)) is not None]

    def _given(self, part: Part) -> Item | None:  # noqa: PLR0911 - one line per kind of part
        match part:
            case Text(text=text):
                return {"type": "input_text", "text": text} if text else None
            case Image():
                return self._image(part)
            case Document():
                return self._document(part)
            case Audio():
                return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
            case Refused(text=text):
                return {"type": "input_text", "text": text} if text else None
            case Opaque():
                return self.opaque(part)
        self.lose(f"input[] {type(part).__name__}", "it has no place in a message of the user's")
        return None

    def said(self, part: Text | Refused) -> Item | None:
        """What a model said itself."""
        if not part.text:
            return None
        if isinstance(part, Refused):
            return {"type": "refusal", "refusal": part.text}
        written: Item = {"type": "output_text", "text": part.text}
        if part.citations:
            if part.vendor == OPENAI:
                written["annotations"] = list(part.citations)
            else:
                self.lose("citations", "OpenAI takes back only citations of its own")
        return written

    def opaque(self, part: Opaque) -> Item | None:
        if part.vendor == OPENAI:
            return dict(part.raw)
        self._conversation.lose_item(part)
        return None

    def _image(self, image: Image) -> Item:
        written: Item = {"type": "input_image"}
        if image.data is not None:
            written["image_url"] = f"data:{image.media_type or 'image/png'};base64,{image.data}"
        elif image.url is not None:
            written["image_url"] = image.url
        else:
            written["file_id"] = self._file(image.file_id)
        if image.detail is not None:
            written["detail"] = image.detail
        return written

    def _document(self, document: Document) -> Item:
        if document.text is not None:
            head = f"{document.name}\n\n" if document.name else ""
            return {"type": "input_text", "text": head + document.text}
        written: Item = {"type": "input_file"}
        if document.name:
            written["filename"] = document.name
        if document.data is not None:
            written.setdefault("filename", FILE_NAME)
            written["file_data"] = f"data:{document.media_type or PDF};base64,{document.data}"
        elif document.url is not None:
            written["file_url"] = document.url
        else:
            written["file_id"] = self._file(document.file_id)
        return written

    def _file(self, file_id: str | None) -> str:
        if file_id is None or self._conversation.dialect not in ("responses", "chat"):
            raise foreign_file(file_id)
        return file_id
