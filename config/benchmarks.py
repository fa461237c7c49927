"""`benchmarks.yaml` beside the config file: a person's own figures and the sources to ask, in tokenledger's shape.

    sources:
      artificial_analysis: {enabled: true, api_key: "${AA_API_KEY}"}
    overrides:
      gemini-3.1-pro: {intelligence_index: 57.0, speed_tps: 65, latency_ms: 3990}

The same two keys may stand in donut.yaml; what stands there comes first. A wrong file is an error like one in donut.yaml itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from config.document import Document, read_document
from config.explanation import explain, vocabulary
from config.ledger_settings import BenchmarksFile
from config.problems import ConfigError, Problem
from config.settings import Settings

FILE_NAME = "benchmarks.yaml"
KEYS = ("sources", "overrides")


def beside(config_path: Path) -> Path:
    return config_path.with_name(FILE_NAME)


def with_benchmarks(settings: Settings, config_path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings with what `benchmarks.yaml` adds. Raises ConfigError; without such a file nothing changes."""
    path = beside(config_path)
    if path == config_path or not path.is_file():
        return settings
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(path), 0, 0, "", f"the file can not be read: {error}")]) from error
    found = parse_benchmarks(text, str(path), environ)
    overrides = {subject: dict(figures) for subject, figures in found.overrides.items()}
    for subject, figures in settings.overrides.items():
        overrides[subject] = {**overrides.get(subject, {}), **figures}
    return settings.model_copy(update={"overrides": overrides, "sources": {**found.sources, **settings.sources}})


def parse_benchmarks(text: str, filename: str, environ: Mapping[str, str]) -> BenchmarksFile:
    """Raises ConfigError with all problems."""
    document = read_document(text, filename, environ, vocabulary())
    problems = [*document.problems, *_unknown(document)]
    found: BenchmarksFile | None = None
    try:
        found = BenchmarksFile.model_validate({key: value for key, value in document.data.items() if key in KEYS})
    except ValidationError as error:
        problems += [explain(document, item) for item in error.errors(include_url=False, include_input=False)]
    if problems or found is None:
        raise ConfigError(problems)
    return found


def _unknown(document: Document) -> list[Problem]:
    names = " and ".join(f"`{key}`" for key in KEYS)
    return [document.problem((key,), f"unknown key `{key}`", f"{FILE_NAME} has {names}") for key in document.data if key not in KEYS]
