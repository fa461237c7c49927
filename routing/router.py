"""Decides where an attempt goes, and learns from how it ended. One function for first choice, retry, failover, spillover and escalation.

Synchronous on one event loop, so a decision is atomic: no lock, no race. The clock comes in as `now_s` (any monotonic seconds).

The order when somebody fails: the next replica of the same model, the next model of the stage, the next stage (routing/stages.py), then
what may be set aside (routing/last_resort.py): what donut only believed to be impossible where the client named it, a long queue, once per
exchange the illness of the least bad one. Then a refusal that says how long to wait.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from routing.candidates import BOUND, Candidates, Question, occasions_of
from routing.choice import NO_MODELS, best
from routing.criteria import AS_SHIPPED, Criteria, Tuning
from routing.facts import Fact
from routing.failover import is_charged
from routing.fleet import PLAIN, Errand, Fleet, ReplicaState, errand_to
from routing.judging import ALL_PASS, Judges, Verdict, judge, without
from routing.last_resort import least_bad, lifted, shortest_queue
from routing.learning import learn
from routing.plans import Plan, PlanBook, Post
from routing.refusing import is_final, refusal
from routing.retry import BudgetSpent
from routing.scoring import Scoring
from routing.stages import NAMED, Stage
from routing.types import (
    Catalog,
    Decision,
    Demand,
    Dispatch,
    Evidence,
    ModelReplica,
    Ranked,
    Refusal,
    Reject,
)

NOBODY_OUT: frozenset[int] = frozenset()

Found = tuple[Candidates, Ranked, Sequence[Reject], Set[int]]
"""Those among whom is chosen, their ranking, everybody's rejects so far, and the positions of those of them who are out."""


Choice = tuple[ModelReplica, ReplicaState, Evidence]
"""Who, what is believed of it, and why."""

new = tuple.__new__
"""Makes a NamedTuple of a tuple without a call of Python: 0.5 µs less, and a decision makes five."""


