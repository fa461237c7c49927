"""The wire's parser side, fed byte by byte in memory: framing, limits, deadlines, and that no split of the bytes changes the result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.transport.connection import HEAD_LIMIT_BYTES, HEADERS_LIMIT, READ_AHEAD_BYTES, WireConnection
from providers.transport.pool import Pool
from providers.transport.port import Deadlines, Headers
from routing.facts import FailureKind
from tests.upstreams import answer, chunked


class MemoryTransport(asyncio.Transport):
    """The socket's place: keeps what is written, and calls nobody back by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self._is_reading = True
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True

    def is_reading(self) -> bool:
        return self._is_reading


@dataclass(frozen=True)
class Outcome:
    status: int
    headers: Headers
    body: bytes
    kind: FailureKind | None
    reusable: bool


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def asked(loop: asyncio.AbstractEventLoop, deadlines: Deadlines | None = None) -> tuple[WireConnection, MemoryTransport]:
    """A connection on which one request was just written."""
    pool: Pool[WireConnection] = Pool(1)
    pool.reserve()
    transport = MemoryTransport()
    connection = WireConnection("http://up", pool, loop)
    connection.connection_made(transport)
    connection.begin(b"GET / HTTP/1.1\r\n\r\n", b"", deadlines or Deadlines(), loop.time(), loop.time())
    loop.run_until_complete(asyncio.sleep(0))  # the turn ends, and with it the request is on its way
    return connection, transport


def outcome(loop: asyncio.AbstractEventLoop, pieces: list[bytes], *, fin: bool = True) -> Outcome:
    """Feed the pieces as a loop would (nothing after an abort), then FIN or RST, and read everything."""
    connection, transport = asked(loop)
    body = b""
    for piece in pieces:
        if transport.is_aborted:
            break
        connection.data_received(piece)
        body += connection.take() or b""
    reusable = not transport.is_aborted and connection.is_complete and connection._keep_alive
    if not transport.is_aborted and fin:
        connection.eof_received()
    connection.connection_lost(None if fin else ConnectionResetError())
    body += connection.take() or b""
    kind = connection.failure[0] if connection.failure else None
    head = (connection.status, connection.headers) if connection.head_done else (0, [])
    connection.leave()
    return Outcome(head[0], head[1], body, kind, reusable)


