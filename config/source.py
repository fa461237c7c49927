"""A file → Settings, or everything that is wrong with it. The only way a configuration gets into donut.

Three steps: `document.py` reads the YAML, the models in `settings.py` judge each value, `references.py` judges what concerns
several at once. All three report; the caller sees every problem of a file at one time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.benchmarks import with_benchmarks
from config.document import SIZE_LIMIT, Document, read_document
from config.explanation import explain, vocabulary
from config.made_keys import keys_beside
from config.problems import ConfigError, Problem
from config.references import check_references
from config.settings import Settings
from providers.ports import ProviderKind


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, and what a person should know about it all the same."""

    settings: Settings
    warnings: tuple[Problem, ...] = ()


def default_config_path(environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file that is used when none is named: $DONUT_CONFIG, ./donut.yaml, ~/.config/donut/donut.yaml; None when there is none.

    $DONUT_CONFIG is taken at its word: a file that it names and that does not exist is an error later, not a reason to look on.
    """
    named = environ.get("DONUT_CONFIG")
    if named:
        return cwd / Path(named).expanduser()
    xdg = Path(environ.get("XDG_CONFIG_HOME", ""))
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    user = (xdg if xdg.is_absolute() else home / ".config") / "donut" / "donut.yaml"
    return next((path for path in (cwd / "donut.yaml", user) if path.is_file()), None)


def load(
    path: Path,
    environ: Mapping[str, str],
    kinds: Mapping[str, ProviderKind],
    known_models: Collection[str],
    *,
    factors: Collection[str] | None = None,
) -> Loaded:
    """Read and judge the file at `path`; see `parse`. Raises ConfigError, also when the file can not be read."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        problem = Problem(name, 0, 0, "", f"the file can not be read: {error.strerror or 'unknown reason'}")
    except ValueError as error:
        problem = _undecodable(name, error)
    else:
        loaded = parse(text, name, environ, kinds, known_models, factors=factors)
        return replace(loaded, settings=with_benchmarks(loaded.settings, path, environ))
    raise ConfigError([problem])


def parse(
    text: str,
    filename: str,
    environ: Mapping[str, str],
    kinds: Mapping[str, ProviderKind],
    known_models: Collection[str],
    *,
    factors: Collection[str] | None = None,
) -> Loaded:
    """`text` as Settings.

    `environ` fills `${NAME}`; `kinds` are the provider kinds by name; `known_models` the ids of the shipped catalog; `factors`
    the names that `routing.weights` may have (None: not judged). Raises ConfigError with all problems, and nothing else.
    """
    document = read_document(text, filename, environ, vocabulary() | set(kinds))
    settings, errors = _validate(document, kinds)
    problems = list(document.problems)
    problems += [explain(document, error) for error in errors if not _concerns_a_hole(document, error)]
    found, warnings = check_references(document, kinds, known_models, factors, keys_beside(document, environ))
    problems += found
    if problems or settings is None:
        raise ConfigError(problems)
    return Loaded(settings, tuple(sorted(warnings, key=lambda warning: warning.line)))


def _validate(document: Document, kinds: Collection[str]) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings.model_validate(document.data, context={"kinds": kinds}), []
    except ValidationError as error:
        return None, error.errors(include_url=False, include_input=False)


def _concerns_a_hole(document: Document, error: ErrorDetails) -> bool:
    """An undefined variable has been reported; that its place is now empty is no news."""
    path = tuple(error["loc"])
    return any(path[: len(hole)] == hole for hole in document.unresolved)


def _undecodable(name: str, error: ValueError) -> Problem:
    if not isinstance(error, UnicodeDecodeError):
        return Problem(name, 0, 0, "", "the path is not valid")
    before = error.object[: error.start]
    column = error.start - (before.rfind(b"\n") + 1) + 1
    return Problem(name, before.count(b"\n") + 1, column, "", "the file is not UTF-8", "save it as UTF-8")