class Router:
    """`decide` and `observe` are the only two that change belief about the fleet."""

    def __init__(self, catalog: Catalog, criteria: Criteria, tuning: Tuning = AS_SHIPPED, fleet: Fleet | None = None) -> None:
        """`fleet` carries belief over when config or discovery changes the catalog."""
        self.catalog = catalog
        self.fleet = fleet or Fleet()
        self.fleet.serve(catalog.replicas.values(), tuning.limits)
        self._judges = Judges(criteria.gates)
        self._scoring = Scoring(criteria.factors, tuning.weights, criteria.selectors, tuning.profile)
        self._tuning = tuning
        self._plans = PlanBook(catalog, self.fleet, self._judges, self._scoring)

    def decide(self, demand: Demand, now_s: float, tried: frozenset[str] = frozenset(), *, panicked: bool = False) -> Decision:
        """The best replica for `demand` that is not in `tried`, its headroom reserved; or a refusal with reasons.

        `panicked`: did an earlier Dispatch of this exchange say `panic`? There is one of that kind, not four dead replicas in a row.
        A Dispatch holds a reservation that exactly one AttemptFinished or AttemptFailed must settle.
        """
        choice = self._choose(demand, now_s, tried, panicked)
        if isinstance(choice, Refusal):
            return choice
        fleet, (replica, state, evidence) = self.fleet, choice
        if not tried:
            fleet.retries.count_first(now_s)
        elif is_charged(replica, state, self._providers_of(tried), now_s):
            fleet.retries.count_retry(now_s)
        # Whom to ask is ill is among the unwell: most of the time there are none.
        errand = PLAIN if not fleet.unwell else Errand.PANIC if evidence.panic else errand_to(state.health)
        return new(Dispatch, (replica, fleet.reserve(replica, state, demand, now_s, errand), evidence))

    def preview(self, demand: Demand, now_s: float, tried: frozenset[str] = frozenset(), *, panicked: bool = False) -> Decision:
        """What `decide` would say, with nothing reserved: reservation 0 must not be settled."""
        choice = self._choose(demand, now_s, tried, panicked)
        return choice if isinstance(choice, Refusal) else Dispatch(choice[0], 0, choice[2])

    def observe(self, fact: Fact, now_s: float) -> None:
        """Take in one fact. AttemptFinished and AttemptFailed settle their attempt's reservation."""
        learn(self.fleet, fact, now_s)

    def _choose(self, demand: Demand, now_s: float, tried: frozenset[str], panicked: bool) -> Choice | Refusal:
        fleet = self.fleet
        if now_s >= fleet.next_tick_s:
            fleet.advance(now_s)
        plan = self._plans.plan(demand)
        keys = demand.affinity_keys
        bound = fleet.affinity.replica_of(keys, now_s) if keys else None
        spent = self._budget_spent(tried, now_s) if tried else None
        question = new(Question, (demand, now_s, tried, None, fleet.unwell, bound, self._tuning.quality_floors, spent, fleet.headroom))
        post = plan.front
        if post is not None:
            if tried or fleet.unwell or fleet.headroom.is_watching or demand.max_cost_usd is not None:
                occasions = occasions_of(post.passed, question)
            else:
                occasions = post.occasions if bound is None else post.occasions | BOUND
            if not self._judges.due(occasions):  # the usual request: nobody has anything to say against anybody
                return self._best_of(post.stage, (post.passed, post.board.ranked(now_s), post.rejects, NOBODY_OUT), question, occasions)
        return self._search(plan, question, panicked)

    def _search(self, plan: Plan, question: Question, panicked: bool) -> Choice | Refusal:
        """One stage after the other, until somebody passes all gates."""
        earlier: list[Reject] = []
        doubted: list[Reject] = []
        for number, stage in enumerate(plan.stages):
            post = plan.post(number, question)
            if number:
                question = question._replace(stage=stage.target)
            candidates = post.passed
            occasions = occasions_of(candidates, question)
            due = self._judges.due(occasions)
            stopped, doubts = judge(candidates, question, due) if due else ALL_PASS
            if len(stopped) < len(candidates.replicas):
                rejects = [*earlier, *post.rejects, *stopped] if earlier or stopped else post.rejects
                out = frozenset(candidates.positions[reject.replica_id] for reject in stopped) if stopped else NOBODY_OUT
                found = (candidates, post.board.ranked(question.now_s), rejects, out)
                return self._best_of(stage, found, question, occasions)
            earlier += [*post.rejects, *stopped]
            doubted += doubts
            if is_final(stopped):
                break
        return self._last_resort(plan, question, Verdict(earlier, doubted), panicked)

    def _budget_spent(self, tried: Set[str], now_s: float) -> BudgetSpent | None:
        retries = self.fleet.retries
        if retries.allows(self._tuning.retry, now_s):
            return None
        words = f"{retries.retries} of the last {retries.firsts + retries.retries} attempts were retries"
        return BudgetSpent(self._providers_of(tried), words, retries.opens_at_s(now_s))

    def _best_of(
        self, stage: Stage, found: Found, question: Question, occasions: int, *, panic: bool = False, notes: tuple[str, ...] = ()
    ) -> Choice:
        candidates, ranked, rejects, out = found
        scoring, tried = self._scoring, question.tried
        deviations = scoring.deviations(candidates, question, occasions)
        place, position = None, 0
        if len(candidates.replicas) > 1:
            failed_models = self._models_of(tried) if tried else NO_MODELS
            place = best(ranked.ranking(), scoring.weights, deviations, out, failed_models)
            position = place.position
            if failed_models:
                notes += _note_again(candidates, out, position, failed_models)
        evidence = new(
            Evidence,
            (
                question.demand,
                scoring.weights,
                ranked,
                stage.target,
                rejects,
                out,
                deviations,
                panic,
                stage.spilled_from,
                stage.escalation,
                notes,
                place,
            ),
        )
        return candidates.replicas[position], candidates.states[position], evidence

    def _last_resort(self, plan: Plan, question: Question, verdict: Verdict, panicked: bool) -> Choice | Refusal:
        """Nobody passed all gates: what may be set aside is, before anyone is refused."""
        demand, rejects = question.demand, verdict.rejects
        posts = [plan.post(number, question) for number in range(len(plan.stages))]
        if demand.target.kind in NAMED and posts:
            # The client named this model. What donut believes about it may be wrong; the upstream's own answer is not.
            post = posts[0]
            bound, _ = judge(post.everyone, question, self._judges.binding)
            eligible = without(post.everyone, bound)
            if eligible.replicas:
                notes = lifted(rejects, eligible, "the client named it")
                return self._best_left(post, self._ranked(eligible, bound, plan, question), question, notes=notes)
            rejects = bound
        found = shortest_queue(posts, verdict.doubted)
        if found is not None:
            post, eligible = found
            notes = lifted(rejects, eligible, "nobody else can answer")
            others = [reject for reject in rejects if reject.replica_id not in eligible.positions]
            return self._best_left(post, self._ranked(eligible, others, plan, question), question, notes=notes)
        found = None if panicked else least_bad(posts, rejects)
        if found is None:
            return refusal(demand, self._scoring.weights, rejects, question.now_s)
        post, eligible = found
        return self._best_left(post, self._ranked(eligible, rejects, plan, question), question, panic=True)

    def _best_left(self, post: Post, found: Found, question: Question, *, panic: bool = False, notes: tuple[str, ...] = ()) -> Choice:
        return self._best_of(post.stage, found, question, occasions_of(found[0], question), panic=panic, notes=notes)

    def _ranked(self, candidates: Candidates, rejects: Sequence[Reject], plan: Plan, question: Question) -> Found:
        return candidates, self._plans.board(candidates, plan.task).ranked(question.now_s), rejects, NOBODY_OUT

    def _providers_of(self, tried: Set[str]) -> frozenset[str]:
        replicas = self.catalog.replicas
        return frozenset(replicas[id_].provider_id for id_ in tried if id_ in replicas)

    def _models_of(self, tried: Set[str]) -> frozenset[str]:
        replicas = self.catalog.replicas
        return frozenset(replicas[id_].logical_model_id for id_ in tried if id_ in replicas)


def _note_again(candidates: Candidates, out: Set[int], position: int, failed_models: Set[str]) -> tuple[str, ...]:
    """After somebody has failed this exchange: was the same model elsewhere preferred to others?"""
    winner = candidates.replicas[position].logical_model_id
    if winner not in failed_models or all(i in out or each.logical_model_id == winner for i, each in enumerate(candidates.replicas)):
        return ()
    return (f"another replica of {winner} comes before other models",)