def splits(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Every way to cut `data`, cuts close together included."""
    return st.lists(st.integers(0, len(data)), max_size=12).map(
        lambda cuts: [data[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True) if a < b]
    )


RECORDED: dict[str, bytes] = {
    "content-length": answer(b"hello, wire", headers=b"Content-Type: text/plain\r\nX-Empty:\r\nX-Space:  a b \t\r\n"),
    "chunked with trailers": chunked(b"data: 1\n\n", b"data: 2\n\n", b"x" * 300, trailers=b"X-Sum: 1\r\nX-None:\r\n"),
    "framing in a trailer": chunked(b"abc", trailers=b"content-length: 9\r\n"),
    "chunk extensions": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b;c\r\nabc\r\n0;last\r\n\r\n",
    "close-delimited": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n",
    "HTTP/1.0 until close": b"HTTP/1.0 200 OK\r\n\r\nold and simple",
    "100 and 103 before the answer": b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    + answer(b"final"),
    "line ends before the answer": b"\r\n\r\n" + answer(b"late", headers=b"X-A: b \t\r\n"),
    "line ends between an interim and the answer": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\r\n" + answer(b"late"),
    "204": b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n",
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
    "connection: close": answer(b"bye", headers=b"connection: close\r\n"),
    "two answers": answer(b"one") + answer(b"two"),
    "garbage behind": answer(b"one") + b"\x00garbage",
    "garbage behind close": answer(b"one", headers=b"connection: close\r\n") + b"garbage",
    "truncated length": answer(b"hello")[:-2],
    "truncated chunk": chunked(b"hello", b"world")[:-10],
    "no last chunk": chunked(b"hello")[:-5],
    "truncated head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "nothing": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "bad chunk size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "gzip transfer-encoding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x00",
    "bare 101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a 1xx with a body": b"HTTP/1.1 104 Odd\r\ncontent-length: 2\r\n\r\nxx" + answer(),
    "status 099": b"HTTP/1.1 099 Odd\r\n\r\n",
    "1xx for ever": b"HTTP/1.1 102 Processing\r\n\r\n" * 40,
    "too many headers": answer(headers=b"a: b\r\n" * (HEADERS_LIMIT + 1)),
    "folded header": b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
    "NUL in a header": b"HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
}

P, C = FailureKind.PROTOCOL, FailureKind.CUT
EXPECTED: dict[str, tuple[int, bytes, FailureKind | None, bool]] = {
    "content-length": (200, b"hello, wire", None, True),
    "chunked with trailers": (200, b"data: 1\n\ndata: 2\n\n" + b"x" * 300, None, True),
    "framing in a trailer": (200, b"abc", P, False),
    "chunk extensions": (200, b"abc", None, True),
    "close-delimited": (200, b"data: 1\n\ndata: 2\n\n", None, False),
    "HTTP/1.0 until close": (200, b"old and simple", None, False),
    "100 and 103 before the answer": (200, b"final", None, True),
    "line ends before the answer": (200, b"late", None, True),
    "line ends between an interim and the answer": (200, b"late", None, True),
    "204": (204, b"", None, True),
    "304 with a length": (304, b"", None, True),
    "connection: close": (200, b"bye", None, False),
    "two answers": (200, b"one", None, False),
    "garbage behind": (200, b"one", None, False),
    "garbage behind close": (200, b"one", None, False),
    "truncated length": (200, b"hel", C, False),
    "truncated chunk": (200, b"hellowo", C, False),
    "no last chunk": (200, b"hello", C, False),
    "truncated head": (0, b"", C, False),
    "nothing": (0, b"", C, False),
    "not HTTP": (0, b"", P, False),
    "bad chunk size": (200, b"abc", P, False),
    "both lengths": (0, b"", P, False),
    "two lengths": (0, b"", P, False),
    "gzip transfer-encoding": (0, b"", P, False),
    "101": (0, b"", P, False),
    "bare 101": (0, b"", P, False),
    "a 1xx with a body": (0, b"", P, False),
    "status 099": (0, b"", P, False),
    "1xx for ever": (0, b"", P, False),
    "too many headers": (0, b"", P, False),
    "folded header": (0, b"", P, False),
    "NUL in a header": (0, b"", P, False),
}


@pytest.mark.parametrize("name", RECORDED)
def test_framing(loop: asyncio.AbstractEventLoop, name: str) -> None:
    got = outcome(loop, [RECORDED[name]])
    assert (got.status, got.body, got.kind, got.reusable) == EXPECTED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_byte_by_byte(loop: asyncio.AbstractEventLoop, name: str) -> None:
    data = RECORDED[name]
    assert outcome(loop, [data[i : i + 1] for i in range(len(data))]) == outcome(loop, [data])


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_split_of_the_bytes_gives_the_same_result(loop: asyncio.AbstractEventLoop, data: st.DataObject) -> None:
    whole = RECORDED[data.draw(st.sampled_from(sorted(RECORDED)))]
    fin = data.draw(st.booleans())
    assert outcome(loop, data.draw(splits(whole)), fin=fin) == outcome(loop, [whole] if whole else [], fin=fin)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A recorded answer with a few bytes replaced, removed or added."""
    data = bytearray(RECORDED[draw(st.sampled_from(sorted(RECORDED)))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3) | st.sampled_from([b"\r\n", b"\n", b"0", b":", b"\0"]))
    return bytes(data)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: b"HTTP/1.1 200 OK\r\n" + b) | mutated(), st.booleans(), st.data())
@settings(max_examples=400, deadline=None)
@example(b"HTTP/1.1 200 OK\r\n\r\n", False, None)
def test_garbage_ends_in_an_answer_or_a_failure(
    loop: asyncio.AbstractEventLoop, garbage: bytes, fin: bool, data: st.DataObject | None
) -> None:
    whole = outcome(loop, [garbage] if garbage else [], fin=fin)
    assert whole.kind in (None, FailureKind.CUT, FailureKind.PROTOCOL)
    assert whole.status or whole.kind, "after the end of the connection nobody may still have to wait"
    if data is not None:
        assert outcome(loop, data.draw(splits(garbage)), fin=fin) == whole


def test_headers_are_lower_case_in_order_and_without_trailers(loop: asyncio.AbstractEventLoop) -> None:
    assert outcome(loop, [RECORDED["content-length"]]).headers == [
        (b"content-type", b"text/plain"),
        (b"x-empty", b""),
        (b"x-space", b"a b"),
        (b"content-length", b"11"),
    ]
    assert outcome(loop, [RECORDED["chunked with trailers"]]).headers == [(b"transfer-encoding", b"chunked")]
    assert outcome(loop, [RECORDED["100 and 103 before the answer"]]).headers == [(b"content-length", b"5")]


FIELD_NAMES = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
FIELD_VALUES = st.from_regex(rb"[\t -~\x80-\xff]{0,20}", fullmatch=True)


