"""A call's arguments where a format wants them as an object, and not as the text that the model wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs.conversation import ToolCall
from providers.codecs.custom_input import CUSTOM_INPUT


def input_of(call: ToolCall, lose: Callable[[str, str], None], vendor: str) -> Mapping[str, Any]:
    """What the model wrote wrongly is still what it wrote: it goes along as text."""
    if call.kind == "custom":
        return {CUSTOM_INPUT: call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        data = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        data = None
    if isinstance(data, dict):
        return data
    lose("tool_calls[].function.arguments", f"they are no JSON object, which {vendor} demands: sent as text in a member `arguments`")
    return {"arguments": call.arguments}
