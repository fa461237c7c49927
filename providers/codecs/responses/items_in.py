"""Input items → turns. Neighbouring items of the assistant are one turn, and so are neighbouring results; a message of the user's or of
the system's is a turn of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs import UntranslatableError
from providers.codecs.conversation import Opaque, Part, Role, Text, Tool, ToolCall, ToolResult, Turn
from providers.codecs.members import Data, array, optional_string, placed, string, text, wrong
from providers.codecs.responses.client_tools import CALLS, CLIENT_TOOLS, OUTPUTS
from providers.codecs.responses.parts_in import read_content, texts_in
from providers.codecs.responses.seals import OPENAI, unsealed
from providers.codecs.responses.tools_in import namespace_of, read_tools
from providers.codecs.tool_names import flat_name
from providers.dialects import BadRequestError

_ROLES: Mapping[str, Role] = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.SYSTEM}
_ELSEWHERE: Mapping[str, str] = {
    "item_reference": "an item that OpenAI keeps, and the model that is to answer is somebody else's: send the item itself",
    "compaction": "a summary that OpenAI encrypted, and the model that is to answer cannot read it: begin with a summary in plain text",
    "compaction_trigger": "a job for OpenAI's own models: ask for a summary in a message, as Codex does with a `model_provider` of its own",
}
"""Items without which the conversation would be another one."""
_USUAL = frozenset({"type", "role", "content", "id", "status"})
_NO_PLACE = frozenset({"phase", "internal_chat_message_metadata_passthrough", "prompt_cache_breakpoint", "name"})


class ItemReader:
    """Reads one request's items; `turns`, `tools` and `lost` (member → why) are what it found."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.tools: list[Tool] = []
        self.lost: dict[str, str] = {}
        self._role = Role.ASSISTANT
        self._gathered: list[Part] = []
        """Of the turn that may go on: the assistant's parts, or results."""

    def read(self, items: list[Any]) -> None:
        """Raises BadRequestError for what is no item, UntranslatableError for what only OpenAI can resolve."""
        index = 0
        try:
            for index, item in enumerate(items):  # noqa: B007 - the index is for the errors
                self._item(item)
        except BadRequestError as error:
            raise placed(error, f"input[{index}]") from None
        except UntranslatableError as error:
            where = f"input[{index}]"
            raise UntranslatableError(f"`{where}` {error}", param=where) from None
        self._close()

    def _item(self, item: Any) -> None:
        if not isinstance(item, dict):
            raise wrong("", "an object")
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if not isinstance(kind, str):
            raise wrong("type", "a string")
        read = _READERS.get(kind)
        if read is not None:
            read(self, item)
        elif kind in CALLS:
            self._client_call(item, CALLS[kind])
        elif kind in OUTPUTS:
            self._client_output(item, OUTPUTS[kind])
        elif kind in _ELSEWHERE:
            raise UntranslatableError(f"({kind}) is {_ELSEWHERE[kind]}", "")
        else:
            self._gather(Role.ASSISTANT, Opaque(OPENAI, item))

    def _gather(self, role: Role, *parts: Part) -> None:
        if role is not self._role:
            self._close()
            self._role = role
        self._gathered += parts

    def _close(self) -> None:
        if self._gathered:
            self.turns.append(Turn(self._role, tuple(self._gathered)))
            self._gathered = []

    def _message(self, item: Data) -> None:
        role = _ROLES.get(text(item.get("role")))
        if role is None:
            raise BadRequestError("`role` must be user, assistant, system or developer", "role", "invalid_value")
        if not item.keys() <= _USUAL:
            for key in _NO_PLACE & item.keys():
                if item[key] is not None:
                    self.lost[f"input[].{key}"] = "only OpenAI's format has it"
        parts = read_content(item.get("content"), "content")
        if role is Role.ASSISTANT:
            self._gather(role, *parts)
        else:
            self._close()
            self.turns.append(Turn(role, parts))

    def _reasoning(self, item: Data) -> None:
        summary = texts_in(item, "summary")
        content = texts_in(item, "content")
        seal = optional_string(item, "encrypted_content") or ""
        id_ = optional_string(item, "id")
        if summary or content or seal or id_:
            self._gather(Role.ASSISTANT, unsealed(content or summary, seal, item_id=id_, is_summary=bool(summary and not content)))

    def _call(self, item: Data) -> None:
        is_custom = item.get("type") == "custom_tool_call"
        self._gather(
            Role.ASSISTANT,
            ToolCall(
                string(item, "call_id"),
                string(item, "name"),
                string(item, "input" if is_custom else "arguments"),
                "custom" if is_custom else "function",
                namespace_of(optional_string(item, "namespace")),
                optional_string(item, "id"),
            ),
        )

    def _output(self, item: Data) -> None:
        kind = "custom" if item.get("type") == "custom_tool_call_output" else "function"
        self._gather(Role.USER, ToolResult(string(item, "call_id"), read_content(item.get("output"), "output"), kind=kind))

    def _client_call(self, item: Data, name: str) -> None:
        arguments = item.get(CLIENT_TOOLS[name].arguments)
        call_id = optional_string(item, "call_id") or string(item, "id")
        made = arguments if isinstance(arguments, str) else orjson.dumps(_without_type(arguments)).decode()
        self._gather(Role.ASSISTANT, ToolCall(call_id, name, made, item_id=optional_string(item, "id")))

    def _client_output(self, item: Data, name: str) -> None:
        call_id = optional_string(item, "call_id") or string(item, "id")
        if name == "tool_search":
            found = read_tools(array(item, "tools"), "tools")
            self.tools += found
            said = (
                "These tools can be called now: " + ", ".join(flat_name(tool.name, tool.namespace) for tool in found)
                if found
                else "No tool was found."
            )
            parts: tuple[Part, ...] = (Text(said),)
        else:
            parts = read_content(item.get("output"), "output")
        self._gather(Role.USER, ToolResult(call_id, parts))

    def _more_tools(self, item: Data) -> None:
        self.tools += read_tools(array(item, "tools"), "tools")


_READERS: Mapping[str, Callable[[ItemReader, Data], None]] = {
    "message": ItemReader._message,
    "reasoning": ItemReader._reasoning,
    "function_call": ItemReader._call,
    "custom_tool_call": ItemReader._call,
    "function_call_output": ItemReader._output,
    "custom_tool_call_output": ItemReader._output,
    "additional_tools": ItemReader._more_tools,
}


def _without_type(arguments: object) -> object:
    return {key: value for key, value in arguments.items() if key != "type"} if isinstance(arguments, dict) else arguments or {}
