"""Headers that are lines already say the same as pairs."""

from __future__ import annotations

from proxy.downstream import LinedHeaders, as_pairs, own_lines
from proxy.headers import to_client


def test_lines_and_pairs_say_the_same() -> None:
    lines = own_lines("mine", "d-1", 2, "code", b"x-donut-model: a: b\r\nx-donut-tier: small\r\n")
    assert as_pairs(LinedHeaders([(b"a", b"b")], lines)) == [
        (b"a", b"b"),
        (b"x-request-id", b"mine"),
        (b"x-donut-decision", b"d-1"),
        (b"x-donut-attempts", b"2"),
        (b"x-donut-use-case", b"code"),
        (b"x-donut-model", b"a: b"),
        (b"x-donut-tier", b"small"),
    ]
    plain = [(b"a", b"b")]
    assert as_pairs(plain) is plain


def test_what_an_upstream_says_in_our_name_does_not_reach_the_client() -> None:
    said = [(b"a", b"1"), (b"x-donut-model", b"theirs"), (b"server", b"x"), (b"a", b"2"), (b"x-donut", b"3")]
    assert to_client(said) == [(b"a", b"1"), (b"a", b"2"), (b"x-donut", b"3")]
    assert to_client(said[3:]) == [(b"a", b"2"), (b"x-donut", b"3")]
