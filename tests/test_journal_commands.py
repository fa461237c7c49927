from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.commands import explain, usage
from proxy.journal.records import ExchangeRecord, Status
from proxy.journal.sqlite import SqliteStore
from routing.types import Usage
from tests.journal_samples import attempt, exchange, in_rows, refused


def journal(path: Path, *records: ExchangeRecord) -> Path:
    async def write() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.write(in_rows(records))
        await store.close()

    asyncio.run(write())
    return path


def now(number: int, **changes: Any) -> ExchangeRecord:
    return exchange(number, started_at=time.time() - 60 + number, **changes)


def run(command: Any, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(command.COMMAND, list(arguments), env={"DONUT_CONFIG": None, "COLUMNS": "200", **environ})


def test_usage_for_people_shows_estimates_and_unknown_prices_as_such(tmp_path: Path) -> None:
    estimated = attempt(usage=Usage(input_uncached=7777, output=33, reported=False), cost_usd=0.5)
    path = journal(
        tmp_path / "j.db",
        now(1),
        now(2, logical_model_id="guessed", attempts=[estimated]),
        now(3, logical_model_id="unpriced", attempts=[attempt(cost_usd=None)]),
    )
    result = run(usage, "--journal", str(path))
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert {"~input", "~output", "cost"} <= set(lines["model"])
    assert "$0.0123" in lines["qwen3-coder-30b"]
    assert {"7,777", "~$0.5000"} <= set(lines["guessed"])
    assert "?" in lines["unpriced"]
    assert {"3", "200", "7,777", "~$0.5123", "+"} <= set(lines["total"])


def test_usage_for_programs_is_one_object(tmp_path: Path) -> None:
    path = journal(tmp_path / "j.db", now(1), now(2, status=Status.CLIENT_GONE))
    result = run(usage, "--json", "--by", "status", "--journal", f"sqlite:///{path}")
    answer = json.loads(result.stdout)
    assert list(answer) == ["since", "until", "by", "journal", "rows", "totals"]
    assert (answer["by"], answer["journal"]) == ("status", str(path))
    assert [row["key"] for row in answer["rows"]] == ["client_gone", "ok"]
    assert set(answer["totals"]) == set(answer["rows"][0]) - {"key"}
    assert (answer["totals"]["exchanges"], answer["totals"]["cost_usd"], answer["totals"]["ttft_avg_ms"]) == (2, 0.0246, 250.0)


def test_usage_before_the_first_request(tmp_path: Path) -> None:
    path = tmp_path / "none" / "j.db"
    result = run(usage, "--journal", str(path))
    assert result.exit_code == 0
    assert f"no journal yet at {path}" in result.stdout
    answer = json.loads(run(usage, "--json", "--journal", str(path)).stdout)
    assert (answer["rows"], answer["totals"]["exchanges"], answer["totals"]["cost_usd"]) == ([], 0, 0)
    assert not path.parent.exists()


def test_usage_of_a_period(tmp_path: Path) -> None:
    path = journal(tmp_path / "j.db", exchange(0), exchange(86_400), now(1))

    def count(*period: str) -> int:
        exchanges = json.loads(run(usage, "--json", "--journal", str(path), *period).stdout)["totals"]["exchanges"]
        assert isinstance(exchanges, int)
        return exchanges

    assert count() == 1
    assert count("--since", "2026-11-01", "--until", "2026-11-02") == 1
    assert count("--since", "2026-11-01", "--until", "2026-11-03") == 2
    assert count("--since", "2026-11-01T01:00:00+01:00", "--until", "2026-11-01T00:00:01Z") == 1
    assert "Nothing between" in run(usage, "--journal", str(path), "--since", "2001-01-01", "--until", "2002-01-01").stdout


@pytest.mark.parametrize("period", [("--since", "yesterday"), ("--since", "1h", "--until", "2h"), ("--by", "mood")])
def test_usage_says_what_it_does_not_understand(tmp_path: Path, period: tuple[str, ...]) -> None:
    result = run(usage, "--journal", str(tmp_path / "j.db"), *period)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_usage_while_a_server_writes(tmp_path: Path) -> None:
    path = journal(tmp_path / "j.db", now(1))
    server = sqlite3.connect(path, isolation_level=None)
    server.execute("BEGIN EXCLUSIVE")
    assert json.loads(run(usage, "--json", "--journal", str(path)).stdout)["totals"]["exchanges"] == 1
    server.close()


def test_a_journal_that_can_not_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_text("not a database at all" * 100)
    for command, arguments in ((usage, ()), (explain, ("d1",))):
        result = run(command, *arguments, "--journal", str(tmp_path / "j.db"))
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "not a database" in result.stderr


def test_the_config_says_where_the_journal_is(tmp_path: Path) -> None:
    path = journal(tmp_path / "mine.db", now(1))
    config = tmp_path / "donut.yaml"
    # The keys of providers are not in this environment: no reason not to know what was spent.
    config.write_text(f"state: {{journal: 'sqlite:///{path}'}}\nproviders:\n  - {{id: x, kind: openai, api_key: '${{NOT_SET_HERE}}'}}\n")
    assert json.loads(run(usage, "--json", "--config", str(config)).stdout)["journal"] == str(path)
    assert json.loads(run(usage, "--json", DONUT_CONFIG=str(config)).stdout)["journal"] == str(path)
    config.write_text("server: {port: 1}\n")
    answer = json.loads(run(usage, "--json", "--config", str(config), DONUT_DATA=str(tmp_path / "data")).stdout)
    assert answer["journal"] == str(tmp_path / "data" / "donut.db")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state: {journal: 'postgresql://u:hunter2@h'}", "names no database"),
        ("state: {journal: '${NOT_SET_HERE}'}", "use --journal"),
        ("state: [", "donut.yaml"),
        (None, "No such file"),
    ],
)
def test_a_config_that_does_not_say_it_is_an_error_in_words(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "donut.yaml").write_text(text)
    result = run(usage, "--config", str(tmp_path / "donut.yaml"))
    assert result.exit_code == 1
    assert words in result.stderr
    assert "hunter2" not in result.output


