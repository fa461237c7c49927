"""The task with tools, done with the official Python SDKs: `python -m scripts.harnesses.sdk_task TASK URL PROMPT` prints the last word.

Streamed through the SDKs' own accumulators: whatever they do not understand ends in their exception.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import openai
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses import ResponseInputItemParam

from scripts.harnesses.harness import KEY, MODEL

MOST_TURNS = 6
_NAME, _ABOUT = "bash", "Run a shell command"
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"command": {"type": "string"}},
    "required": ["command"],
    "additionalProperties": False,
}


def run(arguments: Mapping[str, Any]) -> str:
    """The tool. The far end's script asks for one harmless command only."""
    return subprocess.run(["bash", "-c", arguments["command"]], capture_output=True, text=True, check=False, timeout=10).stdout


def openai_chat(url: str, prompt: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY)
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": prompt}]
    for _ in range(MOST_TURNS):
        with client.chat.completions.stream(
            model=MODEL,
            messages=messages,
            stream_options={"include_usage": True},
            tools=[{"type": "function", "function": {"name": _NAME, "description": _ABOUT, "parameters": _PARAMETERS, "strict": True}}],
        ) as stream:
            for _event in stream:
                pass
            completion = stream.get_final_completion()
        assert completion.usage is not None, "no usage"
        message = completion.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))  # type: ignore[arg-type]
        for call in message.tool_calls:
            arguments = call.function.parsed_arguments
            assert isinstance(arguments, dict)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": run(arguments)})
    return "too many turns"


def openai_responses(url: str, prompt: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY)
    items: list[ResponseInputItemParam] = [{"role": "user", "content": prompt}]
    for _ in range(MOST_TURNS):
        with client.responses.stream(
            model=MODEL,
            input=items,
            store=False,
            include=["reasoning.encrypted_content"],
            tools=[{"type": "function", "name": _NAME, "description": _ABOUT, "parameters": _PARAMETERS, "strict": True}],
        ) as stream:
            for _event in stream:
                pass
            response = stream.get_final_response()
        assert response.usage is not None, "no usage"
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response.output_text
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]  # type: ignore[misc]
        for call in calls:
            assert isinstance(call.parsed_arguments, dict)
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": run(call.parsed_arguments)})
    return "too many turns"


def anthropic_messages(url: str, prompt: str) -> str:
    client = anthropic.Anthropic(base_url=url, api_key=KEY)
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": prompt}]
    assert client.messages.count_tokens(model=MODEL, messages=messages).input_tokens > 0
    for _ in range(MOST_TURNS):
        with client.messages.stream(
            model=MODEL,
            max_tokens=4096,
            messages=messages,
            thinking={"type": "enabled", "budget_tokens": 1024},
            tools=[{"name": _NAME, "description": _ABOUT, "input_schema": _PARAMETERS}],
        ) as stream:
            for _event in stream:
                pass
            message = stream.get_final_message()
        uses = [block for block in message.content if block.type == "tool_use"]
        if not uses:
            return "".join(block.text for block in message.content if block.type == "text")
        kept = [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in message.content]
        messages.append({"role": "assistant", "content": kept})  # type: ignore[typeddict-item]
        results: list[anthropic.types.ToolResultBlockParam] = [
            {"type": "tool_result", "tool_use_id": use.id, "content": run(use.input)} for use in uses
        ]
        messages.append({"role": "user", "content": results})
    return "too many turns"


TASKS: Mapping[str, Callable[[str, str], str]] = {
    "openai-chat": openai_chat,
    "openai-responses": openai_responses,
    "anthropic": anthropic_messages,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("url")
    parser.add_argument("prompt")
    given = parser.parse_args()
    print(TASKS[given.task](given.url, given.prompt))
