"""YAML text → plain data, with the line and column of every value. Counterpart: `source.py` gives the data its meaning.

Rules:
- Every scalar stays the text that was written (null apart): the settings' types decide what it means, not its looks. So
  `upstream: 1.10` keeps its zero, `api_key: 0123` its nought, and `${PORT}` is a number wherever a number is wanted.
- `${NAME}` and `${NAME:-default}` are replaced inside scalars after parsing; what comes in is never read as YAML.
- Nothing that a file says can crash or exhaust the process: size, depth and the number of values are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from config.problems import ConfigError, Path, Problem, did_you_mean, dotted, excerpt

SIZE_LIMIT = 1024 * 1024
"""Bytes. A config with a thousand models stays below a tenth of it."""
NODE_LIMIT = 10_000
"""Values after the expansion of aliases: a page of nested aliases can stand for billions ("billion laughs")."""
DEPTH_LIMIT = 32
"""The schema is eight deep. libyaml's composer recurses in C and dies of a segmentation fault on 100,000 brackets."""

# The C loader is ten times as fast, and a wheel without libyaml is rare but allowed.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge"))
_NULL, _MERGE, _MAP, _SEQ = _TAG + "null", _TAG + "merge", _TAG + "map", _TAG + "seq"

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)(\}?)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(slots=True)
class Document:
    """What a file says. `data` has dict, list, str and None only; the root is a dict."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Path → (line, column) from 1, of the key in a mapping and of the item in a list."""
    written: dict[Path, str] = field(default_factory=dict)
    """Path → the scalar as it stands in the file, for those that mention a variable: the value itself may be a secret."""
    unresolved: set[Path] = field(default_factory=set)
    """Where an undefined variable left a hole (None). It is reported once; complaints about the hole itself are noise."""
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of `path`, or of the nearest thing around it that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (0, 0))

    def problem(self, path: Path, message: str, suggestion: str = "") -> Problem:
        line, column = self.place(path)
        return Problem(self.file, line, column, dotted(path), message, suggestion)


def read_document(text: str, file: str, environ: Mapping[str, str], known: Collection[str] = ()) -> Document:
    """Parse and interpolate `text`. `known` are the words that an excerpt of a broken line may show.

    Raises ConfigError when the text is not YAML or breaks a limit; smaller trouble is collected in `Document.problems`.
    """
    try:
        too_big = len(text.encode()) > SIZE_LIMIT
    except UnicodeEncodeError:
        raise ConfigError([Problem(file, 0, 0, "", "the text is not valid Unicode")]) from None
    if too_big:
        raise ConfigError([Problem(file, 0, 0, "", f"the file is larger than {SIZE_LIMIT} bytes")])
    try:
        _check_size(text, file)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        problem = _syntax_problem(error, text, file, known)
    else:
        return _Builder(Document(file), environ).build(root)
    raise ConfigError([problem])


def _check_size(text: str, file: str) -> None:
    """Walk the event stream, which is iterative and lazy, before anything recursive sees the text."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        count += isinstance(event, yaml.NodeEvent)
        if depth > DEPTH_LIMIT or count > NODE_LIMIT:
            line, column = _place(event)
            what = f"nested deeper than {DEPTH_LIMIT} levels" if depth > DEPTH_LIMIT else f"more than {NODE_LIMIT} values"
            raise ConfigError([Problem(file, line, column, "", what)])


def _syntax_problem(error: yaml.YAMLError, text: str, file: str, known: Collection[str]) -> Problem:
    """Line, column and the offending line, whichever of its exceptions the YAML library chose."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return _unprintable_problem(text, file)
    words = getattr(error, "problem", None) or getattr(error, "context", None) or "unreadable"
    lines = text.splitlines() or [""]
    line = min(mark.line, len(lines) - 1)
    column = mark.column + 1 if mark.line == line else len(lines[line]) + 1
    context, start = getattr(error, "context", None), getattr(error, "context_mark", None)
    suggestion = f"{context} that began in line {start.line + 1}" if context and start and start.line != mark.line else ""
    if "\t" in lines[line][:column]:
        suggestion = "YAML does not allow tabs for indentation; use spaces"
    elif "${" in lines[line][:column]:
        suggestion = 'inside `{ }` and `[ ]` a variable needs quotes: "${NAME}"'
    return Problem(file, line + 1, column, "", f"not valid YAML: {words}", suggestion, excerpt(lines[line], column, known))


def _unprintable_problem(text: str, file: str) -> Problem:
    """A reader error has no mark; it means a character that YAML forbids everywhere."""
    match = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if match is None:
        return Problem(file, 0, 0, "", "not valid YAML: a character can not be read")
    before = text[: match.start()]
    column = match.start() - (before.rfind("\n") + 1) + 1
    return Problem(file, before.count("\n") + 1, column, "", f"not valid YAML: the character U+{ord(match.group()):04X} is not allowed")


