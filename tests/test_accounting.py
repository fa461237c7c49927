"""Requirements B1–B3, B6 and B7 of reference/reliability-requirements.md: what is written down when a client leaves, how tokens add up,
what an estimate is worth, and that each try and each decision can be read again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.commands import explain, usage
from tests.serving import Donut, config_for
from tests.streams import CHAT, End, Framing, RawClient, ask, chunk, event, play, playing
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, eventually, saying

HELLO = [{"role": "user", "content": "Hi"}]
ROLE = chunk(role="assistant", content="")
STOP = chunk("stop")
DONE = b"data: [DONE]\n\n"
REPORTED = ("reported_input_uncached", "reported_cache_read", "reported_cache_write", "reported_output", "reported_reasoning")
ESTIMATED = tuple(name.replace("reported", "estimated") for name in REPORTED)
OPENAI_USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


def usage_chunk(**figures: Any) -> bytes:
    return event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up-model", "choices": [], "usage": figures})


def words(count: int) -> list[bytes]:
    return [chunk(content=f"word{number} ") for number in range(count)]


def whole(content: str = "hi", **members: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "up-model", "choices": [choice], **members}).encode()


def columns(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


class Stages:
    """An upstream that sends the pieces it was given, waits for `go_on`, and then sends the rest. What happens at its end is counted."""

    def __init__(self, before: list[bytes], after: list[bytes], *, head: bool = True) -> None:
        self._before, self._after = before, after
        self._head = head
        self.go_on = asyncio.Event()
        self.served = 0

    async def __call__(self, _request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        if self._head:
            writer.write(Framing.CHUNKED.head(0))
        for piece in self._before:
            writer.write(Framing.CHUNKED.piece(piece))
        await self.go_on.wait()
        if not self._head:
            writer.write(Framing.CHUNKED.head(0))
        for piece in self._after:
            writer.write(Framing.CHUNKED.piece(piece))
        writer.write(Framing.CHUNKED.ending)


async def leave(donut: Donut, *, stream: bool = True, after_frames: int = 0, end: End = End.FIN, upstream: ScriptedUpstream) -> None:
    """Ask, read `after_frames` content chunks once the upstream has the request, and hang up."""
    async with RawClient(donut.port) as client:
        client.send(ask(stream=stream) if stream else {"model": "test-model", "messages": HELLO})
        await eventually(lambda: bool(upstream.requests))
        if after_frames:
            await client.read_head()
            seen = b""
            while seen.count(b"word") < after_frames:
                seen += await client.read_frame()
        client.close(end)


async def only_row(donut: Donut, within_s: float = 1.0) -> tuple[dict[str, Any], dict[str, Any]]:
    """The exchange and its only attempt."""
    (exchange,) = await donut.wait_for_rows(1, within_s)
    (attempt,) = donut.rows("attempts")
    return exchange, attempt


# B1, B3: the client leaves


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize(
    ("before", "frames", "seen"),
    [
        pytest.param([], 0, 0, id="before the answer's head"),
        pytest.param([ROLE], 0, 0, id="during the prelude"),
        pytest.param([ROLE, *words(1)], 1, 1, id="at the first token"),
        pytest.param([ROLE, *words(7)], 7, 7, id="in the middle"),
        pytest.param([ROLE, *words(3), STOP], 3, 3, id="between the last token and usage"),
    ],
)
async def test_b1_a_client_that_leaves_costs_one_row_with_an_estimate(
    tmp_path: Path, before: list[bytes], frames: int, seen: int, end: End
) -> None:
    upstream_says = Stages(before, [*words(100), STOP, DONE], head=bool(before))
    async with ScriptedUpstream(upstream_says) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await leave(donut, after_frames=frames, end=end, upstream=upstream)
        exchange, attempt = await only_row(donut)
        await eventually(lambda: upstream.connections_open == 0, within_s=1)
        await eventually(lambda: donut.in_flight == 0)
        assert donut.open_reservations == 0
        assert (exchange["status"], exchange["http_status"], attempt["status"]) == ("client_gone", 499, "client_gone")
        assert attempt["failure_kind"] == "client_gone"
        assert columns(attempt, REPORTED) == (None,) * 5
        assert attempt["estimated_input_uncached"] > 0
        assert attempt["estimated_output"] == seen
        price = (attempt["estimated_input_uncached"] * 1 + seen * 2) / 1e6
        assert attempt["cost_usd"] == pytest.approx(price)
        fleet = donut.runtime.gateway.serving.router.fleet
        state = fleet.state("p0/up-model")
        assert (state.failed, state.in_flight, fleet.tokens_reserved()) == (0, 0, {})  # a client that leaves blames nobody
        await asyncio.sleep(0.1)
        assert len(donut.rows()) == 1


async def test_b1_a_client_that_leaves_before_its_request_is_complete_costs_one_row_and_no_attempt(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        async with RawClient(donut.port) as client:
            client.writer.write(client.request(b'{"model": "test-model"', headers={"content-length": "5000"}))
            await eventually(lambda: donut.in_flight == 1)
            client.close()
        (row,) = await donut.wait_for_rows(1, 1)
        assert (row["status"], row["http_status"], donut.rows("attempts"), upstream.requests) == ("client_gone", 499, [], [])
        assert donut.in_flight == 0


async def test_b1_a_client_that_does_not_read_and_then_leaves_is_noticed(tmp_path: Path) -> None:
    """The wait for a slow reader must end when the reader goes away."""
    flood = Stages([ROLE, *(chunk(content="x" * 8000) for _ in range(2000))], [])
    async with ScriptedUpstream(flood) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        async with RawClient(donut.port) as client:
            client.send(ask())
            await client.read_head()
            await asyncio.sleep(0.2)
            assert donut.rows() == []
            client.close(End.RST)
        exchange, attempt = await only_row(donut)
        await eventually(lambda: upstream.connections_open == 0)
        assert exchange["status"] == "client_gone"
        assert attempt["estimated_output"] > 0


async def test_b1_usage_that_had_been_reported_is_kept(tmp_path: Path) -> None:
    """Some upstreams report while they answer: then nothing has to be estimated, whoever left."""
    pieces = [ROLE, *words(2), usage_chunk(**OPENAI_USAGE), *words(1)]
    async with ScriptedUpstream(Stages(pieces, [])) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await leave(donut, after_frames=3, upstream=upstream)
        exchange, attempt = await only_row(donut)
        assert exchange["status"] == "client_gone"
        assert columns(attempt, REPORTED) == (100, 0, 0, 20, 0)
        assert columns(attempt, ESTIMATED) == (None,) * 5


@pytest.mark.parametrize("before", [None, whole()[:20]], ids=["before the head", "in the middle of the body"])
async def test_b3_a_client_that_leaves_a_whole_answer_costs_one_row_with_an_estimate(tmp_path: Path, before: bytes | None) -> None:
    upstream_says = Stages([] if before is None else [before], [], head=before is not None)
    async with ScriptedUpstream(upstream_says) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await leave(donut, stream=False, upstream=upstream)
        exchange, attempt = await only_row(donut)
        await eventually(lambda: upstream.connections_open == 0)
        assert (exchange["status"], exchange["http_status"]) == ("client_gone", 499)
        assert columns(attempt, REPORTED) == (None,) * 5
        assert attempt["estimated_input_uncached"] > 0
        assert (donut.in_flight, donut.open_reservations) == (0, 0)


# B2: draining

DRAIN = "on_disconnect: drain, "


async def test_b2_draining_reads_on_until_the_upstream_reports(tmp_path: Path) -> None:
    upstream_says = Stages([ROLE, *words(2)], [*words(30), STOP, usage_chunk(**OPENAI_USAGE), DONE])
    async with ScriptedUpstream(upstream_says) as upstream, Donut(config_for(upstream.port, provider_more=DRAIN), tmp_path) as donut:
        await leave(donut, after_frames=2, upstream=upstream)
        await eventually(lambda: donut.runtime.gateway.draining == 1)
        assert (donut.rows(), upstream.connections_open) == ([], 1)
        upstream_says.go_on.set()
        exchange, attempt = await only_row(donut)
        assert (exchange["status"], exchange["http_status"]) == ("client_gone", 499)
        assert columns(attempt, REPORTED) == (100, 0, 0, 20, 0)
        assert columns(attempt, ESTIMATED) == (None,) * 5
        assert attempt["cost_usd"] == pytest.approx((100 * 1 + 20 * 2) / 1e6)
        assert (donut.runtime.gateway.draining, donut.in_flight, donut.open_reservations) == (0, 0, 0)


async def test_b2_draining_ends_after_drain_seconds(tmp_path: Path) -> None:
    more = DRAIN + "drain_seconds: 0.3, "
    async with (
        ScriptedUpstream(Stages([ROLE, *words(2)], [])) as upstream,
        Donut(config_for(upstream.port, provider_more=more), tmp_path) as donut,
    ):
        await leave(donut, after_frames=2, upstream=upstream)
        await eventually(lambda: donut.runtime.gateway.draining == 1)
        exchange, attempt = await only_row(donut, within_s=2)
        await eventually(lambda: upstream.connections_open == 0)
        assert exchange["status"] == "client_gone"
        assert exchange["total_s"] >= 0.3
        assert columns(attempt, REPORTED) == (None,) * 5
        assert attempt["estimated_output"] == 2
        assert donut.runtime.gateway.draining == 0


async def test_b2_no_more_than_drain_max_concurrent_are_drained(tmp_path: Path) -> None:
    more = DRAIN + "drain_max_concurrent: 2, "
    upstream_says = Stages([ROLE, *words(1)], [STOP, usage_chunk(**OPENAI_USAGE), DONE])
    async with ScriptedUpstream(upstream_says) as upstream, Donut(config_for(upstream.port, provider_more=more), tmp_path) as donut:
        await asyncio.gather(*(leave(donut, after_frames=1, upstream=upstream) for _ in range(5)))
        rows = await donut.wait_for_rows(3, 1)
        assert [row["status"] for row in rows] == ["client_gone"] * 3
        await eventually(lambda: upstream.connections_open == 2)
        assert donut.runtime.gateway.draining == 2
        upstream_says.go_on.set()
        await donut.wait_for_rows(5, 1)
        attempts = donut.rows("attempts")
        assert sorted(attempt["reported_output"] or 0 for attempt in attempts) == [0, 0, 0, 20, 20]
        assert sum(attempt["estimated_output"] is not None for attempt in attempts) == 3
        assert (donut.runtime.gateway.draining, donut.in_flight) == (0, 0)


async def test_b2_b3_a_whole_answer_is_drained_too(tmp_path: Path) -> None:
    upstream_says = Stages([], [whole(usage=OPENAI_USAGE)], head=False)
    async with ScriptedUpstream(upstream_says) as upstream, Donut(config_for(upstream.port, provider_more=DRAIN), tmp_path) as donut:
        await leave(donut, stream=False, upstream=upstream)
        await eventually(lambda: donut.runtime.gateway.draining == 1)
        upstream_says.go_on.set()
        exchange, attempt = await only_row(donut)
        assert (exchange["status"], exchange["http_status"]) == ("client_gone", 499)
        assert columns(attempt, REPORTED) == (100, 0, 0, 20, 0)


async def test_b2_nobody_else_is_asked_for_a_client_that_left(tmp_path: Path) -> None:
    """The drained upstream fails: another replica's answer would be paid for and read by nobody."""

    def failing(stages: Stages) -> Handler:
        async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
            stages.served += 1
            await stages.go_on.wait()
            writer.write(answer(b'{"error": {"message": "no"}}', status=b"500 No"))

        return handle

    stages = Stages([], [])
    async with (
        ScriptedUpstream(failing(stages)) as one,
        ScriptedUpstream(failing(stages)) as two,
        Donut(config_for(one.port, two.port, provider_more=DRAIN), tmp_path) as donut,
    ):
        async with RawClient(donut.port) as client:
            client.send({"model": "test-model", "messages": HELLO})
            await eventually(lambda: stages.served == 1)
            client.close()
        await eventually(lambda: donut.runtime.gateway.draining == 1)
        stages.go_on.set()
        exchange, attempt = await only_row(donut)
        assert (stages.served, exchange["status"], attempt["upstream_status"]) == (1, "client_gone", 500)


