"""What translation costs: CPU per streamed event and per 64 KB request, in every direction, beside other translators in the same run.

Bytes in, bytes out, for everybody. A stream comes one event at a time, as a model sends it; donut's figure is the relay's own scanner
(decode, watch, encode). A request's figure begins with the parsed body, which donut has for every request anyway, and ends with bytes.
linguafranca is measured in this process if it is installed (the `test` extra); LiteLLM in the environment that BENCH_LITELLM names or
.cache/bench/litellm, if there is one: it is not installed for this.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from providers.codecs import Codec, Frame
from providers.codecs.chat import CODEC as CHAT
from providers.codecs.conversation import Conversation, Role, Text, Tool, ToolCall, ToolResult, Turn
from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Finished, FinishReason, Started, UsageSeen
from providers.codecs.gemini import CODEC as GEMINI
from providers.codecs.messages import CODEC as MESSAGES
from providers.codecs.responses import CODEC as RESPONSES
from providers.codecs.translate import TranslatingScanner
from providers.sse import events as split_events
from routing.types import Usage
from scripts.benchmark.contestants import CACHE

CODECS = {codec.name: codec for codec in (CHAT, RESPONSES, MESSAGES, GEMINI)}
UPSTREAM_MODEL = {"chat": "qwen3-coder", "responses": "gpt-5.2", "messages": "claude-opus-5-5", "gemini": "gemini-3-pro"}
EVENT_BUDGET_US, REQUEST_BUDGET_US = 60.0, 400.0
"""Issue 4."""
REQUEST_BYTES = 64 * 1024
DELTAS = 1000
ROUNDS = 9
"""The cheapest of them counts: what other programs do to the caches only ever adds (on a busy machine the median was 20 % higher)."""
REQUESTS_PER_ROUND = 40
FRAME = Frame("bench-model", "bench", 1_800_000_000)

Direction = tuple[str, str]
"""(upstream, downstream) of a stream, (downstream, upstream) of a request: from → to."""


class Figures(NamedTuple):
    """One translator's, in microseconds of CPU (user and system). `missing` says why there are none of a direction."""

    name: str
    per_event: dict[Direction, float]
    per_request: dict[Direction, float]


class Corpus(NamedTuple):
    streams: dict[str, list[bytes]]
    """Dialect → the events of one answer, as its upstream sends them."""
    requests: dict[str, bytes]


def corpus() -> Corpus:
    """The same answer and the same conversation in every dialect."""
    streams = {name: split_events(codec.new_encoder(FRAME).encode(_answer())) for name, codec in CODECS.items()}
    return Corpus(streams, {name: _request(codec) for name, codec in CODECS.items()})


