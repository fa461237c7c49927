"""What this process tells the shared store of its counters, and what it learns from the answers. No I/O.

The store is told states, not events: what this process holds of a counter now (any later message corrects an earlier one), and use in
numbered batches, one of which is under way at a time (a batch whose answer was lost goes out again as it was, and counts once). So nothing
has to be remembered about single attempts, and a store that was away is brought up to date by the next message.

Use belongs to a bucket of its window, as in `routing.headroom.meters`: what was used while the store was away is counted where it happened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from routing.facts import SharedUsed
from routing.headroom.book import Book, Charge
from routing.headroom.calendar import started_at
from routing.headroom.counters import Counter, CounterKey
from routing.headroom.meters import GRAINS, Meter
from routing.headroom.types import WINDOW_S

DAY_S = 86_400
KEPT_BEYOND_S = 3600
"""How long a counter nobody mentions outlives its window: an open attempt may hold of it for so long (`book.HOLD_EXPIRES_S`)."""

NEWS_MOST = 1024
TURN_MOST = 128
"""Counters in one message beyond those of its attempts. One of 100 bytes each; there may be thousands, of sessions that are long over."""

Buckets = dict[int, int]
"""Bucket → amount."""
NO_USE: Buckets = {}


class Asked(NamedTuple):
    """A message under way."""

    counters: Sequence[Counter]
    held: Sequence[int]
    """What the message says this process holds of each."""
    settled: Sequence[int]
    """What each had settled when it was written."""
    charges: Sequence[Sequence[Charge]]
    message: dict[str, Any]


class Counts:
    def __init__(self, book: Book, worker: str, lease_s: float, now_s: float, wall_s: float) -> None:
        """`worker`: a name that no other process has or had. What `book` has counted by now is what the journal remembers."""
        self._book = book
        self._worker = worker
        self._lease_s = lease_s
        self._number = 0
        """Of the latest message."""
        self._batch_number = 0
        self._apart: defaultdict[CounterKey, int] = defaultdict(int)
        """Held here by attempts that the store has not admitted."""
        self._seen: dict[CounterKey, tuple[Meter, int]] = {}
        """Of what was settled, what is no news. Another meter than before means that all was counted anew from the journal."""
        self._unsent: dict[CounterKey, Buckets] = {}
        self._batch: dict[CounterKey, Buckets] = {}
        """Under way, or sent without an answer."""
        self._told: dict[CounterKey, Buckets] = {}
        """What has arrived: to be told again to a store that has lost it."""
        self._seeds: dict[CounterKey, Buckets] = {}
        """What each counter had when it was first seen: what the journal remembers. Every process may know of it, and the store takes it
        once."""
        self.epoch: bytes | None = None
        self._believed: dict[CounterKey, int] = {}
        """What the store believes this process to hold."""
        self._doubted: set[CounterKey] = set()
        """Of these nobody knows what it believes: a message was lost."""
        self._seeded: set[CounterKey] = set()
        """Counters that the store is known to have."""
        self._turn = 0
        self.is_told = False
        """Did the store know this process at the latest message? Else there is more to tell."""
        self.note_use(now_s, wall_s)

    # Attempts that wait to be admitted

    def set_apart(self, charges: Iterable[Charge]) -> None:
        """They are held here already, and are not to be told as held."""
        for charge in charges:
            self._apart[charge.counter] += charge.amount

    def join(self, charges: Iterable[Charge]) -> None:
        """The inverse: admitted, or no longer held."""
        for charge in charges:
            self._apart[charge.counter] -= charge.amount
            assert self._apart[charge.counter] >= 0, f"{charge.counter} has more joined than was set apart"

    # Messages

    def note_use(self, now_s: float, wall_s: float) -> None:
        """Take what was settled since the last time into the buckets of now. Often enough that buckets are right: once per beat."""
        for counter in self._book.counters.values():
            self._note(counter, now_s, wall_s)
        if len(self._seen) > len(self._book.counters) + NEWS_MOST:
            self._forget()

    def _note(self, counter: Counter, now_s: float, wall_s: float) -> None:
        key, meter, settled = counter.id, counter.meter, counter.settled
        known, seen = self._seen.get(key, (None, 0))
        if known is not meter:
            self._seeds[key] = {}
            if WINDOW_S[key.window]:
                _add(self._seeds[key], ((bucket_at(key, wall_s - age_s), amount) for age_s, _, amount in meter.pieces(now_s)))
        elif settled != seen:
            _add(self._unsent.setdefault(key, {}), [(bucket_at(key, wall_s), settled - seen)])
        else:
            return
        self._seen[key] = (meter, settled)

    def _forget(self) -> None:
        """What the book has forgotten."""
        for known in (self._seen, self._seeds, self._told, self._believed, self._apart):
            for key in [key for key in known if key not in self._book.counters]:
                del known[key]
        self._seeded.intersection_update(self._book.counters)
        self._doubted.intersection_update(self._book.counters)

    def about_everything(self, now_s: float, wall_s: float) -> Asked:
        """A message about the counters of which the store is not up to date, and in turn about those that limit somebody."""
        self.note_use(now_s, wall_s)
        counters = [counter for counter in self._book.counters.values() if WINDOW_S[counter.id.window]]
        news = [counter for counter in counters if self._is_news(counter)][:NEWS_MOST]
        others = [counter for counter in counters if counter.ceilings]
        start = self._turn if self._turn < len(others) else 0
        self._turn = start + TURN_MOST
        return self._ask(list(dict.fromkeys([*news, *others[start : self._turn]])), (), wall_s)

    def about(self, attempts: Sequence[Sequence[Charge]], now_s: float, wall_s: float) -> Asked:
        """A message that asks for `attempts` to be admitted."""
        wanted = dict.fromkeys(charge.counter for charges in attempts for charge in charges)
        counters = [self._book.counter(key) for key in wanted]
        for counter in counters:
            self._note(counter, now_s, wall_s)
        return self._ask(counters, attempts, wall_s)

    def _is_news(self, counter: Counter) -> bool:
        key = counter.id
        if key in self._unsent or key in self._batch or key in self._doubted:
            return True
        return self._believed.get(key, 0) != self._held(counter)

    def _held(self, counter: Counter) -> int:
        return counter.held - self._apart.get(counter.id, 0)  # without making an entry

    def _ask(self, wanted: list[Counter], attempts: Sequence[Sequence[Charge]], wall_s: float) -> Asked:
        if self._batch:  # the last answer was lost: the same batch again, so all that it is about
            have = {counter.id for counter in wanted}
            wanted += [self._book.counter(key) for key in self._batch if key not in have]
        else:
            self._batch_number += 1
            self._batch = {counter.id: self._unsent.pop(counter.id) for counter in wanted if counter.id in self._unsent}
        self._number += 1
        position = {counter.id: number for number, counter in enumerate(wanted, 1)}
        held = [self._held(counter) for counter in wanted]
        message = {
            "w": self._worker,
            "ttl": self._lease_s,
            "n": self._number,
            "q": self._batch_number,
            "c": [self._spec(counter, of_it, wall_s) for counter, of_it in zip(wanted, held, strict=True)],
            "r": [[[position[key], amount, -1 if most is None else most] for key, amount, most in charges] for charges in attempts],
        }
        settled = [counter.settled - sum(self._unsent.get(counter.id, NO_USE).values()) for counter in wanted]
        return Asked(wanted, held, settled, attempts, message)

    def _spec(self, counter: Counter, held: int, wall_s: float) -> list[object]:
        key = counter.id
        alive = oldest_bucket(key, wall_s)
        used = [[bucket, amount] for bucket, amount in self._batch.get(key, NO_USE).items()]
        seeds = False if key in self._seeded else list(self._seeds.get(key, NO_USE).items())
        return [name_of(key), alive, int(WINDOW_S[key.window]) + KEPT_BEYOND_S, used, seeds, held]

    # Answers

    def learn(self, asked: Asked, answer: Sequence[Any]) -> tuple[list[SharedUsed], list[bool]]:
        """What the store said: facts for the router, and for each attempt whether it was admitted. Those that were are to `join`."""
        epoch, was_known, told, verdicts = answer
        if epoch != self.epoch:
            self._tell_again(epoch)
        for key, buckets in self._batch.items():
            _add(self._told.setdefault(key, {}), buckets.items())
        self._batch = {}
        if not was_known:
            self._believed.clear()  # it has given back what this process held: the next message says it again
        self.is_told = bool(was_known)
        held = dict(zip((counter.id for counter in asked.counters), asked.held, strict=True))
        for charges, refused_by in zip(asked.charges, verdicts, strict=True):
            if not refused_by:
                for charge in charges:
                    held[charge.counter] += charge.amount
        self._believed |= held
        self._doubted.difference_update(held)
        facts = [
            self._fact(counter, settled, held[counter.id], told[3 * n : 3 * n + 3])
            for n, (counter, settled) in enumerate(zip(asked.counters, asked.settled, strict=True))
        ]
        return facts, [not refused_by for refused_by in verdicts]

    def doubt(self, asked: Asked) -> None:
        """There was no answer. It may have been done nevertheless, or still lie in a buffer and be done later."""
        self._doubted.update(self._believed, (counter.id for counter in asked.counters))

    def _tell_again(self, epoch: bytes) -> None:
        """The store is another one than before, or has lost everything."""
        self.epoch = epoch
        self._seeded.clear()
        for key, buckets in self._told.items():
            _add(self._unsent.setdefault(key, {}), buckets.items())
        self._told.clear()

    def _fact(self, counter: Counter, settled: int, held: int, told: Sequence[int]) -> SharedUsed:
        """The store's figure, and what has happened here since it was asked."""
        used, all_held, is_seeded = told
        if is_seeded:
            self._seeded.add(counter.id)
        since = counter.held - held + max(0, counter.settled - settled)
        return SharedUsed(counter.id, max(0, used + all_held + since))


def _add(to: Buckets, uses: Iterable[tuple[int, int]]) -> None:
    """Never more than a window's buckets: those that have left it go."""
    for bucket, amount in uses:
        to[bucket] = to.get(bucket, 0) + amount
    while len(to) > GRAINS + 2:
        del to[min(to)]


def name_of(key: CounterKey) -> str:
    """As the store calls it."""
    return f"{key.key}|{key.unit}|{key.window}{'|calendar' if key.calendar else ''}"


def bucket_at(key: CounterKey, wall_s: float) -> int:
    """The bucket of what is used at `wall_s`. A period of the calendar is one bucket."""
    if not key.calendar:
        return int(wall_s * GRAINS / WINDOW_S[key.window])
    return int(started_at(key.window, wall_s)) // (DAY_S if WINDOW_S[key.window] >= DAY_S else int(WINDOW_S[key.window]))


def oldest_bucket(key: CounterKey, wall_s: float) -> int:
    """The oldest bucket that any of the window is in. It errs towards caution: a bucket counts until all of it is out."""
    return bucket_at(key, wall_s) if key.calendar else bucket_at(key, wall_s) - GRAINS