def test_another_scheme_is_refused_without_its_password(tmp_path: Path) -> None:
    result = run(usage, "--journal", "mysql://u:hunter2@h/db")
    assert result.exit_code == 2
    assert "hunter2" not in result.output


def test_explain_tells_the_whole_story(tmp_path: Path) -> None:
    failed = attempt(1, status=Status.UPSTREAM_ERROR, failure_kind="overloaded", failure_message="busy", upstream_status=503, usage=None)
    guessed = attempt(2, usage=Usage(input_uncached=7777, output=33, reported=False), cost_usd=None, connection_reused=False)
    path = journal(tmp_path / "j.db", exchange(1), exchange(2, attempts=[failed, guessed]), refused(3))
    text = run(explain, "r000002", "--journal", str(path)).stdout
    for words in (
        "d000002 (request id r000002), 2026-11-01T00:00:02Z",
        "auto by codex with key laptop, chat, streamed, ~80 input tokens, mid code",
        "ok, HTTP 200 from box/up in 2.50 s; 111 bytes in, 222 bytes out",
        "box/up: local and fast",
        "it answers fastest",
        "a probe is due",
        "3 failures in a row",
        "upstream_error, HTTP 503, overloaded: busy",
        "~7,777",
        "250.0 ms",
        "× 2",
    ):
        assert words in text
    last = run(explain, "last", "--journal", str(path)).stdout
    assert "model_not_found: nothing serves nonsense" in last


def test_explain_for_programs(tmp_path: Path) -> None:
    path = journal(tmp_path / "j.db", exchange(1))
    answer = json.loads(run(explain, "d000001", "--json", "--journal", str(path)).stdout)
    assert answer["decision"]["rejected_candidates"][0]["reason"] == "ejected"
    assert answer["attempts"][0]["reported"]["output"] == 40


def test_explain_does_not_let_a_client_write_on_the_terminal(tmp_path: Path) -> None:
    path = journal(tmp_path / "j.db", exchange(1, requested_model="\x1b[31mred\x07 [bold]b[/bold]"))
    text = run(explain, "d000001", "--journal", str(path)).stdout
    assert "\x1b" not in text
    assert "[bold]b[/bold]" in text


def test_explain_of_nothing(tmp_path: Path) -> None:
    missing = run(explain, "x", "--journal", str(tmp_path / "j.db"))
    assert (missing.exit_code, "no journal yet" in missing.stderr) == (1, True)
    unknown = run(explain, "x", "--journal", str(journal(tmp_path / "j.db")))
    assert (unknown.exit_code, "no exchange 'x'" in unknown.stderr) == (1, True)
    assert "no exchange 'last'" in run(explain, "last", "--journal", str(tmp_path / "j.db")).stderr
