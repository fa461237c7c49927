"""What holds for every codec and between any two. A new one is picked up by itself and needs only a grammar in tests/grammar.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.codecs import Codec
from providers.codecs.conversation import Conversation, Thinking, Tool
from providers.codecs.events import BlockKind, BlockStarted, Event, Failed, Finished, FinishReason
from providers.codecs.translate import TranslatingScanner
from routing.facts import Failure, FailureKind
from tests.grammar import GRAMMARS
from tests.streams import RECORDINGS
from tests.translating import (
    CODECS,
    FRAME,
    MODEL,
    Gist,
    answers,
    conversations,
    cut,
    decoded,
    encoded,
    essence,
    gist,
    reason_of,
    through_json,
)

EVERY_CODEC = pytest.mark.parametrize("name", CODECS)
EVERY_DIRECTION = pytest.mark.parametrize(("upstream", "downstream"), list(product(CODECS, CODECS)))
CUTS = st.lists(st.integers(0, 4000), max_size=8)

UNSAID = {
    "chat": frozenset[str](),
    "responses": frozenset({"stop", "seed"}),
    "messages": frozenset({"seed", "temperature", "top_p"}),
    "gemini": frozenset({"parallel_tool_calls", "user"}),
}
"""Members that a format has no word for; Anthropic's newest models refuse the sampling ones. test_codec_losses.py: their loss is told."""


def test_every_codec_has_a_grammar() -> None:
    assert CODECS.keys() == GRAMMARS.keys() == UNSAID.keys()


# Requests


@EVERY_CODEC
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_what_all_formats_can_say_comes_back(name: str, data: st.DataObject) -> None:
    conversation = data.draw(conversations(UNSAID[name]))
    before = essence(conversation)
    body = through_json(CODECS[name].encode(conversation, MODEL[name]))
    assert essence(CODECS[name].parse(body)) == before
    assert essence(conversation) == before, "an encoder runs again for the next replica"
    assert conversation.losses == []


@EVERY_DIRECTION
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_it_comes_through_two_formats(upstream: str, downstream: str, data: st.DataObject) -> None:
    """A client's request in one format, what donut makes of it in another."""
    conversation = data.draw(conversations(UNSAID[upstream] | UNSAID[downstream]))
    asked = CODECS[downstream].parse(through_json(CODECS[downstream].encode(conversation, MODEL[downstream])))
    got = CODECS[upstream].parse(through_json(CODECS[upstream].encode(asked, MODEL[upstream])))
    assert essence(got) == essence(conversation)
    assert {loss.what for loss in asked.losses} <= {"cache_control"}, "which the messages codec asks for by itself"


# Streams


def seen(codec: Codec, pieces: Iterable[bytes]) -> Gist:
    return gist(decoded(codec, pieces))


@EVERY_CODEC
@settings(max_examples=50, deadline=None)
@given(answer=answers(), at=CUTS)
def test_a_stream_comes_back_in_any_split(name: str, answer: list[Event], at: list[int]) -> None:
    stream = encoded(CODECS[name], answer)
    GRAMMARS[name](stream)
    whole = decoded(CODECS[name], [stream])
    assert gist(whole) == gist(answer)
    assert decoded(CODECS[name], cut(stream, at)) == whole


@EVERY_CODEC
@settings(max_examples=25, deadline=None)
@given(answer=answers())
def test_all_at_once_says_what_it_says_one_by_one(name: str, answer: list[Event]) -> None:
    at_once = CODECS[name].new_encoder(FRAME).encode(answer)
    GRAMMARS[name](at_once)
    assert seen(CODECS[name], [at_once]) == gist(answer)


@EVERY_CODEC
@settings(max_examples=25, deadline=None)
@given(answer=answers())
def test_a_whole_answer_says_what_its_stream_says(name: str, answer: list[Event]) -> None:
    body = through_json(CODECS[name].encode_answer(answer, FRAME))
    assert gist(CODECS[name].decode_answer(body)) == gist(answer)


@EVERY_DIRECTION
@settings(max_examples=20, deadline=None)
@given(answer=answers(), at=CUTS)
def test_every_direction(upstream: str, downstream: str, answer: list[Event], at: list[int]) -> None:
    """An upstream's bytes, in any split, through the relay's scanner, to the client's bytes: the same answer, usage included."""
    scanner = TranslatingScanner(CODECS[upstream].new_decoder(), CODECS[downstream].new_encoder(FRAME))
    out = [scanner.feed(piece) for piece in cut(encoded(CODECS[upstream], answer), at)] + [scanner.finish()]
    assert scanner.is_finished
    assert scanner.has_content
    assert scanner.usage is not None
    stream = b"".join(out)
    GRAMMARS[downstream](stream)
    told = seen(CODECS[downstream], [stream])
    assert told == gist(answer)
    assert (scanner.usage.input, scanner.usage.output) == (told.input_tokens, told.output_tokens)


