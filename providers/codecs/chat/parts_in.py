"""Messages of a chat request → turns. https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs import UntranslatableError
from providers.codecs.chat.reasoning import read_reasoning, signature_in
from providers.codecs.conversation import Audio, Document, Image, Part, Refused, Role, Text, ToolCall, ToolResult, Turn
from providers.dialects import BadRequestError

Message = Mapping[str, Any]

_ROLES: Mapping[str, Role] = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]+)*;base64,")


def read_turn(message: object, where: str) -> Turn:
    """One message. Raises BadRequestError naming the member that is wrong, UntranslatableError for a part that only OpenAI understands."""
    if not isinstance(message, dict):
        raise BadRequestError(f"`{where}` must be an object with role and content", where, "invalid_type")
    said = message.get("role")
    if said in ("tool", "function"):
        return Turn(Role.USER, (_result(message, where),))
    role = _ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise BadRequestError(f"`{where}.role` must be system, developer, user, assistant or tool", f"{where}.role", "invalid_value")
    parts = _content(message.get("content"), where)
    if role is Role.ASSISTANT:
        parts = [*read_reasoning(message), *parts, *_refusal(message), *_calls(message, where)]
    name = message.get("name")
    return Turn(role, _cached(parts, message), name if isinstance(name, str) else None)


def _cached(parts: list[Part], message: Message) -> tuple[Part, ...]:
    """LiteLLM and OpenRouter take a cache mark beside `content`, too: it is its last part's."""
    cache = message.get("cache_control")
    if cache is not None and parts and isinstance(parts[-1], Text):
        parts[-1] = parts[-1]._replace(cache=cache)
    return tuple(parts)


def _content(content: object, where: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    if content is None:
        return []
    where += ".content"
    if not isinstance(content, list):
        raise BadRequestError(f"`{where}` must be a string or an array of content parts", where, "invalid_type")
    return [_part(part, f"{where}[{index}]") for index, part in enumerate(content)]


def _part(part: object, where: str) -> Part:
    if isinstance(part, str):
        return Text(part)  # some clients write arrays of strings
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise BadRequestError(f"`{where}` must be an object with a `type`", where, "invalid_type")
    read = _PARTS.get(kind)
    if read is None:
        raise UntranslatableError(f"`{where}`: a part of type `{kind}` is understood only by an upstream that speaks chat itself", where)
    try:
        return read(part)
    except (KeyError, TypeError) as error:
        member = f"`{error.args[0]}` is missing or" if isinstance(error, KeyError) else "a member is"
        raise BadRequestError(f"`{where}`: {member} of the wrong type for `{kind}`", where, "invalid_type") from None


def _string(holder: Mapping[str, Any], key: str) -> str:
    value = holder[key]
    if not isinstance(value, str):
        raise KeyError(key)
    return value


def _text(part: Message) -> Part:
    return Text(_string(part, "text"), part.get("cache_control"))


def _image(part: Message) -> Part:
    image, cache = part["image_url"], part.get("cache_control")
    url = image if isinstance(image, str) else _string(image, "url")
    detail = None if isinstance(image, str) else image.get("detail")
    found = _DATA_URL.match(url)
    if found is None:
        return Image(url=url, detail=detail, cache=cache)
    return Image(data=url[found.end() :], media_type=found[1] or None, detail=detail, cache=cache)


def _file(part: Message) -> Part:
    file, cache = part["file"], part.get("cache_control")
    name, file_id, data = file.get("filename"), file.get("file_id"), file.get("file_data")
    if isinstance(file_id, str):
        return Document(file_id=file_id, name=name, cache=cache)
    if not isinstance(data, str):
        raise KeyError("file_data")
    found = _DATA_URL.match(data)
    if found is not None:
        return Document(data=data[found.end() :], media_type=found[1] or None, name=name, cache=cache)
    if data.startswith(("http://", "https://")):  # OpenRouter's way
        return Document(url=data, name=name, cache=cache)
    return Document(data=data, media_type="application/pdf", name=name, cache=cache)


def _audio(part: Message) -> Part:
    audio = part["input_audio"]
    return Audio(_string(audio, "data"), _string(audio, "format"))


_PARTS: Mapping[str, Callable[[Message], Part]] = {
    "text": _text,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
    "refusal": lambda part: Refused(_string(part, "refusal")),
}


def _refusal(message: Message) -> list[Part]:
    refusal = message.get("refusal")
    return [Refused(refusal)] if isinstance(refusal, str) and refusal else []


def _calls(message: Message, where: str) -> list[Part]:
    calls = message.get("tool_calls")
    if calls is None:
        legacy = message.get("function_call")
        return [_call({"id": f"call_{legacy.get('name')}", "function": legacy}, where, 0)] if isinstance(legacy, dict) else []
    if not isinstance(calls, list):
        raise BadRequestError(f"`{where}.tool_calls` must be an array", f"{where}.tool_calls", "invalid_type")
    found = [_call(call, where, index) for index, call in enumerate(calls)]
    if found and "extra_content" in message and found[0].seal is None:
        found[0] = found[0]._replace(seal=signature_in(message))
    return list(found)


def _call(call: object, where: str, index: int) -> ToolCall:
    if not isinstance(call, dict) or not isinstance(call.get("id"), str):
        where += f".tool_calls[{index}]"
        raise BadRequestError(f"`{where}` must be an object with an id and a function", where, "invalid_type")
    is_custom = call.get("type") == "custom"
    called = call.get("custom" if is_custom else "function")
    name = called.get("name") if isinstance(called, dict) else None
    if not isinstance(called, dict) or not isinstance(name, str):
        where += f".tool_calls[{index}]"
        raise BadRequestError(f"`{where}.function` must have a name", f"{where}.function.name", "missing_required_parameter")
    if is_custom:
        return ToolCall(call["id"], name, str(called.get("input") or ""), "custom")
    return ToolCall(call["id"], name, json_of(called.get("arguments")), seal=signature_in(call) if "extra_content" in call else None)


def json_of(arguments: object) -> str:
    """Arguments as the text that they should be; some servers and clients write the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else orjson.dumps(arguments).decode()


def _result(message: Message, where: str) -> ToolResult:
    name = message.get("name")
    call_id = message.get("tool_call_id")
    if message.get("role") == "function":
        call_id = f"call_{name}"
    if not isinstance(call_id, str):
        raise BadRequestError(
            f"`{where}.tool_call_id` must say which call this is the result of", f"{where}.tool_call_id", "missing_required_parameter"
        )
    parts = tuple(_content(message.get("content"), where))
    return ToolResult(call_id, parts, name=name if isinstance(name, str) else None, cache=message.get("cache_control"))
