"""CPU time and resident memory of a process and all its descendants. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


def tree(roots: Iterable[int]) -> set[int]:
    """`roots` and everything below them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended while we looked
                # The command name is in parentheses and may hold anything; the parent is the second field after it.
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found: set[int] = set()
    pending = list(roots)
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending += children.get(pid, [])
    return found


def cpu_s(roots: Iterable[int]) -> float:
    """User and system seconds so far, of all threads, ended ones included.

    From the processes' CPU clocks: they count nanoseconds, where /proc/PID/stat counts ticks of 10 ms and /proc/PID/schedstat
    is all zeros on kernels that were built without it.
    """
    total = 0.0
    for pid in tree(roots):
        clock = ctypes.c_int()
        if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)) == 0:
            with contextlib.suppress(OSError):
                total += time.clock_gettime(clock.value)
    return total


def machine_busy_s() -> float:
    """Seconds that all cores together were busy since boot, in ticks of 10 ms: everybody's work, ours included."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


def rss_mb(roots: Iterable[int]) -> float:
    """Resident megabytes. Pages that processes share count once for each of them."""
    total_kb = 0
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total_kb / 1024