@EVERY_DIRECTION
@settings(max_examples=12, deadline=None)
@given(answer=answers())
def test_every_direction_of_whole_answers(upstream: str, downstream: str, answer: list[Event]) -> None:
    events = CODECS[upstream].decode_answer(through_json(CODECS[upstream].encode_answer(answer, FRAME)))
    told = CODECS[downstream].decode_answer(through_json(CODECS[downstream].encode_answer(events, FRAME)))
    assert gist(told) == gist(answer)


@EVERY_DIRECTION
@settings(max_examples=12, deadline=None)
@given(answer=answers(), share=st.floats(0, 1))
def test_a_stream_that_is_cut_never_looks_finished(upstream: str, downstream: str, answer: list[Event], share: float) -> None:
    """Up to the event that says why it ended; what comes behind that one (usage, `[DONE]`) may be missing."""
    stream = encoded(CODECS[upstream], answer[:-1])
    scanner = TranslatingScanner(CODECS[upstream].new_decoder(), CODECS[downstream].new_encoder(FRAME))
    out = scanner.feed(stream[: int(len(stream) * share)]) + scanner.finish()
    assert not scanner.is_finished
    assert reason_of(decoded(CODECS[downstream], [out])) is None


@EVERY_DIRECTION
@settings(max_examples=12, deadline=None)
@given(answer=answers(), at=st.integers(0, 12))
def test_a_failure_is_the_end(upstream: str, downstream: str, answer: list[Event], at: int) -> None:
    """What an upstream says of itself in the middle of a stream is told in the client's words, and nothing behind it."""
    failed = Failed(Failure(FailureKind.OVERLOADED, "too many donuts"))
    events = [*answer[: min(at, len(answer) - 1)], failed, *answer[-1:]]
    scanner = TranslatingScanner(CODECS[upstream].new_decoder(), CODECS[downstream].new_encoder(FRAME))
    out = scanner.feed(encoded(CODECS[upstream], events)) + scanner.finish()
    assert scanner.failure is not None
    assert scanner.failure.message == "too many donuts"
    assert not scanner.is_finished
    told = decoded(CODECS[downstream], [out])
    assert isinstance(told[-1], Failed)
    assert told[-1].failure.message == "too many donuts"
    assert not any(isinstance(event, Finished) for event in told)


@EVERY_CODEC
@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=80), at=CUTS)
def test_any_bytes_raise_nothing(name: str, data: bytes, at: list[int]) -> None:
    assert decoded(CODECS[name], cut(data, at)) == decoded(CODECS[name], [data])


@EVERY_CODEC
@pytest.mark.parametrize("reason", FinishReason)
def test_every_reason_has_a_word(name: str, reason: FinishReason) -> None:
    assert reason_of(decoded(CODECS[name], [encoded(CODECS[name], [Finished(reason)])])) is not None


RECORDED = [(path.parent.name, path.name) for path in sorted(RECORDINGS.glob("*/*.sse")) if path.parent.name in CODECS]


@pytest.mark.parametrize(("folder", "file"), RECORDED)
def test_recordings_in_every_split(folder: str, file: str) -> None:
    stream = (RECORDINGS / folder / file).read_bytes()
    assert decoded(CODECS[folder], [stream[at : at + 1] for at in range(len(stream))]) == decoded(CODECS[folder], [stream])


@pytest.mark.parametrize(("folder", "file"), RECORDED)
@pytest.mark.parametrize("downstream", CODECS)
def test_recordings_in_every_direction(folder: str, file: str, downstream: str) -> None:
    """What real servers sent, told in every format: nobody gets more or less of it."""
    events = decoded(CODECS[folder], [(RECORDINGS / folder / file).read_bytes()])
    calls = [event for event in events if isinstance(event, BlockStarted) and event.kind is BlockKind.TOOL_CALL]
    if downstream != "responses" and any(call.call_kind != "function" or call.namespace for call in calls):
        return  # calls of tools that a client of this format cannot have declared
    tools = {Tool(call.name or "", kind=call.call_kind, namespace=call.namespace) for call in calls}
    out = encoded(
        CODECS[downstream], events, replace(FRAME, conversation=Conversation([], tools=tuple(tools), thinking=Thinking(show=True)))
    )
    told, original = seen(CODECS[downstream], [out]), gist(events)
    if original.reason is None:
        assert told.reason is None
        return
    GRAMMARS[downstream](out)
    assert [call[1:] for call in told.calls] == [call[1:] for call in original.calls]
    assert (told.input_tokens, told.output_tokens) == (original.input_tokens, original.output_tokens)
    assert (told.reasoning, told.text) == (original.reasoning, original.text)
