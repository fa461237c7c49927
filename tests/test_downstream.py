"""Headers that are lines already say the same as pairs."""

from __future__ import annotations

import pytest

from providers.transport.port import Headers
from proxy.downstream import as_lines, as_pairs
from proxy.headers import AnswerHead, to_client


def test_lines_and_pairs_say_the_same() -> None:
    pairs = [(b"a", b"b"), (b"x-donut-model", b"a: b"), (b"a", b""), (b"x", b": ")]
    assert as_lines(pairs) == b"a: b\r\nx-donut-model: a: b\r\na: \r\nx: : \r\n"
    assert as_pairs(as_lines(pairs)) == pairs
    assert as_pairs(as_lines([])) == []


def test_what_an_upstream_says_in_our_name_does_not_reach_the_client() -> None:
    said = [(b"a", b"1"), (b"x-donut-model", b"theirs"), (b"server", b"x"), (b"a", b"2"), (b"x-donut", b"3")]
    assert to_client(said) == [(b"a", b"1"), (b"a", b"2"), (b"x-donut", b"3")]
    assert to_client(said[3:]) == [(b"a", b"2"), (b"x-donut", b"3")]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"server", b"x")],
        [(b"a%d", b"1%")],
        [(b"a", b"1"), (b"x-donut-model", b"theirs"), (b"date", b"now"), (b"a", b"2"), (b"x-request-id", b"r"), (b"x-donut", b"")],
    ],
)
def test_a_head_whose_names_are_known_tells_the_client_the_same(headers: Headers) -> None:
    names, values = tuple(name for name, _ in headers), tuple(value for _, value in headers)
    head = AnswerHead(names, frozenset({b"date"}))
    assert as_pairs(head.lines % head.told(values)) == to_client(headers)
    assert head.tells_limits is (b"date" in names)
    assert (head.request_id_at >= 0) is (b"x-request-id" in names)
