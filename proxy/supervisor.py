"""Several worker processes on one address: starts them, replaces those that die, passes signals on, and ends with them.

Workers are forks of a process that has loaded everything and started nothing: no thread, no event loop, no connection. They share its
memory until they write to it, and begin in milliseconds. The supervisor itself only waits, so that there is nothing in it to crash.

- A worker that cannot start (it ends with NOT_STARTED) before any has run ends everything: the configuration is wrong for all of them.
  Later its place is filled again, after a pause that doubles, while the others serve.
- Workers lead process groups of their own, or a Ctrl-C in the terminal would reach them twice: a second one means "at once".
- A worker whose supervisor is gone, however it went, stops as if told to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import structlog

log = structlog.get_logger("donut.workers")

NOT_STARTED = 3
"""A worker's exit code: it never got as far as serving."""

PAUSE_FIRST_S = 0.1
PAUSE_LAST_S = 5.0
LIVED_S = 10.0
"""A worker that lived as long is replaced at once, and its place has a clean record."""

PASSED_ON = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))


class Supervisor:
    """`run` once, in the main thread of a process that has none beside it."""

    def __init__(self, work: Callable[[int, bool], int], count: int, *, patience_s: float) -> None:
        """`work` runs in each worker with its number (from 1) and whether it is the first in its place, and returns the exit code.

        `patience_s`: how long workers may take to stop before they are killed.
        """
        self._work = work
        self._count = count
        self._patience_s = patience_s
        self._places: dict[int, int] = {}
        """Process id → place."""
        self._started_at: dict[int, float] = {}
        self._failures = dict.fromkeys(range(1, count + 1), 0)
        self._has_served = False
        self._is_stopping = False
        self._exit_code = 0

    def run(self) -> int:
        """Returns when the last worker has ended: 0 after a stop, 1 when none could start."""
        with _lifeline() as self._lifeline, self._signals():
            for place in range(1, self._count + 1):
                self._start(place, is_first=True)
            while self._places:
                pid, status = os.wait()
                if pid in self._places:
                    self._ended(self._places.pop(pid), pid, os.waitstatus_to_exitcode(status))
        return self._exit_code

    def _ended(self, place: int, pid: int, code: int) -> None:
        lived_s = time.monotonic() - self._started_at.pop(pid)
        self._has_served = self._has_served or code != NOT_STARTED
        if not self._has_served:
            self._exit_code = 1
            self._stop(signal.SIGTERM)
        if self._must_stop():
            return
        self._failures[place] = 0 if lived_s >= LIVED_S else self._failures[place] + 1
        pause_s = min(PAUSE_FIRST_S * 2 ** self._failures[place], PAUSE_LAST_S) if self._failures[place] > 1 else 0.0
        log.error("worker_ended", worker=place, pid=pid, why=_in_words(code), again_in_s=pause_s)
        until = time.monotonic() + pause_s
        while not self._must_stop() and time.monotonic() < until:
            time.sleep(0.05)  # in pieces: a signal's handler runs at once, but does not end the sleep
        if not self._must_stop():
            self._start(place, is_first=False)

    def _must_stop(self) -> bool:
        """A function, because a signal's handler answers it otherwise from one moment to the next."""
        return self._is_stopping

    def _start(self, place: int, *, is_first: bool) -> None:
        # A signal between the fork and the note of it would not reach the new worker.
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(place, is_first)
            self._places[pid] = place
            self._started_at[pid] = time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)

    def _be_worker(self, place: int, is_first: bool) -> None:
        """Never returns: what the supervisor's callers would still do is not a worker's business."""
        code = 1
        try:
            os.setpgid(0, 0)
            for number in PASSED_ON:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
            self._lifeline.hold()
            code = self._work(place, is_first)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except Exception:  # the outermost edge of a worker's process: whatever it is, the log says it, and the parent fills the place
            log.exception("worker_broken", worker=place)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._pass_on) for number in PASSED_ON}
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._lose_patience)
        try:
            yield
        finally:
            signal.alarm(0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop(number)
        else:
            self._send(number)

    def _stop(self, number: int) -> None:
        self._is_stopping = True
        self._send(number)
        signal.setitimer(signal.ITIMER_REAL, self._patience_s)

    def _lose_patience(self, _number: int, _frame: FrameType | None) -> None:
        log.error("workers_killed", workers=sorted(self._places.values()), why=f"not ended after {self._patience_s:g} s")
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        for pid in list(self._places):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class _Lifeline:
    """A pipe that nobody writes to. It ends when the last process that could has ended, and that is the supervisor."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()

    def hold(self) -> None:
        """In a worker: stop when the supervisor is gone."""
        os.close(self._writing)
        threading.Thread(target=self._wait, name="lifeline", daemon=True).start()

    def _wait(self) -> None:
        os.read(self._reading, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


@contextlib.contextmanager
def _lifeline() -> Iterator[_Lifeline]:
    lifeline = _Lifeline()
    try:
        yield lifeline
    finally:
        lifeline.close()


def _in_words(code: int) -> str:
    """`exit code 1`, `SIGKILL`."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