# B6: input = uncached + cache read + cache write, and the cost is the sum of the parts

PRICED = "price: {input: 1, output: 10, cache_read: 0.1, cache_write: 2}"
SHAPES = [
    pytest.param({"prompt_tokens": 100, "completion_tokens": 20}, (100, 0, 0, 20, 0), id="openai, plain"),
    pytest.param(
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 128},
        },
        (86, 1920, 0, 300, 128),
        id="openai, cached, reasoning",
    ),
    pytest.param(
        {"prompt_tokens": 50, "completion_tokens": 5, "prompt_cache_hit_tokens": 40, "prompt_cache_miss_tokens": 10},
        (10, 40, 0, 5, 0),
        id="deepseek",
    ),
    pytest.param(
        {"prompt_tokens": 500, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 300}},
        (100, 100, 300, 7, 0),
        id="openrouter, cache write",
    ),
    pytest.param(
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 900}},
        (0, 10, 0, 5, 0),
        id="more cached than there was: nothing counted twice",
    ),
]


@pytest.mark.parametrize(("reported", "expected"), SHAPES)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_b6_every_shape_of_usage_adds_up(tmp_path: Path, reported: dict[str, Any], expected: tuple[int, ...], stream: bool) -> None:
    says = playing(ROLE, *words(2), STOP, usage_chunk(**reported), DONE) if stream else saying(answer(whole(usage=reported)))
    async with ScriptedUpstream(says) as upstream:
        config = config_for(upstream.port).replace("price: {input: 1, output: 2}", PRICED)
        async with Donut(config, tmp_path) as donut:
            got = await donut.client.post(CHAT, json=ask(stream=stream))
            assert got.status_code == 200
            exchange, attempt = await only_row(donut)
    assert exchange["status"] == "ok"
    assert columns(attempt, REPORTED) == expected
    assert columns(attempt, ESTIMATED) == (None,) * 5
    uncached, cache_read, cache_write, output, _ = expected
    assert uncached + cache_read + cache_write == reported["prompt_tokens"]
    assert attempt["cost_usd"] == pytest.approx((uncached * 1 + cache_read * 0.1 + cache_write * 2 + output * 10) / 1e6)
    assert attempt["price_version"] == "config"


