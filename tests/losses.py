"""Everything that a client can ask for, one thing at a time, and what becomes of it in every other format: yes, partly, left out, refused.

A request with the thing is compared with the same request without it: where an encoder's body is the same and it names no loss, the thing
was dropped in silence.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from providers.codecs import UntranslatableError
from providers.codecs.conversation import Conversation
from providers.dialects import BadRequestError
from tests.translating import CODECS, through_json

Members = Mapping[str, Any]

UPSTREAM_MODEL = {"chat": "qwen3-coder", "responses": "gpt-5.2", "messages": "claude-opus-5-5", "gemini": "gemini-3-pro"}
"""Of each format the models that are its usual case: open ones for chat, the vendor's newest for the others."""


NOTHING: Members = MappingProxyType({})


class Asked(NamedTuple):
    """`given` is asked for on top of `beside`."""

    given: Members
    beside: Members = NOTHING


class Fate(enum.StrEnum):
    KEPT = "kept"
    PARTLY = "in part"
    """Something of it is in the upstream's request, and a loss is told."""
    LEFT_OUT = "left out"
    REFUSED = "refused"
    SILENT = "SILENTLY DROPPED"


class Outcome(NamedTuple):
    fate: Fate
    why: str = ""


def outcome(downstream: str, asked: Asked, upstream: str) -> Outcome:
    """What becomes of it. Raises nothing: a request that one side refuses is refused."""
    try:
        without, _ = _translated(downstream, {**BASE[downstream], **asked.beside}, upstream)
        body, conversation = _translated(downstream, {**BASE[downstream], **asked.beside, **asked.given}, upstream)
        _, before = _translated(downstream, {**BASE[downstream], **asked.beside}, upstream)
    except (UntranslatableError, BadRequestError) as error:
        return Outcome(Fate.REFUSED, str(error))
    lost = [loss for loss in conversation.losses if loss not in before.losses]
    why = "; ".join(f"`{loss.what}`: {loss.why}" for loss in lost)
    if body != without:
        return Outcome(Fate.PARTLY if lost else Fate.KEPT, why)
    return Outcome(Fate.LEFT_OUT if lost else Fate.SILENT, why)


def _translated(downstream: str, body: Members, upstream: str) -> tuple[Any, Conversation]:
    conversation = CODECS[downstream].parse(through_json(body))
    return through_json(CODECS[upstream].encode(conversation, UPSTREAM_MODEL[upstream])), conversation


SCHEMA: Members = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": False}
PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQ="
LARK = {"type": "grammar", "syntax": "lark", "definition": "start: /a+/"}


# Chat


def _user(*parts: Members, **more: Any) -> Members:
    return {"messages": [{"role": "user", "content": list(parts) or "Hi", **more}]}


def _chat_tool(**more: Any) -> Members:
    return {"tools": [{"type": "function", "function": {"name": "read_file", "parameters": SCHEMA, **more}}]}


_CHAT_CALL: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path":"a"}'}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "text"},
]


def _chat_thought(**thought: Any) -> Members:
    return {"messages": [_CHAT_CALL[0], {**_CHAT_CALL[1], **thought}, _CHAT_CALL[2]]}


_CHAT_CALLED = {"messages": _CHAT_CALL, **_chat_tool()}
_HI = {"type": "text", "text": "Hi"}

