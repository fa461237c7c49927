"""`donut classify`: what requests ask for, without a server: JSON lines in, tier, use case and difficulty out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import click
import orjson

from config.classifier import load_classifier
from providers.dialects.excerpts import chat_excerpt, completions_excerpt, embeddings_excerpt
from routing.classify.classifier import Classifier
from routing.classify.excerpt import Excerpt
from routing.classify.profile import BALANCED, Profile

HELP = """Read requests, one JSON object per line; write what each asks for, one JSON object per line, in the same order.

Nothing is sent anywhere and no config is read: this is the classifier that a server uses for `auto`, with the shipped weights.

\b
In:   {"id", "messages", "tools"?, "endpoint"?, "input"?}
      The body of a chat completion with an id. For embeddings: "endpoint": "/v1/embeddings" and "input".
Out:  {"id", "tier", "use_case", "score", "latency_us"}
      tier      micro, small, mid, frontier
      use_case  chat, code, search, embed, vision
      score     difficulty from 0 to 1: higher = rather the strong model
With --explain also role, chore, objective, confidence and reasons.

\b
Examples:
  echo '{"id": "1", "messages": [{"role": "user", "content": "Prove that e is irrational."}]}' | donut classify --explain
  donut classify < requests.jsonl | jq -r '[.id, .tier] | @tsv'
  donut classify --profile strong < requests.jsonl

A line that is no request is reported on stderr with its number and has no answer; the others have theirs.

\b
Exit codes: 0 every line was classified, 1 some were no requests, 2 wrong usage.
"""


class NotARequestError(ValueError):
    """A line that cannot be classified; `str()` says what is wrong and what would be right."""


@click.command("classify", help=HELP)
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=BALANCED.value,
    show_default=True,
    help="How readily a dearer tier is chosen.",
)
@click.option("--explain", is_flag=True, help="Add role, chore, objective, confidence and reasons.")
def classify(*, profile: str, explain: bool) -> None:
    classifier = load_classifier(Profile(profile))
    out = sys.stdout.buffer
    wrong = 0
    for number, line in _lines(sys.stdin.buffer):
        try:
            answer = classified(classifier, line, explain=explain)
        except NotARequestError as error:
            wrong += 1
            click.echo(f"donut classify: line {number}: {error}", err=True)
            continue
        out.write(orjson.dumps(answer) + b"\n")
        # A program that asks line by line waits for each answer.
        out.flush()
    if wrong:
        raise SystemExit(1)


COMMAND = classify


def classified(classifier: Classifier, line: bytes, *, explain: bool = False) -> dict[str, Any]:
    """The answer to one line. Raises NotARequestError."""
    request = _request(line)
    began = time.perf_counter()
    found = classifier.classify(excerpt_of(request))
    latency_us = (time.perf_counter() - began) * 1e6
    answer: dict[str, Any] = {
        "id": request["id"],
        "tier": found.tier,
        "use_case": found.use_case,
        "score": round(found.difficulty, 6),
        "latency_us": round(latency_us, 1),
    }
    if explain:
        answer |= {
            "role": found.role,
            "chore": found.chore,
            "objective": found.objective,
            "confidence": round(found.confidence, 3),
            "reasons": found.reasons,
        }
    return answer


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers from 1."""
    for number, line in enumerate(stream, 1):
        if line.strip():
            yield number, line


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NotARequestError(f"not JSON ({error})") from error
    if not isinstance(request, dict):
        raise NotARequestError("not a JSON object")
    if not isinstance(request.get("id"), str | int):
        raise NotARequestError('it needs an "id" (a string)')
    if not isinstance(request.get("messages"), list) and "input" not in request and "prompt" not in request:
        raise NotARequestError('it needs "messages" (a list), or "input" for an embedding')
    return request


def excerpt_of(request: dict[str, Any]) -> Excerpt:
    """What the classifier sees of `request`: by the endpoint, as a path or a dialect's name; without one by what is there."""
    endpoint = str(request.get("endpoint") or "").rstrip("/").rpartition("/")[2]
    has_messages = isinstance(request.get("messages"), list)
    if endpoint == "embeddings" or (not endpoint and not has_messages and "input" in request):
        return embeddings_excerpt(request)
    if not has_messages and "prompt" in request:
        return completions_excerpt(request)
    if not has_messages:
        # The responses API says `input`: a text, or messages.
        content = request.get("input")
        request = request | {"messages": content if isinstance(content, list) else [{"role": "user", "content": content}]}
    return chat_excerpt(request)
