"""The harnesses from npm, each pinned version in a folder of its own below `.cache/clients`; nothing is installed system-wide.

Packages come through the ordinary npm client. What is there already is not asked for again, so a second run needs no network.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from scripts.harnesses.harness import Harness, Package

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "clients"
INSTALL_S = 600
"""The largest package unpacks to 400 MB."""

NODE = Package("node", "22.23.3", "node", runs_install_script=True)
"""Node itself, from npm, for harnesses that need a newer one than the system has."""


class CannotInstallError(Exception):
    """npm is missing or failed; `str()` says which and what to do."""


def version_of(harness: Harness) -> str:
    if harness.package is not None:
        return harness.package.version
    return version(harness.distribution) if harness.distribution is not None else ""


def installed(package: Package) -> Path:
    """The folder with the package's commands, installed if need be. Raises CannotInstallError."""
    folder = CACHE / f"{package.name.rpartition('/')[2]}-{package.version}"
    commands = folder / "node_modules" / ".bin"
    if (folder / "complete").exists():
        return commands
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstallError("npm is missing; on Debian and Ubuntu: apt-get install nodejs npm")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifest: dict[str, object] = {"name": "cache", "private": True, "dependencies": {package.name: package.version}}
    if package.runs_install_script:
        manifest["allowScripts"] = {package.name: True}
    (folder / "package.json").write_text(json.dumps(manifest))
    command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode != 0 or not (commands / package.command).exists():
        raise CannotInstallError(f"npm could not install {package.name}@{package.version}: {(done.stderr or done.stdout).strip()[-600:]}")
    (folder / "complete").touch()
    return commands


@functools.cache
def _system_node() -> int:
    """The major version of the system's Node; 0 if there is none."""
    node = shutil.which("node")
    if node is None:
        return 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    major = said.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdigit() else 0


def search_path(package: Package) -> str:
    """PATH for the harness: its own commands, a Node that is new enough, then the usual places."""
    folders = [str(installed(package))]
    if _system_node() < package.needs_node:
        folders.append(str(installed(NODE)))
    return os.pathsep.join([*folders, os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")])
