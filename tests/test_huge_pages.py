"""Which parts of a process's memory are asked for in huge pages."""

from __future__ import annotations

import sys

import pytest

from proxy.huge_pages import HUGE_BYTES, gather_memory, huge_parts, share_in_use

MAPS = """\
559cebc3b000-559cecdc8000 rw-p 00000000 00:00 0                          [heap]
7f60bfdd5000-7f60c07d5000 rw-p 00000000 00:00 0
7f60c1cb1000-7f60c1db1000 rw-p 00000000 00:00 0
7f60c2200000-7f60c2400000 rw-p 00000000 fe:00 5325063                    /usr/lib/a library.so
7f60c2600000-7f60c2a00000 r--p 00000000 00:00 0
7ffd15a00000-7ffd15e00000 rw-p 00000000 00:00 0                          [stack]
"""


def test_whole_huge_pages_of_the_heap_and_nothing_else() -> None:
    expected = [start + at * HUGE_BYTES for start, count in ((0x559CEBE00000, 7), (0x7F60BFE00000, 4)) for at in range(count)]
    assert list(huge_parts(MAPS.splitlines())) == expected


def test_a_part_is_as_full_as_its_pages_say() -> None:
    assert share_in_use(b"\x01\x00\x01\x01") == 0.75
    assert share_in_use(b"\x02\x03") == 0.5  # the other bits are reserved


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_in_memory_stays_as_it_is() -> None:
    held = [str(number) for number in range(500_000)]
    gather_memory()
    assert held == list(map(str, range(500_000)))
