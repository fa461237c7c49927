"""What is asked of every contestant, and the requests that ask it. Shared by the runner and the load generator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

MODEL = "bench-model"
KEY = "sk-donut-bench"
PATH = "/v1/chat/completions"
CONNECTIONS = 16
LATENCY = "latency"
"""The workload that is also asked of the upstream itself."""
_WORDS = "lorem ipsum dolor "


@dataclass(frozen=True, slots=True)
class Workload:
    name: str
    title: str
    body_kb: float = 2
    chunks: int = 0
    """0: not streamed."""
    interval_us: int = 0
    connections: int = CONNECTIONS
    per_chunk: bool = False
    """CPU is reported per streamed chunk instead of per request."""
    times_rounds: int = 1
    """So many times as many rounds as the others."""

    @property
    def stream(self) -> bool:
        return self.chunks > 0


WORKLOADS: tuple[Workload, ...] = (
    Workload("2kb", "2 KB body"),
    Workload("64kb", "64 KB body", body_kb=64),
    Workload("400kb", "400 KB body", body_kb=400),
    Workload("burst", "20-chunk burst", chunks=20),
    # Chunks that fall together cost half of what each costs alone, and how the streams fall beside each other is drawn anew every second.
    Workload("paced", "per chunk, 5 ms apart", chunks=200, interval_us=5_000, per_chunk=True, times_rounds=3),
    # One request at a time: with 16 in flight the slower of proxy and load generator would be measured, not what a proxy adds.
    Workload(LATENCY, "latency", connections=1),
)


def request_body(workload: Workload) -> bytes:
    """A chat request of about `body_kb`; the mark in its text tells the mock upstream how to stream."""
    filler = _WORDS * int(workload.body_kb * 1024 / len(_WORDS))
    mark = f" [mock {workload.chunks} {workload.interval_us}]" if workload.stream else ""
    body: dict[str, object] = {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. " + filler},
            {"role": "user", "content": "Say hello." + mark},
        ],
        "stream": workload.stream,
        "max_tokens": 64,
    }
    if workload.stream:
        # Asked for, so that nobody has to add it or take the usage chunk out again.
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body, separators=(",", ":")).encode()


def raw_request(workload: Workload, base_url: str) -> bytes:
    """The request as it goes over the wire."""
    body = request_body(workload)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {urlsplit(base_url).netloc}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def mistake(workload: Workload, status: int, body: bytes) -> str | None:
    """Why this answer is not the one that was asked for; None when it is. A fast wrong answer wins nothing."""
    if status != 200:
        return f"HTTP {status}: {body[:200].decode('utf-8', 'replace')}"
    if not workload.stream:
        return None if b"Hello! How can I help you today?" in body else "the upstream's text is missing"
    said = body.count(b'" token')
    if said != workload.chunks:
        return f"{said} of {workload.chunks} chunks arrived"
    return None if b"[DONE]" in body else "the stream has no end"
