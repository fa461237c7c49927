"""Who may answer a request of another dialect, in which one they are spoken to, and who is preferred."""

from __future__ import annotations

import pytest

from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Failed, Finished, FinishReason, Started
from providers.codecs.translate import GatheringScanner, TranslatingScanner
from routing.candidates import Candidates, Question, task_of
from routing.explain import because
from routing.factors.native import measure
from routing.facts import Failure, FailureKind
from routing.fleet import Fleet
from routing.gates.dialect import check
from routing.translation import note_of, upstream_dialect
from routing.types import Demand, Dispatch, LogicalModel, ModelTier, RejectReason, Target, TargetKind
from tests.playbook import catalog_of, demand_for, replica, router_for
from tests.translating import CODECS, FRAME

MESSAGES = demand_for(Target(TargetKind.MODEL, "m"))._replace(dialect="messages", translatable_to=frozenset({"chat", "responses"}))


@pytest.mark.parametrize(
    ("dialects", "spoken"),
    [
        (("chat", "messages"), "messages"),
        (("completions", "responses", "chat"), "responses"),
        (("embeddings", "completions"), None),
    ],
)
def test_the_clients_own_dialect_else_the_first_that_is_understood(dialects: tuple[str, ...], spoken: str | None) -> None:
    place = replica("a", dialects=dialects)
    assert upstream_dialect(MESSAGES, place) == spoken
    rejects = check(Candidates.of([place], [Fleet().state("a")]), Question(MESSAGES, 0.0))
    assert [reject.reason for reject in rejects] == ([] if spoken else [RejectReason.WRONG_DIALECT])
    assert note_of(MESSAGES, place) == (("translated messages → responses",) if spoken == "responses" else ())


def test_nothing_is_translated_where_nothing_leads() -> None:
    assert upstream_dialect(Demand("messages", MESSAGES.target, "m"), replica("a", dialects=("chat",))) is None


def test_the_same_dialect_is_preferred() -> None:
    foreign, native = replica("a", dialects=("chat",)), replica("b", dialects=("messages",))
    model, task, state = LogicalModel("m", ModelTier.MID), task_of(MESSAGES), Fleet().state("a")
    assert [measure(each, model, state, task) for each in (foreign, native)] == [0.0, 1.0]


def test_a_decision_says_that_it_takes_a_translation() -> None:
    decision = router_for(catalog_of(replica("a", dialects=("chat",)))).decide(MESSAGES, 0.0)
    assert isinstance(decision, Dispatch)
    assert because(decision)[-1] == "translated messages → chat"


class Told:
    """A decoder that says what it is given."""

    def __init__(self, *events: Event) -> None:
        self._events = list(events)

    def feed(self, data: bytes) -> list[Event]:
        return [self._events.pop(0) for _ in data]

    def finish(self) -> list[Event]:
        return []


TEXT: tuple[Event, ...] = (Started(), BlockStarted(0, BlockKind.TEXT), Delta(0, "One."), BlockEnded(0), Finished(FinishReason.STOP))


@pytest.mark.parametrize(
    ("events", "has_content", "is_finished"),
    [
        (TEXT[:2], False, False),
        (TEXT[:3], True, False),
        (TEXT, True, True),
        ((Started(), BlockStarted(0, BlockKind.TOOL_CALL, "a", "bake")), True, False),
        ((Started(), Finished(FinishReason.LENGTH)), False, True),
    ],
)
def test_content_is_what_a_client_can_act_on(events: tuple[Event, ...], has_content: bool, is_finished: bool) -> None:
    scanner = TranslatingScanner(Told(*events), CODECS["chat"].new_encoder(FRAME))
    scanner.feed(b"x" * len(events))
    assert (scanner.has_content, scanner.is_finished) == (has_content, is_finished)


def test_a_failure_needs_an_end() -> None:
    failure = Failure(FailureKind.OVERLOADED, "busy")
    scanner = TranslatingScanner(Told(*TEXT, Failed(failure)), CODECS["chat"].new_encoder(FRAME))
    scanner.feed(b"x" * 6)
    assert (scanner.failure, scanner.is_finished) == (failure, False)


def test_a_gathered_answer_comes_whole_and_until_then_can_be_had_elsewhere() -> None:
    scanner = GatheringScanner(Told(*TEXT), lambda events: b"%d events" % len(events))
    assert (scanner.feed(b"xxxx"), scanner.has_content, scanner.content_events) == (b"", False, 1)
    assert (scanner.feed(b"x"), scanner.is_finished, scanner.finish()) == (b"5 events", True, b"")