CHAT: Mapping[str, Asked] = {
    "system message in front": Asked({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}),
    "developer message in front": Asked({"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}),
    "system message later": Asked({"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}]}),
    "name of a message": Asked(_user(name="baker")),
    "image as base64": Asked(_user(_HI, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})),
    "image by URL": Asked(_user(_HI, {"type": "image_url", "image_url": {"url": "https://donut.example/a.png"}})),
    "detail of an image": Asked(
        _user({"type": "image_url", "image_url": {"url": "https://donut.example/a.png", "detail": "low"}}),
        _user({"type": "image_url", "image_url": {"url": "https://donut.example/a.png"}}),
    ),
    "audio": Asked(_user(_HI, {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})),
    "PDF as base64": Asked(_user(_HI, {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}})),
    "file by id": Asked(_user(_HI, {"type": "file", "file": {"file_id": "file-1"}})),
    "cache_control": Asked(_user({**_HI, "cache_control": {"type": "ephemeral"}}), _user(_HI)),
    "tools": Asked(_chat_tool()),
    "strict tool": Asked(_chat_tool(strict=True), _chat_tool()),
    "custom tool": Asked({"tools": [{"type": "custom", "custom": {"name": "patch", "format": {"type": "text"}}}]}),
    "custom tool's grammar": Asked(
        {
            "tools": [
                {
                    "type": "custom",
                    "custom": {"name": "patch", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a+/"}}},
                }
            ]
        },
        {"tools": [{"type": "custom", "custom": {"name": "patch"}}]},
    ),
    "call and result": Asked({"messages": _CHAT_CALL}, _chat_tool()),
    "reasoning_content of a call under way": Asked(_chat_thought(reasoning_content="hm"), _CHAT_CALLED),
    "reasoning_details, signed by Anthropic": Asked(
        _chat_thought(reasoning_details=[{"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1"}]),
        _CHAT_CALLED,
    ),
    "reasoning_details, encrypted by OpenAI": Asked(
        _chat_thought(reasoning_details=[{"type": "reasoning.encrypted", "data": "c2ln", "id": "rs_1", "format": "openai-responses-v1"}]),
        _CHAT_CALLED,
    ),
    "Gemini's thought signature": Asked(
        {
            "messages": [
                _CHAT_CALL[0],
                {
                    **_CHAT_CALL[1],
                    "tool_calls": [{**_CHAT_CALL[1]["tool_calls"][0], "extra_content": {"google": {"thought_signature": "c2ln"}}}],
                },
                _CHAT_CALL[2],
            ]
        },
        _CHAT_CALLED,
    ),
    "refusal in the conversation": Asked(
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "refusal": "No."}, {"role": "user", "content": "Hi"}]}
    ),
    "tool_choice required": Asked({"tool_choice": "required"}, _chat_tool()),
    "tool_choice none": Asked({"tool_choice": "none"}, _chat_tool()),
    "tool_choice with a name": Asked({"tool_choice": {"type": "function", "function": {"name": "read_file"}}}, _chat_tool()),
    "tool_choice allowed_tools": Asked(
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "read_file"}}]},
            }
        },
        {"tools": [*_chat_tool()["tools"], {"type": "function", "function": {"name": "write_file"}}]},
    ),
    "parallel_tool_calls false": Asked({"parallel_tool_calls": False}, _chat_tool()),
    "response_format json_object": Asked({"response_format": {"type": "json_object"}}),
    "response_format json_schema": Asked(
        {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}}
    ),
    "reasoning_effort high": Asked({"reasoning_effort": "high"}),
    "reasoning_effort none": Asked({"reasoning_effort": "none"}),
    "max_completion_tokens": Asked({"max_completion_tokens": 3000}),
    "temperature": Asked({"temperature": 0.5}),
    "top_p": Asked({"top_p": 0.5}),
    "top_k": Asked({"top_k": 20}),
    "seed": Asked({"seed": 3}),
    "stop": Asked({"stop": ["END"]}),
    "frequency_penalty": Asked({"frequency_penalty": 0.5}),
    "presence_penalty": Asked({"presence_penalty": 0.5}),
    "logprobs": Asked({"logprobs": True, "top_logprobs": 3}),
    "n 2": Asked({"n": 2}),
    "stream": Asked({"stream": True}),
    "user": Asked({"user": "baker"}),
    "safety_identifier": Asked({"safety_identifier": "baker"}),
    "metadata": Asked({"metadata": {"order": "12"}}),
    "service_tier flex": Asked({"service_tier": "flex"}),
    "verbosity": Asked({"verbosity": "low"}),
    "prompt_cache_key": Asked({"prompt_cache_key": "key"}),
    "store": Asked({"store": True}),
    "logit_bias": Asked({"logit_bias": {"50256": -100}}),
    "prediction": Asked({"prediction": {"type": "content", "content": "Hi"}}),
    "web_search_options": Asked({"web_search_options": {}}),
    "audio as output": Asked({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}),
    "a member that nobody knows": Asked({"min_p": 0.1}),
}


# Responses


def _input(*items: Members) -> Members:
    return {"input": [{"role": "user", "content": "Hi"}, *items]}


def _content(*parts: Members) -> Members:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}, *parts]}]}


def _function(**more: Any) -> Members:
    return {"tools": [{"type": "function", "name": "read_file", "parameters": SCHEMA, "strict": False, **more}]}


_CALL = {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": '{"path":"a"}'}
_OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "text"}
_CALLED = {**_input(_CALL, _OUTPUT), **_function()}