@given(st.lists(st.tuples(FIELD_NAMES, FIELD_VALUES), max_size=8), st.data())
@settings(max_examples=200, deadline=None)
def test_headers_are_what_the_parser_says(loop: asyncio.AbstractEventLoop, fields: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """donut splits the head itself, once llhttp has found it well-formed."""
    whole = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b:%b\r\n" % field for field in fields) + b"content-length: 1\r\n\r\nx"
    connection, _ = asked(loop)
    for piece in data.draw(splits(whole)):
        connection.data_received(piece)
    if connection.head_done:
        said: Headers = []
        parser = httptools.HttpResponseParser(_Heard(said))
        parser.feed_data(whole)
        assert connection.headers == [(name.lower(), value.rstrip()) for name, value in said]


class _Heard:
    def __init__(self, said: Headers) -> None:
        self._said = said

    def on_header(self, name: bytes, value: bytes) -> None:
        self._said.append((name, value))


def test_a_reset_does_not_end_a_close_delimited_body(loop: asyncio.AbstractEventLoop) -> None:
    got = outcome(loop, [RECORDED["close-delimited"]], fin=False)
    assert (got.body, got.kind) == (b"data: 1\n\ndata: 2\n\n", FailureKind.CUT)


@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 200 OK\r\nx: ",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
    ],
    ids=["header", "reason", "chunk extension", "trailer"],
)
@pytest.mark.parametrize("step", [1000, 50_000, 300_000])
def test_endless_heads_are_bounded(loop: asyncio.AbstractEventLoop, endless: bytes, step: int) -> None:
    connection, transport = asked(loop)
    connection.data_received(endless)
    fed = 0
    while not transport.is_aborted:
        assert fed <= HEAD_LIMIT_BYTES + 2 * step
        connection.data_received(b"a" * step)
        fed += step
    assert connection.failure is not None
    assert connection.failure[0] is FailureKind.PROTOCOL


def test_a_big_head_in_one_read_is_refused_and_a_big_body_is_not(loop: asyncio.AbstractEventLoop) -> None:
    assert outcome(loop, [answer(headers=b"x: " + b"a" * HEAD_LIMIT_BYTES + b"\r\n")]).kind is FailureKind.PROTOCOL
    body = b"b" * (3 * HEAD_LIMIT_BYTES)
    assert outcome(loop, [answer(body)]) == Outcome(200, [(b"content-length", b"%d" % len(body))], body, None, True)


def test_reading_ahead_is_bounded(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = asked(loop)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"
    connection.data_received(head + b"x" * (READ_AHEAD_BYTES - len(head)))
    assert transport.is_reading()
    connection.data_received(b"x")
    assert not transport.is_reading()
    assert connection.take() == b"x" * (READ_AHEAD_BYTES + 1 - len(head))
    assert transport.is_reading()
    assert connection.take() is None
    assert not connection.leave()
    assert transport.is_aborted


def test_an_answer_that_overtakes_its_request_is_delivered_and_the_connection_not_reused(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = asked(loop)
    transport.unsent = 1
    connection.data_received(answer(b"too big", status=b"413 Too Large"))
    assert (connection.status, connection.take()) == (413, b"too big")
    assert not connection.leave()
    assert transport.is_aborted


def test_an_answer_not_taken_is_not_reused(loop: asyncio.AbstractEventLoop) -> None:
    connection, _ = asked(loop)
    connection.data_received(answer())
    assert not connection.leave()
    connection, _ = asked(loop)
    connection.data_received(answer())
    connection.take()
    assert connection.leave()


def test_bytes_on_an_idle_connection_close_it(loop: asyncio.AbstractEventLoop) -> None:
    connection, transport = asked(loop)
    connection.data_received(answer())
    connection.take()
    assert connection.leave()
    connection.data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert transport.is_aborted


def failed(connection: WireConnection) -> tuple[FailureKind, str] | None:
    return connection.failure


def test_deadlines_by_the_sweep(loop: asyncio.AbstractEventLoop) -> None:
    limits = Deadlines(first_byte_s=10.0, idle_s=5.0, total_s=100.0)
    now = loop.time()
    connection, transport = asked(loop, limits)
    connection.check(now + 9.9)
    assert failed(connection) is None
    connection.check(now + 11)
    assert failed(connection) == (FailureKind.STALLED, "http://up passed the first byte deadline of 10 s")
    assert transport.is_aborted

    connection, _ = asked(loop, limits)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
    connection.check(now + 20)
    connection.check(now + 40)
    assert failed(connection) is None, "nobody reads, so silence does not count"
    connection.activity()
    connection.check(now + 50)
    connection.check(now + 54)
    assert failed(connection) is None
    connection.check(now + 56)
    assert failed(connection) == (FailureKind.STALLED, "http://up passed the idle deadline of 5 s")

    connection, _ = asked(loop, limits)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
    connection.check(now + 101)
    assert failed(connection) == (FailureKind.STALLED, "http://up passed the total deadline of 100 s")
