"""Who is meant, and what is known of them: for a model, for a model at a provider, and for both as a harness drives them.

A question goes from the special to the general: (provider, harness, model), (provider, model), (harness, model), the logical model. The
answer says at which of them it found something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from routing.ledger.book import Book
from routing.ledger.names import Match, NameIndex
from routing.ledger.pareto import Point, Standing, standings
from routing.ledger.quality import Qualities, Rated
from routing.ledger.readings import entry_key, harness_key
from routing.pricing import blended_price
from routing.types import Price, UseCase

USUAL_ANSWER_TOKENS = 500
"""Output of a usual answer, for a latency out of the time to the first token and the speed."""


class Entry(NamedTuple):
    """One provider's offering of a logical model: a row of the ledger."""

    provider: str
    upstream: str
    """The name that the provider knows."""
    model: str
    """The logical model."""
    is_primary: bool = True
    """The name to use, where a provider has several for one model."""
    is_retired: bool = False
    billing: str = "metered"
    """`metered`, `subscription` or `local`. A subscription's price is what the same tokens would cost metered."""

    @property
    def key(self) -> str:
        return entry_key(self.provider, self.upstream)


class Resolution(NamedTuple):
    """What a provider calls the model that a name means. `entry` is None when it does not offer it, or the name means nothing."""

    entry: Entry | None
    model: str | None
    confidence: float
    why: str
    suggestions: tuple[str, ...] = ()


class Speed(NamedTuple):
    """None = unknown. `subject` is where it was found."""

    tokens_per_s: float | None
    ttft_s: float | None
    end_to_end_s: float | None
    subject: str

    @property
    def usual_answer_s(self) -> float | None:
        """How long a usual answer takes."""
        if self.end_to_end_s is not None:
            return self.end_to_end_s
        if not self.tokens_per_s or self.ttft_s is None:
            return None
        return self.ttft_s + USUAL_ANSWER_TOKENS / self.tokens_per_s


class CostAnswer(NamedTuple):
    price: Price
    blended: float | None
    """USD per 1M tokens of a usual mix."""
    subject: str