def _answer() -> list[Event]:
    """Some thinking, mostly text, one call with long arguments: what an agent's turn looks like."""
    said = ["The", " donut", " has", " one", " hole", ', "as"\n', " ever", "."]
    events: list[Event] = [Started("up", "up-model"), BlockStarted(0, BlockKind.REASONING)]
    events += [Delta(0, said[number % 8]) for number in range(DELTAS // 10)]
    events += [BlockEnded(0), BlockStarted(1, BlockKind.TEXT)]
    events += [Delta(1, said[number % 8]) for number in range(DELTAS * 7 // 10)]
    events += [BlockEnded(1), BlockStarted(2, BlockKind.TOOL_CALL, "call_1", "write_file"), Delta(2, '{"text":"')]
    events += [Delta(2, "donut ") for _ in range(DELTAS // 5)]
    return [*events, Delta(2, '"}'), BlockEnded(2), UsageSeen(Usage(1000, 9000, 0, 500, 100)), Finished(FinishReason.TOOL_CALLS)]


def _request(codec: Codec) -> bytes:
    """A coding agent's conversation of 64 KB: instructions, 20 tools, calls and the files that they read."""
    schema = {"type": "object", "properties": {"path": {"type": "string", "description": "Where it is."}}, "required": ["path"]}
    tools = tuple(Tool(f"tool_{number}", "Does one thing, and does it well. " * 8, schema) for number in range(20))
    turns = [Turn(Role.SYSTEM, (Text("You are a careful baker. " * 300),)), Turn(Role.USER, (Text("Mend the oven."),))]
    conversation = Conversation(turns, tools, max_tokens=8000, stream=True, dialect=codec.name)
    number = 0
    while len(body := orjson.dumps(codec.encode(conversation, UPSTREAM_MODEL[codec.name]))) < REQUEST_BYTES - 2600:
        call = ToolCall(f"call_{number}", f"tool_{number % 20}", '{"path":"oven.py"}')
        turns.append(Turn(Role.ASSISTANT, (Text("I look at it."), call)))
        turns.append(Turn(Role.USER, (ToolResult(call.id, (Text('def bake(dough: "Dough") -> Donut:\n' * 60),)),)))
        number += 1
    return body


# Measuring


def cpu_us(work: Callable[[], object], times: int) -> float:
    """CPU microseconds of one `work()`, the best of the rounds of `times` each; one round to warm up."""
    rounds = []
    for _ in range(ROUNDS + 1):
        gc.collect()
        began_ns = time.process_time_ns()
        for _ in range(times):
            work()
        rounds.append((time.process_time_ns() - began_ns) / times / 1000)
    return min(rounds[1:])


def directions() -> Iterator[Direction]:
    return ((source, target) for source in CODECS for target in CODECS if source != target)


def measure_donut(given: Corpus) -> Figures:
    per_event, per_request = {}, {}
    for source, target in directions():
        stream, body = given.streams[source], orjson.loads(given.requests[source])

        def relay(source: str = source, target: str = target, stream: list[bytes] = stream) -> int:
            scanner = TranslatingScanner(CODECS[source].new_decoder(), CODECS[target].new_encoder(FRAME))
            return sum(len(scanner.feed(event)) for event in stream) + len(scanner.finish())

        def ask(source: str = source, target: str = target, body: dict[str, Any] = body) -> bytes:
            return orjson.dumps(CODECS[target].encode(CODECS[source].parse(body), UPSTREAM_MODEL[target]))

        per_event[source, target] = cpu_us(relay, 1) / len(stream)
        per_request[source, target] = cpu_us(ask, REQUESTS_PER_ROUND)
    return Figures("donut", per_event, per_request)


def measure_linguafranca(given: Corpus) -> Figures | str:
    """The reason where it cannot be measured."""
    if importlib.util.find_spec("linguafranca") is None:
        return "martian-linguafranca is not installed (it is in the extra `test`)"
    import linguafranca  # noqa: PLC0415 - an optional peer

    formats = {
        "chat": linguafranca.FormatName.OPENAI_CHAT_COMPLETIONS,
        "responses": linguafranca.FormatName.OPEN_RESPONSES,
        "messages": linguafranca.FormatName.ANTHROPIC_MESSAGES,
    }
    per_event, per_request = {}, {}
    for source, target in directions():
        if source not in formats or target not in formats:
            continue
        ends = {"source_format": formats[source], "target_format": formats[target]}
        stream, body = given.streams[source], orjson.loads(given.requests[source])

        def relay(stream: list[bytes] = stream, ends: dict[str, Any] = ends) -> int:
            said = linguafranca.convert_response_stream_json(payloads(stream), **ends)
            return sum(len(b"data: %b\n\n" % orjson.dumps(event)) for event in said)

        def ask(body: dict[str, Any] = body, ends: dict[str, Any] = ends) -> bytes:
            return orjson.dumps(linguafranca.convert_request_json(body, **ends).value)

        with contextlib.suppress(linguafranca.ConversionError):  # the differential test names what it rejects
            per_event[source, target] = cpu_us(relay, 1) / len(stream)
        per_request[source, target] = cpu_us(ask, REQUESTS_PER_ROUND)
    return Figures("linguafranca", per_event, per_request)


def payloads(stream: list[bytes]) -> Iterator[dict[str, Any]]:
    """The events' data, parsed."""
    for event in stream:
        data = event.partition(b"data:")[2].strip()
        if data != b"[DONE]":
            yield orjson.loads(data)


def measure_litellm(given: Corpus, folder: Path) -> Figures | str:
    """In its own environment: it needs 300 MB of packages that donut does not."""
    environment = Path(os.environ.get("BENCH_LITELLM") or CACHE / "litellm")
    python = environment / "bin" / "python"
    if not python.exists():
        return f"no environment at {environment}; `scripts/bench --only litellm` makes one, BENCH_LITELLM names another"
    told = folder / "corpus.json"
    streams = {name: list(payloads(given.streams[name])) for name in ("chat", "messages")}
    requests = {name: json.loads(given.requests[name]) for name in ("chat", "messages")}
    told.write_text(json.dumps({"streams": streams, "requests": requests}))
    script = Path(__file__).with_name("translate_litellm.py")
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else it asks the network for prices when it is imported
    found = subprocess.run([str(python), str(script), str(told)], capture_output=True, text=True, check=False, env=env, timeout=300)
    if found.returncode:
        return f"its functions could not be called: {(found.stderr.strip().splitlines() or ['it said nothing'])[-1]}"
    problems = [line for line in found.stderr.splitlines() if line.startswith("litellm, ")]
    if problems:
        print("\n".join(problems), file=sys.stderr)
    figures = json.loads(found.stdout.splitlines()[-1])
    per_event = {tuple(key.split(" ")): value for key, value in figures["per_event"].items()}
    per_request = {tuple(key.split(" ")): value for key, value in figures["per_request"].items()}
    return Figures(f"litellm {figures['version']}", per_event, per_request)


def markdown(results: list[Figures], skipped: dict[str, str]) -> str:
    """One row per direction; every translator's event and request beside one another."""
    names = [result.name for result in results]
    head = ["from → to", *(f"{name}, event" for name in names), *(f"{name}, 64 KB request" for name in names)]
    lines = [f"| {' | '.join(head)} |", f"|---|{'--:|' * (2 * len(names))}"]
    for source, target in directions():
        cells = [_us(result.per_event.get((source, target))) for result in results]
        cells += [_us(result.per_request.get((source, target))) for result in results]
        lines.append(f"| {source} → {target} | {' | '.join(cells)} |")
    budget = [f"≤ {EVENT_BUDGET_US:.0f} µs", *[""] * (len(names) - 1), f"≤ {REQUEST_BUDGET_US:.0f} µs", *[""] * (len(names) - 1)]
    lines.append(f"| *donut's budget* | {' | '.join(budget)} |")
    return "\n".join([*lines, *(f"\nSkipped: {name}: {why}" for name, why in skipped.items())])


def _us(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} µs" if value < 100 else f"{value:.0f} µs"


def over_budget(donut: Figures) -> list[str]:
    """Directions in which donut costs more than it may."""
    events = [f"{source} → {target}: {us:.0f} µs per event" for (source, target), us in donut.per_event.items() if us > EVENT_BUDGET_US]
    asked = [
        f"{source} → {target}: {us:.0f} µs per request" for (source, target), us in donut.per_request.items() if us > REQUEST_BUDGET_US
    ]
    return events + asked
