"""The shape of the code base, as tests: what ARCHITECTURE.md promises and nobody would notice being broken."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("routing", "providers", "proxy", "config")
"""Innermost first: each may import itself and those before it."""
ENTRY = Path("proxy/__main__.py")
"""`python -m proxy` starts the whole program, so this one file may import outward."""

_PURE = """
    __future__ array bisect collections dataclasses difflib enum fnmatch functools hashlib heapq itertools math operator random re
    statistics string typing
"""
PURE_STDLIB = frozenset(_PURE.split())
"""What `routing/` may import besides itself: nothing here waits, reads a clock, the environment or a file."""
IMPURE_BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})

MAY_NAME_KINDS = ("providers/kinds", "providers/local", "config/data")
FILE_LINES = 600
FUNCTION_LINES = 70

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules(layer: str) -> tuple[Path, ...]:
    """Every module of a layer, relative to the root."""
    return tuple(path.relative_to(ROOT) for path in sorted((ROOT / layer).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def everything() -> Iterator[tuple[Path, ast.AST]]:
    for layer in LAYERS:
        for path in modules(layer):
            for node in ast.walk(tree(path)):
                yield path, node


def imported(node: ast.AST) -> list[str]:
    """The modules that an import statement names; empty for any other node."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def where(path: Path, node: ast.AST, what: str = "") -> str:
    return f"{path}:{getattr(node, 'lineno', 1)} {what}".rstrip()


def test_the_walk_sees_all_four_layers() -> None:
    assert all(len(modules(layer)) > 3 for layer in LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_inward(layer: str) -> None:
    outer = {*LAYERS[LAYERS.index(layer) + 1 :], "tests", "scripts"}
    wrong = [
        where(path, node, f"imports {name}")
        for path in modules(layer)
        if path != ENTRY
        for node in ast.walk(tree(path))
        for name in imported(node)
        if name.partition(".")[0] in outer
    ]
    assert not wrong


def test_routing_imports_only_itself_and_pure_stdlib() -> None:
    wrong = [
        where(path, node, f"imports {name}")
        for path in modules("routing")
        for node in ast.walk(tree(path))
        for name in imported(node)
        if name.partition(".")[0] not in PURE_STDLIB | {"routing"}
    ]
    assert not wrong


def test_routing_is_synchronous() -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [where(path, node) for path in modules("routing") for node in ast.walk(tree(path)) if isinstance(node, waits)]


def test_routing_touches_no_file_and_no_unseeded_chance() -> None:
    wrong = []
    for path in modules("routing"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
                wrong.append(where(path, node, node.func.id))
            # `random.Random(seed)` is handed in; `random.random()` is the process's own, which no test can repeat.
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random" and node.attr != "Random":
                wrong.append(where(path, node, f"random.{node.attr}"))
    assert not wrong


def test_imports_are_absolute_explicit_and_on_top() -> None:
    relative = [where(path, node) for path, node in everything() if isinstance(node, ast.ImportFrom) and node.level > 0]
    star = [where(path, node) for path, node in everything() if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    hidden = [
        where(path, inner, f"in {node.name}")
        for path, node in everything()
        if isinstance(node, Function)
        for inner in ast.walk(node)
        if imported(inner)
    ]
    assert (relative, star, hidden) == ([], [], [])


def test_nothing_is_global() -> None:
    assert not [where(path, node) for path, node in everything() if isinstance(node, ast.Global)]


def kind_names() -> frozenset[str]:
    """The names of all provider kinds, read from their files: `ProviderKind(name="groq", …)`."""
    return frozenset(
        keyword.value.value
        for path in modules("providers")
        if path.parent == Path("providers/kinds")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ProviderKind"
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    )


def compared_strings(node: ast.AST) -> Iterator[str]:
    """String constants that are compared with something, `in ("a", "b")` and `case "a"` included."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
    elif isinstance(node, ast.MatchValue):
        sides = [node.value]
    else:
        return
    for side in sides:
        members = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
        yield from (member.value for member in members if isinstance(member, ast.Constant) and isinstance(member.value, str))


def test_nobody_asks_which_provider_kind_it_is() -> None:
    """`if kind == "groq"` belongs into groq's own file as a value or a function (STYLE.md, "Smells")."""
    names = kind_names()
    assert {"openai", "ollama"} <= names
    wrong = [
        where(path, node, text)
        for path, node in everything()
        if not path.as_posix().startswith(MAY_NAME_KINDS)
        for text in compared_strings(node)
        if text in names
    ]
    assert not wrong


def test_every_module_says_what_it_is() -> None:
    """Empty `__init__.py` files have nothing to say."""
    assert not [str(path) for layer in LAYERS for path in modules(layer) if tree(path).body and not ast.get_docstring(tree(path))]


def test_files_and_functions_stay_small() -> None:
    files = [str(path) for layer in LAYERS for path in modules(layer) if len((ROOT / path).read_text().splitlines()) > FILE_LINES]
    functions = [
        where(path, node, node.name)
        for path, node in everything()
        if isinstance(node, Function) and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    assert (files, functions) == ([], [])
