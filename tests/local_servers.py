"""Model servers for discovery tests: real sockets that say recorded bytes, and remember every request they got."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from providers.local.port import Response, Responses
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream

RECORDINGS = Path(__file__).parent / "recordings"

Pages = Mapping[str, Response]
"""Path → what it answers; every other path is 404."""


def recorded(server: str, name: str) -> tuple[str, Response]:
    """(path, answer) of `recordings/SERVER/NAME.txt`: a request line, a request body, `--- STATUS TYPE TIME ms`, the answer's body."""
    head, _, rest = (RECORDINGS / server / f"{name}.txt").read_bytes().partition(b"\n--- ")
    status_line, _, body = rest.partition(b"\n")
    path = head.split(b"\n", 1)[0].split(b" ", 1)[1].decode()
    return path, Response(int(status_line.split()[0]), body)


def recording(server: str, *names: str) -> dict[str, Response]:
    return dict(recorded(server, name) for name in names)


def page(value: Any, status: int = 200) -> Response:
    """An answer in JSON, or the text as it is."""
    return Response(status, value.encode() if isinstance(value, str) else json.dumps(value).encode())


def seen(pages: Pages, port: int = 1) -> Responses:
    """What a probe of a server with `pages` would hand to the backends."""
    return Responses(port, pages)


LLAMA_SERVER = recording("llama-server", "health", "models", "props", "v1_health", "ollama_tags", "ollama_version", "ollama_ps")
LLAMA_CPP_PYTHON = recording("llama-cpp-python", "health", "models", "openapi", "ollama_tags", "ollama_version")

OLLAMA: Pages = {
    "/": page("Ollama is running"),
    "/api/version": page({"version": "0.14.2"}),
    "/api/tags": page(
        {
            "models": [
                {
                    "name": "qwen3-coder:30b",
                    "size": 18_556_700_761,
                    "details": {"parameter_size": "30.5B", "quantization_level": "Q4_K_M"},
                    "capabilities": ["completion", "tools"],
                },
                {
                    "name": "llama3.2:latest",
                    "details": {"parameter_size": "3.2B"},
                    "capabilities": ["completion", "tools"],
                },
                {
                    "name": "gpt-oss:120b-cloud",
                    "remote_model": "gpt-oss:120b",
                    "remote_host": "https://ollama.com:443",
                    "details": {"parameter_size": "116.8B"},
                    "capabilities": ["completion", "tools", "thinking"],
                },
                {"name": "nomic-embed-text:latest", "details": {"parameter_size": "137M"}, "capabilities": ["embedding"]},
            ]
        }
    ),
    "/api/ps": page({"models": [{"name": "qwen3-coder:30b", "size_vram": 1, "context_length": 32768}]}),
    "/v1/models": page({"object": "list", "data": [{"id": "qwen3-coder:30b", "object": "model", "owned_by": "library"}]}),
}

APFEL: Pages = {
    "/health": page(
        {
            "status": "ok",
            "model": "apple-foundationmodel",
            "version": "1.8.4",
            "active_requests": 0,
            "context_window": 4096,
            "model_available": True,
            "prewarmed": True,
            "supported_languages": ["en"],
        }
    ),
    "/v1/models": page({"object": "list", "data": [{"id": "apple-foundationmodel", "object": "model", "owned_by": "apple"}]}),
}

LM_STUDIO: Pages = {
    "/api/v1/models": page(
        {
            "models": [
                {
                    "type": "llm",
                    "key": "qwen/qwen3-coder-30b",
                    "params_string": "30B",
                    "max_context_length": 262144,
                    "capabilities": {"vision": False, "trained_for_tool_use": True},
                    "loaded_instances": [{"id": "qwen/qwen3-coder-30b", "config": {"context_length": 16384, "parallel": 4}}],
                },
                {
                    "type": "llm",
                    "key": "google/gemma-4-26b-a4b",
                    "max_context_length": 262144,
                    "capabilities": {"vision": True, "trained_for_tool_use": True, "reasoning": {"allowed_options": ["on"]}},
                    "loaded_instances": [],
                },
                {"type": "embedding", "key": "text-embedding-nomic-embed-text-v1.5", "max_context_length": 2048, "loaded_instances": []},
            ]
        }
    ),
    # Unknown paths are 200 with an error, as the real one does.
    "/props": page({"error": "Unexpected endpoint or method. (GET /props)"}),
    "/running": page({"error": "Unexpected endpoint or method. (GET /running)"}),
    "/engines/status": page({"error": "Unexpected endpoint or method. (GET /engines/status)"}),
    "/api/version": page({"error": "Unexpected endpoint or method. (GET /api/version)"}),
}

