"""JSONL files that several programs write: whole lines beside others, torn ones survived, nothing read twice."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import _jsonl
from providers.adapters._jsonl import Tail, append, parse_lines

ROOT = Path(__file__).resolve().parent.parent

# What thegent does: open("a"), one write, close. No lock.
OTHER_WRITER = """
import json, sys
from pathlib import Path
path, name = Path(sys.argv[1]), sys.argv[2]
for number in range(200):
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"who": name, "n": number, "pad": "x" * 300}) + "\\n")
"""

# A file system that takes 1000 bytes of this process's files and no more: what a full disk looks like.
FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from providers.adapters._jsonl import append
path = Path(sys.argv[1])
append(path, [{"n": 1}])
try:
    append(path, [{"pad": "x" * 2000}])
except OSError as error:
    print("refused", error)
"""


def written(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_lines_are_appended_whole_beside_other_writers(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl"
    others = [subprocess.Popen([sys.executable, "-c", OTHER_WRITER, str(path), name]) for name in ("a", "b")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: append(path, [{"who": "donut", "n": number}, {"who": "donut", "n": -number}]), range(1, 101)))
    assert [other.wait(60) for other in others] == [0, 0]
    values = written(path)
    assert len(values) == 600
    assert sorted(value["n"] for value in values if value["who"] == "donut") == sorted([*range(1, 101), *range(-100, 0)])


def test_a_line_that_somebody_left_torn_spoils_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2, "te')
    append(path, [{"n": 3}])
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2, "te\n{"n":3}\n'
    assert Tail(path).read() == ([{"n": 1}, {"n": 3}], 1)


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.jsonl"
    append(path, [])
    assert not path.exists()
    append(path, [{"n": 1}])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_renamed_while_we_wait_for_the_lock_is_left_alone(tmp_path: Path) -> None:
    path, rotated = tmp_path / "log.jsonl", tmp_path / "log.jsonl.1"
    path.write_bytes(b"")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(target=append, args=(path, [{"n": 1}]))
        writer.start()
        path.rename(rotated)
    writer.join(10)
    assert (rotated.read_bytes(), path.read_bytes()) == (b"", b'{"n":1}\n')


def test_a_writer_that_does_not_let_go_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "stuck.jsonl"
    path.write_bytes(b"")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="is locked by another program"):
            append(path, [{"n": 1}], lock_s=0.05)
    assert path.read_bytes() == b""


def test_half_a_line_on_a_full_disk_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "full.jsonl"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("refused")
    assert written(path) == [{"n": 1}]


def test_only_whole_lines_are_read_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "tail.jsonl"
    tail = Tail(path)
    assert tail.read() == ([], 0)
    path.write_bytes(b'{"n": 1}\n{"n"')
    assert tail.read() == ([{"n": 1}], 0)
    assert tail.read() == ([], 0)
    with path.open("ab") as file:
        file.write(b': 2}\n\nnonsense\n{"n": 3}\n')
    assert tail.read() == ([{"n": 2}, {"n": 3}], 1)


def test_a_file_that_was_emptied_or_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path, other = tmp_path / "tail.jsonl", tmp_path / "other"
    path.write_bytes(b'{"n": 1}\n{"n": 2}\n')
    tail = Tail(path, from_end=True)
    assert tail.read() == ([], 0)
    path.write_bytes(b'{"n": 3}\n')
    assert tail.read() == ([{"n": 3}], 0)
    other.write_bytes(b'{"n": 4}\n{"n": 5}\n{"n": 6}\n')
    other.replace(path)
    assert tail.read() == ([{"n": 4}, {"n": 5}, {"n": 6}], 0)


def test_a_line_without_end_costs_no_memory_and_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jsonl, "READ_BYTES", 4096)
    monkeypatch.setattr(_jsonl, "LINE_BYTES", 1024)
    path = tmp_path / "long.jsonl"
    path.write_bytes(b'{"n": 1}\n' + b"x" * 20_000 + b'\n{"n": 2}\n')
    tail = Tail(path)
    reads = [tail.read() for _ in range(7)]
    assert [value for read in reads for value in read.values] == [{"n": 1}, {"n": 2}]
    assert sum(read.skipped for read in reads) == 1


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5), max_size=3), max_size=8), st.data())
def test_whatever_comes_in_pieces_is_read_once_and_in_order(values: list[dict[str, object]], data: st.DataObject) -> None:
    whole = b"".join(orjson.dumps(value) + b"\n" for value in values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    tail, read = Tail(Path("unused")), []
    position = 0
    for cut in [*cuts, len(whole)]:
        step = tail._take(whole[position:cut])
        read += step.values
        position = tail._offset
    assert read == values


def test_empty_lines_are_nothing() -> None:
    assert parse_lines([b"", b"  ", b"1", b"{"]) == ([1], 1)