async def test_b6_embeddings_and_completions_are_counted_too(tmp_path: Path) -> None:
    vectors = json.dumps(
        {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 8}}
    )
    text = json.dumps({"object": "text_completion", "choices": [{"index": 0, "text": "x", "finish_reason": "stop"}], "usage": OPENAI_USAGE})

    async def says(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(answer((vectors if b"embeddings" in request.head.split(b"\r\n")[0] else text).encode()))

    config = config_for(0).replace("models: [", "models: [{upstream: e, model: text-embed, capabilities: [embeddings]}, ")
    async with ScriptedUpstream(says) as upstream, Donut(config.replace(":0/", f":{upstream.port}/"), tmp_path) as donut:
        assert (await donut.client.post("/v1/embeddings", json={"model": "text-embed", "input": "a"})).status_code == 200
        assert (await donut.client.post("/v1/completions", json={"model": "test-model", "prompt": "a"})).status_code == 200
        rows = await donut.wait_for_rows(2)
        attempts = {row["exchange_id"]: row for row in donut.rows("attempts")}
    assert [row["dialect"] for row in rows] == ["embeddings", "completions"]
    assert [columns(attempts[row["id"]], REPORTED) for row in rows] == [(8, 0, 0, 0, 0), (100, 0, 0, 20, 0)]


# B7: an unknown price is unknown


def run(command: Any, donut: Donut, *arguments: str) -> Result:
    result = CliRunner().invoke(command.COMMAND, [*arguments, "--journal", str(donut.journal)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result


async def test_b7_an_unknown_price_is_null_and_counted_as_unpriced(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(whole(usage=OPENAI_USAGE)))) as upstream:
        config = config_for(upstream.port, upstream.port)
        config = config.replace(", price: {input: 1, output: 2}", "", 1).replace("test-model", "odd-model", 1)
        async with Donut(config, tmp_path) as donut:
            for model in ("odd-model", "test-model", "odd-model"):
                assert (await donut.client.post(CHAT, json={"model": model, "messages": HELLO})).status_code == 200
            await donut.wait_for_rows(3)
            attempts = donut.rows("attempts")
            assert sorted((row["replica_id"], row["cost_usd"], row["price_version"]) for row in attempts if row["cost_usd"]) == [
                ("p1/up-model", pytest.approx(140 / 1e6), "config")
            ]
            assert [row["cost_usd"] for row in attempts if row["replica_id"] == "p0/up-model"] == [None, None]
            said = json.loads((await asyncio.to_thread(run, usage, donut, "--json")).stdout)
            table = (await asyncio.to_thread(run, usage, donut)).stdout
    by_model = {row["key"]: row for row in said["rows"]}
    assert (by_model["odd-model"]["cost_usd"], by_model["odd-model"]["unpriced"]) == (None, 2)
    assert (by_model["test-model"]["cost_usd"], by_model["test-model"]["unpriced"]) == (pytest.approx(140 / 1e6), 0)
    assert (said["totals"]["unpriced"], said["totals"]["cost_usd"]) == (2, pytest.approx(140 / 1e6))
    assert "?" in next(line for line in table.splitlines() if "odd-model" in line)


async def test_b7_a_price_of_which_half_is_known_is_unknown_and_free_is_not(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(whole(usage=OPENAI_USAGE)))) as upstream:
        for price, cost in (("{input: 1}", None), ("{input: 0, output: 0}", 0.0)):
            folder = tmp_path / str(cost)
            folder.mkdir()
            async with Donut(config_for(upstream.port).replace("{input: 1, output: 2}", price), folder) as donut:
                await donut.client.post(CHAT, json={"model": "test-model", "messages": HELLO})
                _, attempt = await only_row(donut)
                assert attempt["cost_usd"] == cost


# Estimates


async def test_an_answer_without_usage_has_estimates_only(tmp_path: Path) -> None:
    async with ScriptedUpstream(playing(ROLE, *words(9), STOP, DONE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        assert (await donut.client.post(CHAT, json=ask())).status_code == 200
        exchange, attempt = await only_row(donut)
        assert exchange["status"] == "ok"
        assert columns(attempt, REPORTED) == (None,) * 5
        assert attempt["estimated_input_uncached"] == exchange["input_tokens_estimated"] > 0
        assert columns(attempt, ESTIMATED)[1:] == (0, 0, 9, 0)
        assert donut.lines[0]["tokens"] == f"~{exchange['input_tokens_estimated']}+~9"
        said = json.loads((await asyncio.to_thread(run, usage, donut, "--json")).stdout)
        assert (said["totals"]["reported_output"], said["totals"]["estimated_output"]) == (0, 9)
        assert said["totals"]["cost_usd_estimated"] == said["totals"]["cost_usd"] == pytest.approx(attempt["cost_usd"])


async def test_estimates_follow_the_answers_that_reported(tmp_path: Path) -> None:
    """Two identical requests that nobody reports on, with reported ones in between that cost twice what was estimated."""
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:

        async def one(*ending: bytes) -> dict[str, Any]:
            upstream.handler = playing(ROLE, *words(10), STOP, *ending, DONE)
            await donut.client.post(CHAT, json=ask())
            rows = await donut.wait_for_rows(len(donut.rows()) + 1)
            return next(row for row in donut.rows("attempts") if row["exchange_id"] == rows[-1]["id"])

        first = await one()
        guess = first["estimated_input_uncached"]
        assert first["estimated_output"] == 10
        for _ in range(15):
            await one(usage_chunk(prompt_tokens=2 * guess, completion_tokens=20))
        last = await one()
        assert last["estimated_input_uncached"] == pytest.approx(2 * guess, rel=0.1)
        assert last["estimated_output"] == pytest.approx(20, rel=0.1)


async def test_what_was_learned_outlives_the_process(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        config = config_for(upstream.port)
        async with Donut(config, tmp_path) as donut:
            upstream.handler = playing(ROLE, STOP, DONE)
            await donut.client.post(CHAT, json=ask())
            guess = (await donut.wait_for_rows(1))[0]["input_tokens_estimated"]
            upstream.handler = playing(ROLE, *words(10), STOP, usage_chunk(prompt_tokens=3 * guess, completion_tokens=10), DONE)
            for _ in range(20):
                await donut.client.post(CHAT, json=ask())
        async with Donut(config, tmp_path) as donut:
            upstream.handler = playing(ROLE, *words(10), STOP, DONE)
            await donut.client.post(CHAT, json=ask())
            rows = await donut.wait_for_rows(22)
            last = next(row for row in donut.rows("attempts") if row["exchange_id"] == rows[-1]["id"])
            assert last["estimated_input_uncached"] > 2 * guess


# Tries and decisions


async def test_each_try_has_a_row_of_its_own(tmp_path: Path) -> None:
    bad = saying(answer(b'{"error": {"message": "we are full"}}', status=b"503 Full"))
    good = saying(answer(whole(usage=OPENAI_USAGE), headers=b"x-request-id: up-77\r\n"))
    async with (
        ScriptedUpstream(bad) as first,
        ScriptedUpstream(good) as second,
        Donut(config_for(first.port, second.port), tmp_path) as donut,
    ):
        got = await donut.client.post(CHAT, json={"model": "test-model", "messages": HELLO})
        assert (got.status_code, got.headers["x-donut-attempts"], got.headers["x-donut-replica"]) == (200, "2", "p1/up-model")
        (exchange,) = await donut.wait_for_rows(1)
        failed, ok = donut.rows("attempts")
        said = json.loads((await asyncio.to_thread(run, explain, donut, exchange["id"], "--json")).stdout)
        told = (await asyncio.to_thread(run, explain, donut, "last")).stdout
    assert (exchange["status"], exchange["replica_id"]) == ("ok", "p1/up-model")
    assert (failed["number"], failed["replica_id"], failed["status"], failed["failure_kind"], failed["upstream_status"]) == (
        1,
        "p0/up-model",
        "upstream_error",
        "overloaded",
        503,
    )
    assert failed["failure_message"] == "we are full"
    assert columns(failed, REPORTED + ESTIMATED) == (None,) * 10
    assert (ok["number"], ok["status"], ok["failure_kind"], ok["upstream_request_id"]) == (2, "ok", None, "up-77")
    assert [attempt["replica_id"] for attempt in said["attempts"]] == ["p0/up-model", "p1/up-model"]
    assert "we are full" in told


async def test_a_decision_can_be_read_again_with_its_evidence(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(whole(usage=OPENAI_USAGE)))) as upstream,
        Donut(config_for(upstream.port, upstream.port), tmp_path) as donut,
    ):
        request = {"model": "test-model", "messages": HELLO}
        got = await donut.client.post(CHAT, json=request, headers={"x-donut-exclude": "p0"})
        await donut.wait_for_rows(1)
        by_decision, by_request = [
            json.loads((await asyncio.to_thread(run, explain, donut, got.headers[name], "--json")).stdout)
            for name in ("x-donut-decision", "x-request-id")
        ]
        told = (await asyncio.to_thread(run, explain, donut, got.headers["x-donut-decision"])).stdout
    assert by_decision == by_request
    decision = by_decision["decision"]
    assert (decision["kind"], decision["replica_id"], decision["logical_model_id"]) == ("dispatch", "p1/up-model", "test-model")
    assert decision["selected_because"]
    assert [(reject["id"], reject["reason"]) for reject in decision["rejected_candidates"]] == [("p0/up-model", "excluded")]
    assert [candidate["replica_id"] for candidate in decision["candidates"]] == ["p1/up-model"]
    assert set(decision["candidates"][0]["factors"]) == set(decision["weights"])
    assert "p0/up-model" in told
    assert "excluded" in told


async def test_a_refusal_leaves_its_evidence_too(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        got = await donut.client.post(CHAT, json={"model": "test-model", "messages": HELLO}, headers={"x-donut-exclude": "p0"})
        assert got.status_code == 400
        (row,) = await donut.wait_for_rows(1)
        decision = json.loads(row["decision"])
    assert (row["status"], row["error_code"], donut.rows("attempts")) == ("refused", "all_candidates_excluded", [])
    assert (decision["kind"], decision["reason"]) == ("refusal", "excluded")
    assert upstream.requests == []


async def test_timings_of_an_attempt_are_in_order(tmp_path: Path) -> None:
    async def slow(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await play(writer, [ROLE, words(1)[0]])

    async with ScriptedUpstream(Stages([ROLE, *words(5)], [STOP, DONE])) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        async with RawClient(donut.port) as client:
            client.send(ask())
            await eventually(lambda: bool(upstream.requests))
            await asyncio.sleep(0.05)
            handler = upstream.handler
            assert isinstance(handler, Stages)
            handler.go_on.set()
            head = await client.read_head()
            await client.read_body(head)
        exchange, attempt = await only_row(donut)
        assert 0 <= attempt["queue_s"] <= attempt["ttft_s"]
        assert 0 < attempt["connect_s"] <= attempt["ttft_s"] <= attempt["total_s"] <= exchange["total_s"]
        assert 0 <= attempt["between_tokens_s"] <= attempt["total_s"]
        assert exchange["bytes_in"] > 0
        assert exchange["bytes_out"] == len(head.body)
