"""`donut explain`: why one request went where it went, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from config.commands._decision import decision_facts, print_facts, print_tables, seconds
from config.commands._journal import ask, console, find_journal, journal_options, money
from config.commands._when import iso
from proxy.journal.answers import Answers
from proxy.story import whole

_HELP = """
Tell one request's story from the journal: what was asked, what was decided and why, every try, tokens and cost.

ID is what the response header x-donut-decision says (x-request-id works too); `last` is the newest request.

\b
  donut explain last
  donut explain 0193f2a7c41d-8b21
  donut explain last --json | jq .decision.rejected_candidates
  donut explain last --json | jq .events

A running server tells the same at GET /api/routing/decisions/ID. In the table of candidates a factor's heading holds its weight:
score = the sum of weight × factor. A factor of weight 0 is shown and has no vote.

Tokens with ~ were estimated by donut; without, the upstream reported them. A price that is not known is shown as ?.
Prompts and answers are not in the journal.
"""


@click.command("explain", help=_HELP, short_help="Why one request went where it went.")
@click.argument("exchange_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the exchange as one JSON object, for programs.")
@journal_options
def explain(exchange_id: str, as_json: bool, config_file: Path | None, journal: str | None) -> None:
    place = find_journal(journal, config_file)
    if not place.exists():
        raise click.ClickException(f"there is no journal yet at {place}: `donut serve` makes it with the first request")

    async def find(reader: Answers) -> dict[str, Any] | None:
        newest = await reader.recent(1) if exchange_id == "last" else []
        return await reader.exchange(newest[0]["id"] if newest else exchange_id)

    exchange = ask(place, find)
    if exchange is None:
        raise click.ClickException(f"no exchange {exchange_id!r} in {place}: is it the x-donut-decision of an answer, and recent?")
    if as_json:
        click.echo(orjson.dumps(whole(exchange), option=orjson.OPT_INDENT_2))
    else:
        _print(exchange, console())


COMMAND = explain


def _print(exchange: dict[str, Any], out: Console) -> None:
    decision = exchange["decision"] or {}
    print_facts(_facts(exchange), out)
    print_facts(decision_facts(decision), out)
    for attempt in exchange["attempts"]:
        print_facts(_attempt_facts(attempt), out)
    print_tables(decision, out)


def _facts(exchange: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The exchange in labelled lines."""
    request = f" (request id {exchange['request_id']})" if exchange["request_id"] != exchange["id"] else ""
    yield "exchange", f"{exchange['id']}{request}, {iso(exchange['started_at'])}"
    key = f" with key {exchange['client_key']}" if exchange["client_key"] else ""
    how = "streamed" if exchange["stream"] else "in one piece"
    needs = [word for word in (exchange["tier"], exchange["use_case"]) if word]
    yield (
        "asked",
        f"{exchange['requested_model']} by {exchange['harness']}{key}, {exchange['dialect']}, {how}, "
        f"~{exchange['input_tokens_estimated']:,} input tokens{', ' if needs else ''}{' '.join(needs)}",
    )
    where = f" from {exchange['replica_id']}" if exchange["replica_id"] else ""
    yield (
        "outcome",
        f"{exchange['status']}, HTTP {exchange['http_status']}{where} in {seconds(exchange['total_s'])}; "
        f"{exchange['bytes_in']:,} bytes in, {exchange['bytes_out']:,} bytes out",
    )
    if exchange["error_code"] or exchange["error_message"]:
        yield "error", f"{exchange['error_code']}: {exchange['error_message']}"
    if exchange["summary"]:
        yield "decision", exchange["summary"]


def _attempt_facts(attempt: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """One try in labelled lines: a table of all this would need 160 columns."""
    yield f"attempt {attempt['number']}", f"{attempt['replica_id']}: {_outcome(attempt)}"
    connected = "reused" if attempt["connection_reused"] else seconds(attempt["connect_s"])
    yield (
        "",
        f"queue {seconds(attempt['queue_s'])}, connection {connected}, first token {seconds(attempt['ttft_s'])}, "
        f"between tokens {seconds(attempt['between_tokens_s'])}, total {seconds(attempt['total_s'])}",
    )
    yield "", _tokens(attempt)


def _outcome(attempt: dict[str, Any]) -> str:
    words = [attempt["status"]]
    if attempt["upstream_status"] is not None:
        words.append(f"HTTP {attempt['upstream_status']}")
    if attempt["failure_kind"]:
        words.append(f"{attempt['failure_kind']}: {attempt['failure_message']}")
    return ", ".join(words)


def _tokens(attempt: dict[str, Any]) -> str:
    """Tokens and cost; `~` before what donut estimated."""
    tokens, mark = (attempt["reported"], "") if attempt["reported"] else (attempt["estimated"], "~")
    if tokens is None:
        return "no tokens"
    total = tokens["input_uncached"] + tokens["cache_read"] + tokens["cache_write"]
    version = f" (price: {attempt['price_version']})" if attempt["price_version"] else ""
    return (
        f"input {mark}{total:,} tokens (cache read {mark}{tokens['cache_read']:,}, cache write {mark}{tokens['cache_write']:,}), "
        f"output {mark}{tokens['output']:,} (reasoning {mark}{tokens['reasoning']:,}), "
        f"cost {money(attempt['cost_usd'], estimated=bool(mark))}{version}"
    )