class Resolver:
    """Answers from one book. `entries` by key (`provider/upstream`)."""

    def __init__(self, book: Book, entries: Mapping[str, Entry], names: NameIndex) -> None:
        self.book = book
        self.entries = entries
        self._names = names
        self._qualities = Qualities(book)
        self._offers: dict[str, dict[str, Entry]] = {}
        for entry in entries.values():
            at_provider = self._offers.setdefault(entry.provider, {})
            known = at_provider.get(entry.model)
            if known is None or (entry.is_primary, not entry.is_retired) > (known.is_primary, not known.is_retired):
                at_provider[entry.model] = entry
        self._sellers: dict[str, list[Entry]] = {}
        for offers in self._offers.values():
            for entry in offers.values():
                self._sellers.setdefault(entry.model, []).append(entry)
        self._standings: dict[UseCase | None, dict[str, Standing]] = {}

    def match(self, name: str) -> Match:
        """The logical model of a name; an entry's key (`provider/upstream`) means the model it offers."""
        entry = self.entries.get(name)
        return Match(entry.model, 1.0, "an entry of the ledger") if entry is not None else self._names.match(name)

    def resolve_for_backend(self, provider: str, model: str, harness: str = "") -> Resolution:
        """What `provider` calls `model`. `harness` changes nothing in the name; it is there so that a trio can be asked as it is."""
        del harness
        exact = self.entries.get(entry_key(provider, model))
        if exact is not None:
            return Resolution(exact, exact.model, 1.0, "the provider's own name")
        offers = self._offers.get(provider)
        if offers is None:
            return Resolution(None, None, 0.0, f"no provider `{provider}`", tuple(sorted(self._offers))[:5])
        match = self.match(model)
        if match.id is None:
            return Resolution(None, None, 0.0, match.how, match.suggestions)
        entry = offers.get(match.id)
        if entry is None:
            others = tuple(sorted(name for name, offered in self._offers.items() if match.id in offered))
            return Resolution(None, match.id, match.confidence, f"{provider} does not offer {match.id}; others do", others[:5])
        return Resolution(entry, match.id, match.confidence, match.how)

    def offers_of(self, model: str) -> list[Entry]:
        """Every entry of a logical model, those in use first."""
        found = [entry for entry in self.entries.values() if entry.model == model]
        return sorted(found, key=lambda entry: (entry.is_retired, not entry.is_primary, entry.provider, entry.upstream))

    def get_quality(self, model: str, provider: str = "", harness: str = "", use_case: UseCase | None = None) -> Rated | None:
        """From 0 to 1; None when nobody has measured it."""
        return next((rated for subject in self._path(model, provider, harness) if (rated := self._qualities.of(subject, use_case))), None)

    def get_cost(self, model: str, provider: str = "", harness: str = "") -> CostAnswer | None:
        """The price at that provider; without one, of the cheapest metered offer. None when no price is known."""
        # A price of the model itself is what it usually costs somewhere: the cheapest offer is nearer to what it will.
        cheapest = None if provider else self._cheapest(self.match(model).id)
        subjects = self._path(model, provider, harness) if cheapest is None else ()
        found = ((subject, self.book.price(subject)) for subject in subjects)
        return cheapest or next((CostAnswer(price, blended_price(price), subject) for subject, price in found if price is not None), None)

    def get_speed(self, model: str, provider: str = "", harness: str = "") -> Speed | None:
        """The first place on the way from special to general where any figure of speed is known."""
        for subject in self._path(model, provider, harness):
            figures = [self.book.value(subject, metric) for metric in ("speed_tps", "ttft_s", "end_to_end_s")]
            if any(figure is not None for figure in figures):
                return Speed(figures[0], figures[1], figures[2], subject)
        return None

    def get_pareto_score(self, model: str, provider: str = "", harness: str = "", use_case: UseCase | None = None) -> Standing | None:
        """Where the model stands among all logical models that are rated, with its figures at that provider and in that harness where
        there are any; None for a name that means nothing."""
        found = self.match(model).id
        if found is None or not (provider or harness):
            return None if found is None else self.pareto(use_case).get(found)
        others = [each.point for each in self.pareto(use_case).values() if each.point.id != found]
        own = self._point(found, use_case, provider, harness)
        return next(each for each in standings([*others, own]) if each.point.id == found)

    def pareto(self, use_case: UseCase | None = None) -> Mapping[str, Standing]:
        """Logical model → its standing, best first. Worked out once per use case."""
        known = self._standings.get(use_case)
        if known is None:
            models = dict.fromkeys(entry.model for entry in self.entries.values())
            known = {each.point.id: each for each in standings([self._point(model, use_case) for model in models])}
            self._standings[use_case] = known
        return known

    def _point(self, model: str, use_case: UseCase | None, provider: str = "", harness: str = "") -> Point:
        rated = self.get_quality(model, provider, harness, use_case)
        cost = self.get_cost(model, provider, harness) if rated is not None else None
        speed = self.get_speed(model, provider, harness) if rated is not None else None
        return Point(
            model,
            rated.value if rated is not None else None,
            cost.blended if cost is not None else None,
            speed.usual_answer_s if speed is not None else None,
        )

    def _cheapest(self, model: str | None) -> CostAnswer | None:
        offers = self._sellers.get(model or "", ())
        answers = [
            CostAnswer(price, blended, entry.key)
            for entry in offers
            if not entry.is_retired and entry.billing == "metered"
            if (price := self.book.price(entry.key)) is not None and (blended := blended_price(price)) is not None
        ]
        return min(answers, key=lambda answer: answer.blended or 0.0, default=None)

    def _path(self, model: str, provider: str, harness: str) -> list[str]:
        """Subjects from the special to the general, without repetition."""
        logical = self.match(model).id
        subjects = [logical] if logical is not None else []
        if provider:
            found = self.resolve_for_backend(provider, model).entry
            subjects.insert(0, found.key if found is not None else entry_key(provider, model))
        if harness:
            subjects = [*(harness_key(harness, subject) for subject in subjects), *subjects]
            subjects.sort(key=lambda subject: "/" not in subject)
        return subjects
