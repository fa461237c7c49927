"""`donut explain`: why one request went where it went, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from config.commands._journal import ask, console, find_journal, journal_options, money, shown
from config.commands._when import iso
from proxy.journal.reader import SqliteReader

_HELP = """
Tell one request's story from the journal: what was asked, what was decided and why, every try, tokens and cost.

ID is what the response header x-donut-decision says (x-request-id works too); `last` is the newest request.

\b
  donut explain last
  donut explain 0193f2a7c41d-8b21
  donut explain last --json | jq .decision.rejected_candidates

Tokens with ~ were estimated by donut; without, the upstream reported them. A price that is not known is shown as ?.
Prompts and answers are not in the journal.
"""


@click.command("explain", help=_HELP, short_help="Why one request went where it went.")
@click.argument("exchange_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the exchange as one JSON object, for programs.")
@journal_options
def explain(exchange_id: str, as_json: bool, config_file: Path | None, journal: str | None) -> None:
    path = find_journal(journal, config_file)
    if not path.exists():
        raise click.ClickException(f"there is no journal yet at {path}: `donut serve` makes it with the first request")

    async def find(reader: SqliteReader) -> dict[str, Any] | None:
        newest = await reader.recent(1) if exchange_id == "last" else []
        return await reader.exchange(newest[0]["id"] if newest else exchange_id)

    exchange = ask(path, find)
    if exchange is None:
        raise click.ClickException(f"no exchange {exchange_id!r} in {path}: is it the x-donut-decision of an answer, and recent?")
    if as_json:
        click.echo(orjson.dumps(exchange, option=orjson.OPT_INDENT_2))
    else:
        _print(exchange, console())


COMMAND = explain


def _print(exchange: dict[str, Any], out: Console) -> None:
    decision = exchange["decision"] or {}
    _print_facts(_facts(exchange), out)
    _print_facts(_decision_facts(decision), out)
    for attempt in exchange["attempts"]:
        _print_facts(_attempt_facts(attempt), out)
    if decision.get("candidates"):
        out.print(_candidates(decision["candidates"], decision.get("weights") or {}))
    if decision.get("rejected_candidates"):
        out.print(_rejected(decision["rejected_candidates"]))


def _print_facts(facts: Iterable[tuple[str, str]], out: Console) -> None:
    for label, text in facts:
        out.print(f"{label:<10} {shown(text)}", soft_wrap=True)


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
        f"{exchange['status']}, HTTP {exchange['http_status']}{where} in {_seconds(exchange['total_s'])}; "
        f"{exchange['bytes_in']:,} bytes in, {exchange['bytes_out']:,} bytes out",
    )
    if exchange["error_code"] or exchange["error_message"]:
        yield "error", f"{exchange['error_code']}: {exchange['error_message']}"
    if exchange["summary"]:
        yield "decision", exchange["summary"]


def _decision_facts(decision: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the summary does not say."""
    target = decision.get("target") or {}
    if target:
        yield "target", f"{target.get('kind')} {target.get('id')}: {target.get('because')}"
    for reason in decision.get("selected_because") or ():
        yield "because", reason
    if decision.get("panic"):
        yield "panic", "every candidate was ejected, the least bad one was chosen anyway"
    if decision.get("spilled_from"):
        yield "spilled", f"from tier {decision['spilled_from']}, in which nobody serves this"
    for note in decision.get("notes") or ():
        yield "note", note
    if decision.get("retry_after_s") is not None:
        yield "retry", f"after {_seconds(decision['retry_after_s'])}"


def _candidates(candidates: Sequence[dict[str, Any]], weights: dict[str, float]) -> Table:
    names = list(dict.fromkeys(name for candidate in candidates for name in candidate.get("factors") or {}))
    table = Table(title="Candidates", title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("replica", overflow="fold")
    table.add_column("score", justify="right")
    for name in names:
        weight = f"\n× {weights[name]:g}" if name in weights else ""
        table.add_column(shown(name) + weight, justify="right")
    for candidate in candidates:
        factors = candidate.get("factors") or {}
        table.add_row(shown(candidate["replica_id"]), _figure(candidate.get("score")), *(_figure(factors.get(name)) for name in names))
    return table


def _rejected(rejected: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="Rejected", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for heading in ("replica", "reason", "detail", "until"):
        table.add_column(heading, overflow="fold")
    for reject in rejected:
        until = reject.get("until")
        moment = iso(until) if isinstance(until, int | float) else until
        table.add_row(*map(shown, (reject["id"], reject["reason"], reject.get("detail") or None, moment)))
    return table


def _attempt_facts(attempt: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """One try in labelled lines: a table of all this would need 160 columns."""
    yield f"attempt {attempt['number']}", f"{attempt['replica_id']}: {_outcome(attempt)}"
    connected = "reused" if attempt["connection_reused"] else _seconds(attempt["connect_s"])
    yield (
        "",
        f"queue {_seconds(attempt['queue_s'])}, connection {connected}, first token {_seconds(attempt['ttft_s'])}, "
        f"between tokens {_seconds(attempt['between_tokens_s'])}, total {_seconds(attempt['total_s'])}",
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


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