class _Builder:
    """Walks the node tree once, with aliases expanded, and fills a Document."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._count = 0
        self._reported: set[tuple[int, int, str]] = set()

    def build(self, root: yaml.Node | None) -> Document:
        document = self._document
        if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _NULL):
            return document
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError([Problem(document.file, *_place(root), "", "the file must be a mapping: `server:`, `providers:` …")])
        document.data = self._mapping(root, ())
        return document

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._spend(node, len(path))
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            items = []
            for index, item in enumerate(node.value):
                self._document.places[(*path, index)] = _place(item)
                items.append(self._value(item, (*path, index)))
            return items
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return None if node.tag == _NULL else self._scalar(node, path)
        self._report(node, path, f"the YAML tag `{node.tag.replace(_TAG, '!!')}` is not supported here")
        return None

    def _spend(self, node: yaml.Node, depth: int) -> None:
        """One more value. Aliases can repeat their target without end, or contain themselves, which no parser notices."""
        self._count += 1
        if self._count > NODE_LIMIT or depth > DEPTH_LIMIT:
            message = f"aliases expand to more than {NODE_LIMIT} values or {DEPTH_LIMIT} levels"
            raise ConfigError([Problem(self._document.file, *_place(node), "", message)])

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node, inherited in self._pairs(node, path):
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(key_node, path, "a key must be plain text")
                continue
            key: str = key_node.value
            here = (*path, key)
            if key in result:
                if not inherited:
                    self._report(key_node, here, f"duplicate key: line {first_lines[key]} has it already", "remove one of the two")
                continue
            if "${" in key:
                # A key is shown in every message about it; a value that must stay secret has no business there.
                self._report(key_node, here, "variables are for values, not for keys")
                continue
            first_lines[key] = key_node.start_mark.line + 1
            self._document.places[here] = _place(key_node)
            result[key] = self._value(value_node, here)
        return result

    def _pairs(self, node: yaml.MappingNode, path: Path, depth: int = 0) -> list[tuple[yaml.Node, yaml.Node, bool]]:
        """(key, value, inherited): the mapping's own keys first, then what `<<:` brings, which gives way to them."""
        own: list[tuple[yaml.Node, yaml.Node, bool]] = []
        inherited: list[tuple[yaml.Node, yaml.Node, bool]] = []
        for key, value in node.value:
            if key.tag != _MERGE:
                own.append((key, value, depth > 0))
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                self._spend(source, depth)
                if isinstance(source, yaml.MappingNode):
                    inherited += self._pairs(source, path, depth + 1)
                else:
                    self._report(source, path, "`<<` needs a mapping, or a list of mappings")
        return own + inherited

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> str | None:
        """The text with its variables filled in; None when one is undefined."""
        text: str = node.value
        if "${" not in text:
            return text
        self._document.written[path] = text
        missing = False

        def fill(match: re.Match[str]) -> str:
            nonlocal missing
            value = self._reference(match, node, path)
            missing = missing or value is None
            return value or ""

        filled = _REFERENCE.sub(fill, text)
        if missing:
            self._document.unresolved.add(path)
            return None
        return filled

    def _reference(self, match: re.Match[str], node: yaml.Node, path: Path) -> str | None:
        """What `${…}` stands for. As in a shell, the default holds for a variable that is unset or empty."""
        escaped, inside, closed = match.groups()
        if escaped:
            return match.group()[1:]
        parts = _INSIDE.fullmatch(inside)
        if not closed or parts is None or "${" in inside:
            self._report(node, path, "a variable is written `${NAME}` or `${NAME:-default}`; write `$${` for a literal `${`")
            return None
        name, default = parts.groups()
        value = self._environ.get(name)
        if default is not None:
            return value or str(default)
        if value is None:
            hint = did_you_mean(name, self._environ) or f"set it, or write `${{{name}:-default}}`"
            self._report(node, path, f"the environment variable {name} is not set", hint)
        return value

    def _report(self, node: yaml.Node, path: Path, message: str, suggestion: str = "") -> None:
        problem = Problem(self._document.file, *_place(node), dotted(path), message, suggestion)
        # An anchor's trouble is met again at each of its aliases; the person mends it in one place.
        if (problem.line, problem.column, message) not in self._reported:
            self._reported.add((problem.line, problem.column, message))
            self._document.problems.append(problem)


def _place(node: yaml.Node | yaml.Event) -> tuple[int, int]:
    assert node.start_mark is not None, "only nodes made by hand have no mark"
    return node.start_mark.line + 1, node.start_mark.column + 1
