"""How many tokens a request would be: by the upstream that would answer it where that one counts, else by donut's own estimate.

Counting is free at those who offer it and promises nothing, so it is no exchange: nothing is reserved, journaled or tried elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from providers.dialects import Dialect
from providers.transport.decoding import decoded
from providers.transport.port import Deadlines, Headers, TransportError, UpstreamRequest
from proxy.dry_run import Call, demand_of
from proxy.headers import to_client, to_upstream
from proxy.redact import without_secrets
from proxy.serving import Serving, Upstream
from routing.types import Demand, Dispatch

PATIENCE = Deadlines(connect_s=2.0, first_byte_s=5.0, idle_s=5.0, total_s=8.0)
"""A harness waits for the count before it goes on; a rough one now is worth more than an exact one later."""

ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Counted:
    """Either the upstream's own answer or donut's estimate."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    tokens_estimated: int | None = None
    answer_headers: Headers = field(default_factory=list)
    """Which model and replica it is for."""


async def count(call: Call, body: bytes | None, suffix: bytes, serving: Serving, now_s: float) -> Counted:
    """Ask whoever would answer `call`, or estimate.

    `body` is the request as it came; None: no upstream would take it so. `suffix` is what the counting path has behind the dialect's own
    path (`/…`), or in place of what follows its last colon (`:…`). Raises NotDecidableError where the request itself would be refused.
    """
    demand = demand_of(call, serving, now_s)
    upstream = _who_would_answer(demand, serving, now_s)
    name = call.dialect.name
    if body is not None and upstream is not None and name in upstream.replica.dialects and name in upstream.targets:
        counted = await _asked(call, body, upstream, _counting_target(upstream.targets[name], suffix))
        if counted is not None:
            return counted
    tokens = _estimate(call.dialect, call.data, call.size)
    if upstream is None:
        return Counted(tokens_estimated=tokens)
    calibration = serving.router.fleet.calibration(upstream.replica.logical_model_id)
    return Counted(tokens_estimated=calibration.input_tokens(tokens), answer_headers=upstream.answer_headers)


def _who_would_answer(demand: Demand, serving: Serving, now_s: float) -> Upstream | None:
    decision = serving.router.preview(demand, now_s)
    return serving.upstreams.get(decision.replica.id) if isinstance(decision, Dispatch) else None


def _counting_target(target: bytes, suffix: bytes) -> bytes:
    path = target.partition(b"?")[0]
    return (path.rpartition(b":")[0] if suffix.startswith(b":") else path) + suffix


async def _asked(call: Call, body: bytes, upstream: Upstream, target: bytes) -> Counted | None:
    """The upstream's count, or its word that the request is wrong; None where it does not count or can not now."""
    ask = call.dialect.read(call.data, call.size)
    request = UpstreamRequest(
        upstream.origin,
        b"POST",
        target,
        [*upstream.headers, *to_upstream(call.headers, upstream.kind.forward_headers, upstream.kind.default_headers)],
        call.dialect.prepare(body, call.data, ask, upstream.replica.upstream_model),
        PATIENCE,
        hint=upstream.replica.id,
    )
    try:
        answer = await upstream.transport.send(request)
    except TransportError:
        return None
    try:
        if answer.status not in (200, 400):
            return None
        plain = decoded(answer)
        said = b""
        while len(said) < ANSWER_BYTES and (data := await plain.read()):
            said += data
    except TransportError:
        return None
    finally:
        answer.close()
    return Counted(answer.status, to_client(plain.headers), without_secrets(said, upstream.headers), None, upstream.answer_headers)


def _estimate(dialect: Dialect, data: dict[str, Any], size: int) -> int:
    return dialect.count_input(data) if dialect.count_input is not None else dialect.read(data, size).input_tokens_estimated
