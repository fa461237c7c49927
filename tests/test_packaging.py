"""What is outside the code: the image, the scripts and the list of packages, checked by reading them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ("install", "run", "test", "check", "format", "bench", "real-server", "simulate", "system")


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined, comments dropped."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in pairs]


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def test_the_image_runs_as_nobody_in_particular_and_writes_only_to_data() -> None:
    names = [name for name, _ in instructions()]
    assert last("USER") == "10001:10001"
    assert last("VOLUME") == "/data"
    assert "DONUT_DATA=/data" in last("ENV")
    assert "PYTHONDONTWRITEBYTECODE=1" in last("ENV")
    # A RUN after USER would fail on files that belong to root; a COPY after it would make root's files anyway.
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])


def test_the_image_is_watched_and_serves_by_default() -> None:
    assert "/healthz" in last("HEALTHCHECK")
    assert last("EXPOSE") == "8317"
    assert last("ENTRYPOINT") == '["donut"]'
    assert last("CMD") == '["serve", "--host", "0.0.0.0"]'


def test_the_build_context_holds_what_the_image_copies_and_nothing_else() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = {source for name, rest in instructions() if name == "COPY" and not rest.startswith("--from") for source in rest.split()[:-1]}
    assert "*" in ignore
    assert copied == allowed


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_says_what_it_is_and_parses(name: str) -> None:
    path = ROOT / "scripts" / name
    shebang, title, *rest = path.read_text().splitlines()
    assert os.access(path, os.X_OK)
    assert shebang == "#!/usr/bin/env bash"
    assert title.startswith(f"# {name}: ")
    assert "set -euo pipefail" in rest
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for layer in ("routing", "providers", "proxy", "config")
        for path in (ROOT / layer).rglob("__init__.py")
    }
    assert listed == found
