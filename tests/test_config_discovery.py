"""Extension files are found by what they export, in a real package on disk."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from config.discovery import discover, load_one, module_names


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    root = tmp_path / "donut_extensions"
    (root / "nested").mkdir(parents=True)
    (root / "nested" / "__init__.py").touch()
    (root / "__init__.py").touch()
    (root / "second.py").write_text("NUMBER = 2\n")
    (root / "first.py").write_text("NUMBER = 1\n")
    (root / "_private.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("donut_extensions")
    for name in [name for name in sys.modules if name.startswith("donut_extensions")]:
        del sys.modules[name]


def add(package: ModuleType, name: str, text: str) -> None:
    (Path(package.__path__[0]) / f"{name}.py").write_text(text)
    importlib.invalidate_caches()


def test_every_public_module_in_order(package: ModuleType) -> None:
    assert list(discover(package, "NUMBER", int).items()) == [("first", 1), ("second", 2)]


def test_names_are_found_without_an_import(package: ModuleType) -> None:
    add(package, "broken", "raise AssertionError('imported')\n")
    assert module_names(package) == ["broken", "first", "second"]


def test_one_module_alone(package: ModuleType) -> None:
    add(package, "broken", "raise AssertionError('imported')\n")
    assert load_one(package, "second", "NUMBER", int) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "donut_extensions.third must export NUMBER: int$"),
        ("NUMBER = 'three'\n", "donut_extensions.third must export NUMBER: int, not str"),
    ],
)
def test_a_module_without_the_constant_is_named(package: ModuleType, text: str, words: str) -> None:
    add(package, "third", text)
    with pytest.raises(TypeError, match=words):
        discover(package, "NUMBER", int)
