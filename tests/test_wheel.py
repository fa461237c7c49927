"""Requirement A10 of reference/reliability-requirements.md: what is published works. Builds the wheel, installs it into an empty virtual
environment with the newest versions of what it depends on, and streams through it from an empty directory."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.processes import ROOT, DonutProcess

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run to the end; standard output. Fails with what was said."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves a build directory beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", folder / "source", cwd=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The virtual environment's bin directory."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    run(folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", wheel, cwd=folder)
    return folder / "bin"


def test_a10_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"proxy", "providers", "routing", "config"}
    assert "config/data/catalog.json" in names
    sources = {
        str(path.relative_to(ROOT))
        for package in ("proxy", "providers", "routing", "config")
        for path in (ROOT / package).rglob("*")
        # A page for developers that lies beside the code it is about.
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    }
    sources.add("config/data/ATTRIBUTION.md")
    assert sources == {name for name in names if ".dist-info" not in name}
    assert [name for name in names if name.endswith("LICENSE")]


def test_a10_the_installed_command_knows_its_version(installed: Path, tmp_path: Path) -> None:
    said = run(installed / "donut", "--version", cwd=tmp_path)
    assert "0.1.0" in said
    assert "unknown" not in said
    run(installed / "pip", "check", cwd=tmp_path)


async def test_a10_the_installed_command_streams(installed: Path, tmp_path: Path) -> None:
    """`donut serve --demo` in an empty directory, from the wheel and not from this checkout."""
    command = [str(installed / "donut")]
    async with DonutProcess(tmp_path, arguments=["--demo"], environ={"PYTHONPATH": ""}, command=command) as donut:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
        async with donut.client.stream("POST", "/v1/chat/completions", json=body) as got:
            assert got.status_code == 200
            lines = [line async for line in got.aiter_lines() if line]
        assert len(lines) > 3
        assert lines[-1] == "data: [DONE]"
        assert "".join(
            choice["delta"].get("content") or "" for line in lines[:-1] for choice in json.loads(line.removeprefix("data: "))["choices"]
        )
        (row,) = await donut.wait_for_rows(1)
        assert row["status"] == "ok"
        where = await asyncio.to_thread(run, installed / "python", "-c", "import proxy; print(proxy.__file__)", cwd=tmp_path)
        assert str(installed.parent) in where
        donut.process.terminate()
        assert await donut.ends() == 0
