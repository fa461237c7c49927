from __future__ import annotations

import dataclasses
import resource
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from proxy.journal.records import Status
from proxy.journal.spill import import_spills, read_spill, write_spill
from proxy.journal.sqlite import SqliteStore
from proxy.story import as_journaled
from routing.facts import FailureKind
from routing.types import ModelTier, Usage
from tests.journal_samples import attempt, decided, exchange, in_rows, refused


def test_records_come_back_as_they_went(tmp_path: Path) -> None:
    records = [
        exchange(1, status=Status.CLIENT_GONE, attempts=[attempt(usage=None), attempt(2, usage=Usage(output=3, reported=False))]),
        refused(2),
        exchange(3, attempts=[attempt(status=Status.UPSTREAM_ERROR, failure_kind=FailureKind.CUT, cost_usd=None)]),
    ]
    file, count = write_spill(tmp_path / "j.db", in_rows(records))
    assert count == 3
    assert list(read_spill(file)) == records


def test_a_decision_comes_back_with_the_figures_that_it_shared_and_the_summary_that_no_row_has(tmp_path: Path) -> None:
    record = decided(1)
    file, _ = write_spill(tmp_path / "j.db", in_rows([record]))
    (back,) = read_spill(file)
    assert back.summary == record.summary
    assert as_journaled(back) == as_journaled(record)
    assert in_rows([back])[0].exchange == in_rows([record])[0].exchange


def test_a_decision_with_odd_values_is_written_in_words(tmp_path: Path) -> None:
    record = decided(1)
    assert record.decision is not None
    record.decision["notes"] = [Path("/x")]
    file, _ = write_spill(tmp_path / "j.db", in_rows([record]))
    (back,) = read_spill(file)
    assert as_journaled(back)["decision"]["notes"] == ["/x"]
    assert as_journaled(back)["decision"]["candidates"] == as_journaled(decided(1))["decision"]["candidates"]


def test_only_the_owner_can_read_it_and_no_half_of_it_is_left(tmp_path: Path) -> None:
    file, _ = write_spill(tmp_path / "j.db", in_rows([exchange()]))
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_two_spills_of_one_process_are_two_files(tmp_path: Path) -> None:
    assert write_spill(tmp_path / "j.db", in_rows([exchange(1)]))[0] != write_spill(tmp_path / "j.db", in_rows([exchange(2)]))[0]


def test_odd_values_are_written_in_words(tmp_path: Path) -> None:
    odd = exchange(1, requested_model="gpt-\ud800", tier=ModelTier.MID, decision={"at": {1: Path("/x")}})
    file, _ = write_spill(tmp_path / "j.db", in_rows([odd]))
    (back,) = read_spill(file)
    assert (back.requested_model, back.decision, back.tier) == ("gpt-?", {"at": {"1": "/x"}}, "mid")
    assert back.attempts == odd.attempts


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    file, _ = write_spill(tmp_path / "j.db", in_rows([exchange(n) for n in range(3)]))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b'{"id": "x"}\n[]\n' + lines[1] + lines[2][:100])
    with capture_logs() as logs:
        assert [record.id for record in read_spill(file)] == ["d000000", "d000001"]
    assert [line["line"] for line in logs] == [2, 3, 5]


def test_a_full_disk_keeps_what_fits(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        file, count = write_spill(tmp_path / "j.db", in_rows([exchange(n) for n in range(500)]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 0 < count < 500
    with capture_logs():
        assert [record.id for record in read_spill(file)] == [f"d{n:06d}" for n in range(count)]


def test_a_line_with_a_field_that_no_record_has_is_skipped(tmp_path: Path) -> None:
    file, _ = write_spill(tmp_path / "j.db", in_rows([exchange(1), refused(2)]))
    file.write_bytes(file.read_bytes().replace(b'"harness"', b'"harnass"', 1))
    with capture_logs() as logs:
        assert list(read_spill(file)) == [refused(2)]
    assert [line["why"] for line in logs] == ["harnass is no field of ExchangeRecord"]


def test_no_folder_no_spill(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_spill(tmp_path / "gone" / "j.db", in_rows([exchange()]))


async def test_lines_of_an_older_donut_are_imported(tmp_path: Path) -> None:
    """Lines used to be written from the record: with its `last_decision`, and a usage that no column has all of."""
    records = [exchange(1, attempts=[attempt(failure_kind=FailureKind.CUT), attempt(2, usage=Usage(7, reported=False))]), refused(2)]
    lines = [dataclasses.asdict(record) for record in records]
    for line, record in zip(lines, records, strict=True):
        for fields, tried in zip(line["attempts"], record.attempts, strict=True):
            fields["usage"] = tried.usage._asdict() if tried.usage is not None else None
    assert {"last_decision", "attempts"} <= lines[0].keys()
    assert "cache_write_1h" in lines[0]["attempts"][0]["usage"]
    (tmp_path / "j.db.spill-1-1.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    assert await import_spills(tmp_path / "j.db", store) == 2
    assert await store.exchange("d000001") == as_journaled(records[0])
    assert await store.exchange("d000002") == as_journaled(records[1])
    await store.close()


async def test_an_import_is_complete_and_leaves_the_files_of_others_alone(tmp_path: Path) -> None:
    path = tmp_path / "j[1]*.db"
    store = SqliteStore(path)
    await store.open()
    await store.write(in_rows([exchange(0)]))
    write_spill(path, in_rows([exchange(n) for n in range(700)]))
    write_spill(path, in_rows([refused(700)]))
    foreign, _ = write_spill(tmp_path / "j1.db", in_rows([exchange(800)]))
    assert await import_spills(path, store) == 701
    assert await import_spills(path, store) == 0
    assert len(await store.recent(1000)) == 701
    assert list(tmp_path.glob("*.jsonl")) == [foreign]
    await store.close()
