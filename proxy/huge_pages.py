"""The memory of a process that has started: what nobody needs any more given back, the rest put into pages of 2 MB.

CPython touches a little of much memory for every request, and with small pages the processor spends its time on looking up where they are:
5 % of the CPU of a 2 KB request, measured on a virtual machine. Only a wish: where the system has no huge pages, or none left, everything
stays as it is.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HUGE_BYTES = 2 * 1024 * 1024
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25
"""<linux/mman.h>. The second came with Linux 6.1; without it the kernel's own daemon collects the pages, in minutes."""
WORTH_IT = 0.75
"""How much of a huge page must be in use already. The kernel fills up the rest: of the holes that reading the classifier's weights leaves
in the heap it made 2 to 5 MB that nobody used."""


def gather_memory() -> None:
    """Give back what is free (4 MB after reading config and catalog), and ask for huge pages where the heap is full.

    Takes about 10 ms; does nothing on other systems than Linux.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # musl has none
        libc.malloc_trim(0)
    try:
        maps = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    pages = ctypes.create_string_buffer(HUGE_BYTES // resource.getpagesize())
    for start in huge_parts(maps):
        if libc.mincore(start, HUGE_BYTES, pages) == 0 and share_in_use(pages.raw) >= WORTH_IT:
            for wish in (MADV_HUGEPAGE, MADV_COLLAPSE):
                libc.madvise(start, HUGE_BYTES, wish)


def share_in_use(pages: bytes) -> float:
    """How much of a stretch of memory is there. `pages`: a byte for each, as mincore(2) fills it; only its lowest bit says something."""
    return sum(page & 1 for page in pages) / len(pages)


def huge_parts(maps: Iterable[str]) -> Iterator[int]:
    """The addresses in the heap at which a huge page can stand. `maps` are the lines of `/proc/self/maps`."""
    for line in maps:
        span, access, _, _, inode, *name = line.split(maxsplit=5)
        if not access.startswith("rw") or inode != "0" or name not in ([], ["[heap]"]):
            continue
        first, end = (int(address, 16) for address in span.split("-"))
        start, stop = -(-first // HUGE_BYTES) * HUGE_BYTES, end // HUGE_BYTES * HUGE_BYTES
        yield from range(start, stop, HUGE_BYTES)