RESPONSES: Mapping[str, Asked] = {
    "instructions": Asked({"instructions": "Be brief."}),
    "developer message": Asked({"input": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}),
    "image by URL": Asked(_content({"type": "input_image", "image_url": "https://donut.example/a.png"})),
    "image by id": Asked(_content({"type": "input_image", "file_id": "file-1"})),
    "detail of an image": Asked(
        _content({"type": "input_image", "image_url": "https://donut.example/a.png", "detail": "low"}),
        _content({"type": "input_image", "image_url": "https://donut.example/a.png"}),
    ),
    "PDF as base64": Asked(_content({"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"})),
    "file by URL": Asked(_content({"type": "input_file", "file_url": "https://donut.example/a.pdf"})),
    "file by id": Asked(_content({"type": "input_file", "file_id": "file-1"})),
    "call and result": Asked(_input(_CALL, _OUTPUT), _function()),
    "image in a result": Asked(
        {**_input(_CALL, {**_OUTPUT, "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]})}, _CALLED
    ),
    "encrypted reasoning": Asked(
        _input({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2ln"}, _CALL, _OUTPUT), _CALLED
    ),
    "reasoning summary in the conversation": Asked(
        _input({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}, _CALL, _OUTPUT), _CALLED
    ),
    "compaction item": Asked(_input({"type": "compaction", "encrypted_content": "c2ln"})),
    "item_reference": Asked(_input({"type": "item_reference", "id": "msg_1"})),
    "tools": Asked(_function()),
    "strict tool": Asked(_function(strict=True), _function()),
    "custom tool": Asked({"tools": [{"type": "custom", "name": "patch"}]}),
    "custom tool's grammar": Asked(
        {"tools": [{"type": "custom", "name": "patch", "format": LARK}]}, {"tools": [{"type": "custom", "name": "patch"}]}
    ),
    "namespace of tools": Asked({"tools": [{"type": "namespace", "name": "files", "tools": _function()["tools"]}]}, _function()),
    "web_search": Asked({"tools": [{"type": "web_search"}]}),
    "tool_choice required": Asked({"tool_choice": "required"}, _function()),
    "tool_choice with a name": Asked({"tool_choice": {"type": "function", "name": "read_file"}}, _function()),
    "tool_choice allowed_tools": Asked(
        {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "read_file"}]}},
        {"tools": [*_function()["tools"], {"type": "function", "name": "write_file"}]},
    ),
    "parallel_tool_calls false": Asked({"parallel_tool_calls": False}, _function()),
    "text.format json_object": Asked({"text": {"format": {"type": "json_object"}}}),
    "text.format json_schema": Asked({"text": {"format": {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}}}),
    "text.verbosity": Asked({"text": {"verbosity": "low"}}),
    "reasoning.effort high": Asked({"reasoning": {"effort": "high"}}),
    "reasoning.effort none": Asked({"reasoning": {"effort": "none"}}),
    "reasoning.summary": Asked({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning": {"effort": "high"}}),
    "include reasoning.encrypted_content": Asked({"include": ["reasoning.encrypted_content"]}, {"reasoning": {"effort": "high"}}),
    "include message.output_text.logprobs": Asked({"include": ["message.output_text.logprobs"]}),
    "max_output_tokens": Asked({"max_output_tokens": 3000}),
    "temperature": Asked({"temperature": 0.5}),
    "top_p": Asked({"top_p": 0.5}),
    "stream": Asked({"stream": True}),
    "store": Asked({"store": True}, {"store": False}),
    "user": Asked({"user": "baker"}),
    "safety_identifier": Asked({"safety_identifier": "baker"}),
    "metadata": Asked({"metadata": {"order": "12"}}),
    "service_tier flex": Asked({"service_tier": "flex"}),
    "prompt_cache_key": Asked({"prompt_cache_key": "key"}),
    "previous_response_id": Asked({"previous_response_id": "resp_1"}),
    "conversation": Asked({"conversation": "conv_1"}),
    "prompt": Asked({"prompt": {"id": "pmpt_1"}}),
    "background": Asked({"background": True}),
    "truncation auto": Asked({"truncation": "auto"}),
    "max_tool_calls": Asked({"max_tool_calls": 3}),
}


# Messages


def _said(*blocks: Members) -> Members:
    return {"messages": [{"role": "user", "content": [_HI, *blocks]}]}


def _tool(**more: Any) -> Members:
    return {"tools": [{"name": "read_file", "input_schema": SCHEMA, **more}]}


def _called(*before: Members, result: Members | None = None) -> Members:
    call = {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a"}}
    answered = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "text", **(result or {})}
    return {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [*before, call]},
            {"role": "user", "content": [answered]},
        ]
    }


_EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
_DOCUMENT = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
_MESSAGES_CALLED = {**_called(), **_tool()}

MESSAGES: Mapping[str, Asked] = {
    "system": Asked({"system": "Be brief."}),
    "billing line of Claude Code": Asked({"system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1"}]}),
    "system message later": Asked({"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}]}),
    "cache_control of a text": Asked({"system": [{**_HI, **_EPHEMERAL}]}, {"system": [_HI]}),
    "cache_control of a tool": Asked(_tool(**_EPHEMERAL), _tool()),
    "cache_control of a result": Asked(_called(result=_EPHEMERAL), _MESSAGES_CALLED),
    "image as base64": Asked(_said({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})),
    "image by URL": Asked(_said({"type": "image", "source": {"type": "url", "url": "https://donut.example/a.png"}})),
    "image by id": Asked(_said({"type": "image", "source": {"type": "file", "file_id": "file_1"}})),
    "PDF as base64": Asked(_said(_DOCUMENT)),
    "PDF by URL": Asked(_said({"type": "document", "source": {"type": "url", "url": "https://donut.example/a.pdf"}})),
    "document as text": Asked(
        _said({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Plain."}, "title": "Menu"})
    ),
    "context of a document": Asked(_said({**_DOCUMENT, "context": "Old."}), _said(_DOCUMENT)),
    "citations of a document": Asked(_said({**_DOCUMENT, "citations": {"enabled": True}}), _said(_DOCUMENT)),
    "search_result": Asked(_said({"type": "search_result", "source": "https://donut.example", "title": "Menu", "content": [_HI]})),
    "call and result": Asked(_called(), _tool()),
    "image in a result": Asked(
        _called(result={"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}),
        _MESSAGES_CALLED,
    ),
    "is_error of a result": Asked(_called(result={"is_error": True}), _MESSAGES_CALLED),
    "signed thinking": Asked(_called({"type": "thinking", "thinking": "hm", "signature": "c2ln"}), _MESSAGES_CALLED),
    "redacted thinking": Asked(_called({"type": "redacted_thinking", "data": "c2ln"}), _MESSAGES_CALLED),
    "a server tool's call in the conversation": Asked(
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [_HI, {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}]},
                {"role": "user", "content": "Hi"},
            ]
        },
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [_HI]}, {"role": "user", "content": "Hi"}]},
    ),
    "citations in the conversation": Asked(
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [{**_HI, "citations": [{"type": "char_location", "cited_text": "a"}]}]},
            ]
        },
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [_HI]}]},
    ),
    "tools": Asked(_tool()),
    "strict tool": Asked(_tool(strict=True), _tool()),
    "eager_input_streaming of a tool": Asked(_tool(eager_input_streaming=True), _tool()),
    "web_search": Asked({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    "tool_choice any": Asked({"tool_choice": {"type": "any"}}, _tool()),
    "tool_choice none": Asked({"tool_choice": {"type": "none"}}, _tool()),
    "tool_choice with a name": Asked({"tool_choice": {"type": "tool", "name": "read_file"}}, _tool()),
    "disable_parallel_tool_use": Asked(
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, {"tool_choice": {"type": "auto"}, **_tool()}
    ),
    "output_config.format": Asked({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    "output_config.effort": Asked({"output_config": {"effort": "low"}}),
    "thinking with a budget": Asked({"thinking": {"type": "enabled", "budget_tokens": 4096}}),
    "thinking adaptive": Asked({"thinking": {"type": "adaptive"}}),
    "thinking disabled": Asked({"thinking": {"type": "disabled"}}),
    "max_tokens": Asked({"max_tokens": 3000}),
    "temperature": Asked({"temperature": 0.5}),
    "top_p": Asked({"top_p": 0.5}),
    "top_k": Asked({"top_k": 20}),
    "stop_sequences": Asked({"stop_sequences": ["END"]}),
    "stream": Asked({"stream": True}),
    "metadata.user_id": Asked({"metadata": {"user_id": "baker"}}),
    "service_tier standard_only": Asked({"service_tier": "standard_only"}),
    "container": Asked({"container": "c1"}),
    "context_management": Asked({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
    "mcp_servers": Asked({"mcp_servers": [{"type": "url", "url": "https://donut.example", "name": "menu"}]}),
}


# Gemini


def _parts(*parts: Members) -> Members:
    return {"contents": [{"role": "user", "parts": [{"text": "Hi"}, *parts]}]}


def _config(**members: Any) -> Members:
    return {"generationConfig": {"maxOutputTokens": 70000, **members}}


def _declared(**more: Any) -> Members:
    return {"tools": [{"functionDeclarations": [{"name": "read_file", "description": "Reads.", "parametersJsonSchema": SCHEMA, **more}]}]}


def _gemini_called(*before: Members, signature: str | None = None) -> Members:
    call = {
        "functionCall": {"id": "1", "name": "read_file", "args": {"path": "a"}},
        **({"thoughtSignature": signature} if signature else {}),
    }
    result = {"functionResponse": {"id": "1", "name": "read_file", "response": {"output": "text"}}}
    return {"contents": [_parts()["contents"][0], {"role": "model", "parts": [*before, call]}, {"role": "user", "parts": [result]}]}


_GEMINI_CALLED = {**_gemini_called(), **_declared()}

GEMINI: Mapping[str, Asked] = {
    "systemInstruction": Asked({"systemInstruction": {"parts": [{"text": "Be brief."}]}}),
    "inlineData, a picture": Asked(_parts({"inlineData": {"mimeType": "image/png", "data": PNG}})),
    "inlineData, a PDF": Asked(_parts({"inlineData": {"mimeType": "application/pdf", "data": PDF}})),
    "inlineData, a film": Asked(_parts({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}})),
    "fileData, a picture": Asked(_parts({"fileData": {"mimeType": "image/png", "fileUri": "https://donut.example/a.png"}})),
    "call and result": Asked(_gemini_called(), _declared()),
    "thoughtSignature": Asked(_gemini_called(signature="c2ln"), _GEMINI_CALLED),
    "thought in the conversation": Asked(_gemini_called({"text": "hm", "thought": True}), _GEMINI_CALLED),
    "executableCode in the conversation": Asked(_gemini_called({"executableCode": {"language": "PYTHON", "code": "1"}}), _GEMINI_CALLED),
    "functionDeclarations": Asked(_declared()),
    "behavior of a function": Asked(_declared(behavior="BLOCKING"), _declared()),
    "googleSearch": Asked({"tools": [{"googleSearch": {}}]}),
    "mode ANY": Asked({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, _declared()),
    "mode NONE": Asked({"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}, _declared()),
    "allowedFunctionNames": Asked(
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["read_file"]}}},
        {"tools": [{"functionDeclarations": [{"name": "read_file"}, {"name": "write_file"}]}]},
    ),
    "responseMimeType": Asked(_config(responseMimeType="application/json")),
    "responseJsonSchema": Asked(_config(responseMimeType="application/json", responseJsonSchema=SCHEMA)),
    "thinkingLevel": Asked(_config(thinkingConfig={"thinkingLevel": "HIGH"})),
    "thinkingBudget": Asked(_config(thinkingConfig={"thinkingBudget": 4096})),
    "thinkingBudget 0": Asked(_config(thinkingConfig={"thinkingBudget": 0})),
    "thinkingBudget -1": Asked(_config(thinkingConfig={"thinkingBudget": -1})),
    "maxOutputTokens": Asked(_config(maxOutputTokens=3000)),
    "temperature": Asked(_config(temperature=0.5)),
    "topP": Asked(_config(topP=0.5)),
    "topK": Asked(_config(topK=20)),
    "seed": Asked(_config(seed=3)),
    "stopSequences": Asked(_config(stopSequences=["END"])),
    "frequencyPenalty": Asked(_config(frequencyPenalty=0.5)),
    "presencePenalty": Asked(_config(presencePenalty=0.5)),
    "responseLogprobs": Asked(_config(responseLogprobs=True, logprobs=3)),
    "candidateCount 2": Asked(_config(candidateCount=2)),
    "responseModalities": Asked(_config(responseModalities=["IMAGE"])),
    "mediaResolution": Asked(_config(mediaResolution="MEDIA_RESOLUTION_LOW")),
    "safetySettings": Asked({"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]}),
    "cachedContent": Asked({"cachedContent": "cachedContents/1"}),
    "labels": Asked({"labels": {"order": "12"}}),
}

BASE: Mapping[str, Members] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 70000},
    "responses": {"model": "m", "input": "Hi", "max_output_tokens": 70000},
    "messages": {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 70000},
    "gemini": {"model": "m", "stream": False, **_parts(), **_config()},
}
FEATURES: Mapping[str, Mapping[str, Asked]] = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES, "gemini": GEMINI}
