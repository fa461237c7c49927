"""What several workers and machines know together: how much of every limit is used and held, and who is ejected or rate limited.

A request waits for the store at most once per attempt, and only where a limit binds it: `admitted` stands between the decision and the
send. All that wait at the same moment go out in one message. Everything else is told behind their backs, more than twice a second.

While the store does not answer each process counts for itself, from what it knew last, and nobody waits. What it admits in that time may
exceed a limit together with what the others admit: by at most what was left of it, times the number of the other processes. When the store
is back it is told everything that was used meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import structlog

from proxy.shared.counts import Asked, Counts
from proxy.shared.health import EXCHANGE, HealthShare
from proxy.shared.port import Clock
from proxy.shared.redis_link import LinkError, RedisLink
from proxy.shared.script import PREFIX, SYNC
from routing.facts import AttemptFailed, Failure, FailureKind
from routing.headroom.book import Book, Charge
from routing.router import Router
from routing.types import Decision, Dispatch

log = structlog.get_logger("donut.shared")

BEAT_S = 0.4
"""Between two messages that nobody waits for. What one process finds out it tells after one beat at most, and the others ask after another:
within a second all know. A killed process has not told what it used since its last one."""
LOST_BEAT_S = 2.0
"""The longest pause between two looks whether a lost store is back: to connect costs a busy process some milliseconds."""
LEASE_S = 15.0
"""How long what a process holds outlives its last message. Longer than a stop of Redis that a failover of its own takes."""
ROUNDS = 4
"""How often one request asks for room that somebody else took between its decision and its question."""

WITHDRAWN = Failure(FailureKind.UNTRANSLATABLE, "not sent: other workers hold what is left of a limit")
"""Blames nobody and counts no request, as that kind does: nothing was sent."""


class _Waiting:
    """One attempt that wants to be admitted."""

    __slots__ = ("charges", "is_apart", "verdict")

    def __init__(self, charges: Sequence[Charge], verdict: asyncio.Future[bool]) -> None:
        self.charges = charges
        self.verdict = verdict
        self.is_apart = True

    def resolve(self, is_admitted: bool) -> None:
        if not self.verdict.done():
            self.verdict.set_result(is_admitted)


class SharedState:
    """`run` is its long-lived task; until that has reached the store, and whenever it is lost, everybody is admitted."""

    def __init__(self, link: RedisLink, worker: str, router: Callable[[], Router], clock: Clock, lease_s: float = LEASE_S) -> None:
        """`worker`: a name that no other process has or had. `router`: the one in force.

        Made once its fleet, which stays the same, has counted what the journal remembers.
        """
        self._link = link
        self._router = router
        self._clock = clock
        self._counts = Counts(self._book, worker, lease_s, clock.now(), clock.wall())
        self._health = HealthShare()
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._is_lost = True
        self._is_told_lost = False

    @property
    def is_lost(self) -> bool:
        """Does every process count for itself?"""
        return self._is_lost

    @property
    def _book(self) -> Book:
        return self._router().fleet.headroom

    async def admitted(self, decision: Dispatch, decide_again: Callable[[], Decision]) -> Decision:
        """`decision`, once nobody else holds what it needs; else what the router says when it knows that.

        Where it is a refusal, or this is cancelled, nothing is held any more.
        """
        for _ in range(ROUNDS):
            charges = self._book.charges_of(decision.reservation)
            if self._is_lost or all(charge.most is None or not charge.amount for charge in charges):
                return decision
            if await self._ask(charges, decision):
                return decision
            again = decide_again()
            if not isinstance(again, Dispatch):
                return again
            decision = again
        return decision  # the router knows what the others use and still sends it there: it has set the limit aside

    async def _ask(self, charges: Sequence[Charge], decision: Dispatch) -> bool:
        """Is it admitted? If not, it is withdrawn."""
        waiting = _Waiting(charges, asyncio.get_running_loop().create_future())
        self._counts.set_apart(charges)
        self._waiting.append(waiting)
        self._wake.set()
        is_admitted = False
        try:
            is_admitted = await waiting.verdict
        finally:
            if not is_admitted:
                self._router().observe(AttemptFailed(decision.reservation, WITHDRAWN), self._clock.now())
                self._join(waiting)
        return is_admitted

    def _join(self, waiting: _Waiting) -> None:
        if waiting.is_apart:
            waiting.is_apart = False
            self._counts.join(waiting.charges)

    async def run(self) -> None:
        """Until cancelled; then it tells the last."""
        loop = asyncio.get_running_loop()
        beats_at, pause_s = loop.time(), BEAT_S
        try:
            while True:
                if loop.time() >= beats_at:
                    await self._beat()
                    pause_s = min(2 * pause_s, LOST_BEAT_S) if self._is_lost else BEAT_S
                    beats_at = loop.time() + pause_s
                elif self._waiting:
                    await self._ask_for_all()
                else:
                    self._wake.clear()
                    timer = loop.call_at(beats_at, self._wake.set)
                    await self._wake.wait()
                    timer.cancel()
        finally:
            try:
                await self._beat()
            finally:
                self._is_lost = True
                self._admit_all()
                await self._link.close()

    async def _ask_for_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting = [one for one in waiting if one.is_apart]  # the others' clients have left
        if not waiting:
            return
        verdicts = None
        try:
            verdicts = await self._send(self._counts.about([one.charges for one in waiting], self._clock.now(), self._clock.wall()))
        finally:  # whatever happens here, nobody waits for ever
            for one, is_admitted in zip(waiting, verdicts or [True] * len(waiting), strict=True):
                if is_admitted:
                    self._join(one)
                one.resolve(is_admitted)

    async def _beat(self) -> None:
        await self._send(self._counts.about_everything(self._clock.now(), self._clock.wall()))
        if not self._is_lost and not self._counts.is_told:
            await self._send(self._counts.about_everything(self._clock.now(), self._clock.wall()))
        if not self._is_lost:
            await self._tell_health()

    async def _tell_health(self) -> None:
        fleet, now_s, wall_s = self._router().fleet, self._clock.now(), self._clock.wall()
        answer = await self._call(EXCHANGE, self._health.message(fleet, self._counts.epoch, now_s, wall_s))
        if answer is None:
            return
        for fact in self._health.learn(answer, fleet, now_s, wall_s):
            self._router().observe(fact, now_s)

    async def _send(self, asked: Asked) -> list[bool] | None:
        """Which of its attempts were admitted; None when the store is lost, and everybody is."""
        try:
            answer = await self._call(SYNC, asked.message)
        except BaseException:
            self._counts.doubt(asked)
            raise
        if answer is None:
            self._counts.doubt(asked)
            return None
        facts, verdicts = self._counts.learn(asked, answer)
        now_s = self._clock.now()
        for fact in facts:
            self._router().observe(fact, now_s)
        return verdicts

    async def _call(self, script: str, message: dict[str, Any]) -> Any:
        """The script's answer; None when there is none."""
        try:
            answer = await self._link.call(script, PREFIX, orjson.dumps(message))
        except LinkError as error:
            self._lose(str(error))
            return None
        self._find()
        return answer

    def _lose(self, why: str) -> None:
        if not self._is_lost or not self._is_told_lost:
            log.warning("shared_state_lost", why=why, until="it is back, every process counts for itself")
        self._is_lost = self._is_told_lost = True
        self._admit_all()

    def _find(self) -> None:
        if self._is_lost:
            log.info("shared_state_found")
        self._is_lost = False

    def _admit_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self._join(one)
            one.resolve(True)


def open_state(url: str, router: Callable[[], Router], clock: Clock) -> SharedState:
    """See `port.shared_over`."""
    return SharedState(RedisLink(url), secrets.token_hex(8), router, clock)
