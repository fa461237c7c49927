"""An attempt on a replica that speaks another dialect than the client: the request translated, and a `Dialect` that reads the upstream's
answers and writes the client's, so that the relay need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from providers.codecs import Codec, Frame, UntranslatableError
from providers.codecs.conversation import Conversation, Loss, Reasoning, Role, ToolCall, Turn
from providers.codecs.events import Event, Failed, Finished
from providers.codecs.translate import GatheringScanner, TranslatingScanner
from providers.dialects import AnswerFacts, Ask, BadRequestError, Dialect, StreamScanner
from providers.transport.port import Answer, TransportError
from proxy.downstream import Lines
from proxy.relay import Relay
from routing.facts import Failure, FailureKind
from routing.types import Capability, Dispatch, ModelReplica

JSON = b"application/json"
LOSSES_SHOWN = 12
HELD_BYTES = 16 * 1024 * 1024
"""No model's answer is as large (128,000 tokens are half a megabyte); what is would be held in memory twice."""


class Source(NamedTuple):
    """A client's request, and what its answer will say of itself."""

    dialect: Dialect
    data: dict[str, Any]
    ask: Ask
    answer_id: str
    created_s: int


class Translation(NamedTuple):
    body: list[bytes]
    """For the upstream, until it is taken."""
    dialect: Dialect
    """The client's, but reading what the upstream says."""
    content_type: bytes
    """Of the answer to the client."""
    lost: tuple[Loss, ...]

    def take_body(self) -> bytes:
        """Kept no longer than it takes to send it: a thousand open streams must not hold a thousand prompts."""
        return self.body.pop()

    @property
    def lines(self) -> Lines:
        """Of the answer's head: nothing that the upstream said of its own is true of this one."""
        return b"content-type: %b\r\ncache-control: no-cache\r\n" % self.content_type

    @property
    def lost_in_words(self) -> str:
        """What the upstream's format could not carry; empty when nothing was lost."""
        more = len(self.lost) - LOSSES_SHOWN
        words = "; ".join(f"{loss.what} ({loss.why})" for loss in self.lost[:LOSSES_SHOWN])
        return f"{words}; and {more} more" if more > 0 else words


def translate(source: Source, upstream: Dialect, replica: ModelReplica) -> Translation:
    """The request for `replica`, in the dialect `upstream`. Raises UntranslatableError where it would come to mean something else."""
    spoken, understood = source.dialect.codec, upstream.codec
    assert spoken is not None, "the gate lets nobody else pass"
    assert understood is not None, "the gate lets nobody else pass"
    ask = source.ask
    if ask.answers > 1:
        raise UntranslatableError(
            f"`n` must be 1: only an upstream that speaks {source.dialect.name} can be asked for {ask.answers} answers", "n"
        )
    try:
        conversation = spoken.parse(source.data)
    except BadRequestError as error:
        raise UntranslatableError(str(error), error.param or "") from error
    _adjust(conversation, ask, replica)
    body = orjson.dumps(understood.encode(conversation, replica.upstream_model))
    frame = Frame(ask.model, source.answer_id, source.created_s, conversation.wants_usage, conversation)
    answers = _Answers(source.dialect, spoken, upstream, understood, frame, ask.stream)
    losses = tuple(conversation.losses)
    # A stream may go on for an hour, and of its prompt nobody needs more than the instructions (Responses echoes them).
    conversation.turns = [turn for turn in conversation.turns if turn.role is Role.SYSTEM]
    return Translation([body], answers.dialect(), ask.stream_type if ask.stream else JSON, losses)


def with_losses(decision: Dispatch, translation: Translation) -> Dispatch:
    """The decision, saying what was lost."""
    if not translation.lost:
        return decision
    evidence = decision.evidence
    return decision._replace(evidence=evidence._replace(notes=(*evidence.notes, f"lost in translation: {translation.lost_in_words}")))


class HoldingRelay(Relay):
    """For answers that have to be whole before any of it can go out."""

    async def _pass_through(self, answer: Answer, data: bytes) -> None:
        pieces, size = [data], len(data)
        while data := await answer.read():
            size += len(data)
            if size > HELD_BYTES:
                raise TransportError(FailureKind.PROTOCOL, f"the answer is too large to be translated: more than {HELD_BYTES >> 20} MiB")
            pieces.append(data)
        await self._reply_in_turn(answer, b"".join(pieces))


def _adjust(conversation: Conversation, ask: Ask, replica: ModelReplica) -> None:
    """What `Dialect.prepare` does for those who speak the same."""
    conversation.stream = ask.stream
    if ask.drop_sealed:
        conversation.turns = [_unsealed(turn) for turn in conversation.turns]
    if conversation.max_tokens is None and "output_tokens" in ask.defaults:
        conversation.max_tokens = int(ask.defaults["output_tokens"])
    if conversation.temperature is None and "temperature" in ask.defaults and not ask.is_for_reasoner:
        conversation.temperature = ask.defaults["temperature"]
    if conversation.thinking is not None and conversation.thinking.enabled and not replica.capability_bits & Capability.REASONING:
        conversation.losses.append(Loss("thinking", "the model does not reason"))
        conversation.thinking = None


def _unsealed(turn: Turn) -> Turn:
    kept = (part for part in turn.parts if not (isinstance(part, Reasoning) and part.seal is not None))
    return turn._replace(parts=tuple(part._replace(seal=None) if isinstance(part, ToolCall) else part for part in kept))


@dataclass(frozen=True, slots=True)
class _Answers:
    """The way back. One per attempt."""

    _client: Dialect
    _spoken: Codec
    _upstream: Dialect
    _understood: Codec
    _frame: Frame
    _stream: bool

    def dialect(self) -> Dialect:
        return replace(self._client, new_scanner=self._new_scanner, read_answer=self._read_answer)

    def _new_scanner(self, ask: Ask) -> StreamScanner:
        del ask
        decoder = self._understood.new_decoder()
        if self._stream:
            return TranslatingScanner(decoder, self._spoken.new_encoder(self._frame), self._client.end_events)
        return GatheringScanner(decoder, self._whole)

    def _whole(self, events: Sequence[Event]) -> bytes:
        return orjson.dumps(self._spoken.encode_answer(events, self._frame))

    def _read_answer(self, body: bytes) -> AnswerFacts:
        facts = self._upstream.read_answer(body)
        if facts.failure is not None:
            return facts
        data: Mapping[str, Any] = orjson.loads(body)  # an object: the upstream's dialect has read it
        events = self._understood.decode_answer(data)
        failed = next((event for event in events if isinstance(event, Failed)), None)
        if failed is not None:
            facts.failure = failed.failure
        elif not any(isinstance(event, Finished) for event in events):
            facts.failure = Failure(FailureKind.PROTOCOL, f"the upstream's answer is none of the dialect {self._upstream.name}")
        elif self._stream:
            facts.body = self._spoken.new_encoder(self._frame).encode(events)
        else:
            facts.body = self._whole(events)
        return facts
