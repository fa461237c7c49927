"""`state:` – which journals and shared states there are, and what is said of the others. No message repeats a password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from config.commands import check
from config.journal_place import configured_place, place_of
from config.state_settings import StateSettings
from proxy.journal.places import PostgresPlace, SqlitePlace, without_password
from proxy.journal.postgres import PostgresReader, PostgresStore

ENVIRON = {"DONUT_DATA": "/data"}


@pytest.mark.parametrize(
    ("field", "url", "words"),
    [
        ("journal", "postgresql://u:hunter2@h", "names no database"),
        ("journal", "postgresql://u:hunter2@h/", "names no database"),
        ("journal", "postgresql://u:hunter2@h:port/db", "is not a URL"),
        ("journal", "postgresql+asyncpg://u:hunter2@h/db", "must be sqlite"),
        ("journal", "mysql://u:hunter2@h/db", "must be sqlite"),
        ("shared", "http://:hunter2@h", "must be redis://"),
        ("shared", "redis://:hunter2@h:port/0", "is not a URL"),
    ],
)
def test_what_is_none_is_refused_without_its_password(field: str, url: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        StateSettings.model_validate({field: url})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "url", "package", "extra"),
    [("journal", "postgresql://u@h/db", "asyncpg", "donut-proxy[postgres]"), ("shared", "redis://h/0", "redis", "donut-proxy[redis]")],
)
def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, field: str, url: str, package: str, extra: str) -> None:
    assert getattr(StateSettings.model_validate({field: url}), field) == url
    monkeypatch.setitem(sys.modules, package, None)  # what Python itself writes there for "not to be found"
    with pytest.raises(ValidationError) as caught:
        StateSettings.model_validate({field: url})
    assert f"pip install '{extra}'" in str(caught.value)


@pytest.mark.parametrize("url", ["rediss://:p@h:6380/1", "unix:///run/redis.sock", "redis://h"])
def test_shared_states(url: str) -> None:
    assert StateSettings(shared=url).shared == url
    assert StateSettings(shared="").shared is None


def test_settings_do_not_show_what_may_hold_a_password() -> None:
    state = StateSettings(journal="postgresql://u:hunter2@h/db", shared="redis://:hunter2@h")
    assert "hunter2" not in repr(state) + str(state)


def test_an_url_is_shown_without_password_and_query() -> None:
    assert without_password("postgresql://u:p%40w@h:5432/db?password=x&sslmode=require") == "postgresql://u@h:5432/db"
    assert without_password("redis://:pw@h:6379/0") == "redis://h:6379/0"


def test_each_journal_has_its_store_its_reader_and_a_place_beside_it() -> None:
    file = configured_place(StateSettings(), ENVIRON)
    assert isinstance(file, SqlitePlace)
    assert (str(file), file.beside) == ("/data/donut.db", Path("/data/donut.db"))
    one, same, other = (place_of(f"postgresql://u:{secret}@h/{name}", ENVIRON) for secret, name in (("a", "x"), ("b", "x"), ("a", "y")))
    assert isinstance(one, PostgresPlace)
    assert str(one) == "postgresql://u@h/x"
    assert one.beside == same.beside != other.beside
    assert one.beside.parent == Path("/data")
    assert isinstance(one.reader(), PostgresReader)


def test_a_store_in_a_database_makes_the_folder_for_what_it_can_not_write(tmp_path: Path) -> None:
    place = PostgresPlace("postgresql://u@h/db", tmp_path / "a" / "b")
    assert isinstance(place.store("1.0"), PostgresStore)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_check_says_where_things_are_kept_without_passwords(tmp_path: Path) -> None:
    (tmp_path / "donut.yaml").write_text("state: {journal: 'postgresql://u:hunter2@h/db', shared: 'redis://:hunter2@r/0'}\n")
    result = CliRunner().invoke(check.COMMAND, [str(tmp_path / "donut.yaml")])
    assert result.exit_code == 0
    assert "postgresql://u@h/db" in result.stdout
    assert "redis://r/0" in result.stdout
    assert "hunter2" not in result.output