VLLM: Pages = {
    "/health": page(""),
    "/version": page({"version": "0.19.0"}),
    "/v1/models": page({"object": "list", "data": [{"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 40960}]}),
}

SGLANG: Pages = {
    "/v1/models": page({"object": "list", "data": [{"id": "Qwen/Qwen3-8B", "owned_by": "sglang", "max_model_len": 32768}]}),
}

LOCALAI: Pages = {
    **{path: OLLAMA[path] for path in ("/api/version", "/api/tags")},  # it speaks Ollama's API too
    "/readyz": page("OK"),
    "/system": page({"backends": ["llama-cpp"], "loaded_models": [{"id": "gpt-4o"}]}),
    "/v1/models": page({"object": "list", "data": [{"id": "gpt-4o", "object": "model"}, {"id": "whisper-1", "object": "model"}]}),
}

LEMONADE: Pages = {
    **{path: OLLAMA[path] for path in ("/api/version", "/api/tags")},
    "/v1/health": page(
        {
            "status": "ok",
            "all_models_loaded": [
                {
                    "model_name": "Qwen3-8B-GGUF",
                    "type": "llm",
                    "recipe": "llamacpp",
                    "recipe_options": {"ctx_size": 8192},
                    "backend_url": "http://127.0.0.1:8001/v1",
                },
                {"model_name": "odd", "type": "llm", "recipe": "llamacpp", "backend_url": "http://10.1.2.3:8001/v1"},
            ],
        }
    ),
    "/v1/models": page(
        {
            "object": "list",
            "data": [
                {"id": "Qwen3-8B-GGUF", "recipe": "llamacpp", "labels": ["tool-calling", "reasoning"]},
                {"id": "odd", "recipe": "llamacpp"},
                {"id": "gpt-6-luna", "recipe": "cloud"},
                {"id": "nobody-knows"},
                {"id": "Whisper-Large", "recipe": "whispercpp"},
            ],
        }
    ),
}

DOCKER: Pages = {
    **{path: OLLAMA[path] for path in ("/api/version", "/api/tags", "/api/ps")},
    "/engines/status": page({"llama.cpp": "running"}),
    "/engines/v1/models": page({"object": "list", "data": [{"id": "ai/qwen3:8B-Q4_K_M", "object": "model", "owned_by": "docker"}]}),
}

LLAMA_SWAP: Pages = {
    "/health": page("OK"),
    "/running": page({"running": [{"model": "qwen3-8b", "state": "ready"}]}),
    "/v1/models": page(
        {"object": "list", "data": [{"id": "qwen3-8b", "owned_by": "llama-swap"}, {"id": "gemma4", "owned_by": "llama-swap"}]}
    ),
}

KOBOLDCPP: Pages = {
    **{path: OLLAMA[path] for path in ("/api/version", "/api/tags")},
    "/api/extra/version": page({"result": "KoboldCpp", "version": "1.99"}),
    "/api/extra/true_max_context_length": page({"value": 8192}),
    "/v1/models": page({"object": "list", "data": [{"id": "koboldcpp/Qwen3-8B-Q4_K_M", "owned_by": "koboldcpp"}]}),
}

SERVERS: Mapping[str, Pages] = {
    "ollama": OLLAMA,
    "apfel": APFEL,
    "lmstudio": LM_STUDIO,
    "llamacpp": LLAMA_SERVER,
    "llama-cpp-python": LLAMA_CPP_PYTHON,
    "vllm": VLLM,
    "sglang": SGLANG,
    "localai": LOCALAI,
    "lemonade": LEMONADE,
    "docker": DOCKER,
    "llama-swap": LLAMA_SWAP,
    "koboldcpp": KOBOLDCPP,
}
"""Backend name → its pages. Jan is missing: nothing but its port tells it."""


def serving(pages: Pages, key: str | None = None) -> Handler:
    """A handler that answers from `pages`; with `key`, 401 to whoever does not show it."""

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        path = request.head.split(b" ", 2)[1].decode()
        response = pages.get(path, page({"detail": "Not Found"}, 404))
        if key is not None and request.header(b"authorization") != b"Bearer " + key.encode():
            response = page({"error": "Invalid or missing authorization token"}, 401)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (response.status, len(response.body), response.body))

    return handle


async def silent(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """A handler that never answers."""
    del request, writer
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def reached_on(port: int, server: ScriptedUpstream) -> AsyncIterator[None]:
    """Also reach `server` on a port whose number matters. Skips the test when something else has it."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    try:
        forwarder = await asyncio.start_server(connect, "127.0.0.1", port)
    except OSError:
        pytest.skip(f"port {port} is taken")
    async with forwarder:
        yield


def methods(server: ScriptedUpstream) -> set[bytes]:
    """The methods of all requests that `server` got."""
    return {request.head.split(b" ", 1)[0] for request in server.requests}


def paths(server: ScriptedUpstream) -> list[str]:
    return [request.head.split(b" ", 2)[1].decode() for request in server.requests]
