"""What `donut doctor` looks at, one function per subject. Each returns findings and prints nothing; only `write_probe` touches a disk."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from config.commands._journal import ask
from config.commands._local import base_url, get
from config.environment import UnusedKey
from config.journal_place import configured_place
from config.problems import ConfigError
from config.settings import Settings
from config.source import Loaded
from config.survey import Survey
from providers.local.found import UNKNOWN, Found
from providers.local.port import LocalModel
from providers.local.registry import load_backends
from providers.ports import ProviderKind
from proxy.journal.places import Place, SqlitePlace

if sys.platform != "win32":
    import resource

State = Literal["ok", "missing", "warning", "bad"]
"""`missing` is a choice not made (no key, no server there); `warning` works but not well; `bad` stops donut."""

PACKAGES = ("starlette", "uvicorn", "uvloop", "httptools", "httpx", "h2", "orjson", "pydantic", "aiosqlite")
OPEN_FILES_WANTED = 4096
"""A stream needs two connections; a thousand of them and some room for pools and the journal."""
FREE_DISK_WANTED = 500 * 1024 * 1024
"""Bytes. A journal of a busy month is smaller."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for."""

    group: str
    name: str
    state: State
    detail: str
    fix: str = ""
    """The one line that would mend it; empty when nothing has to be done."""


def check_programs() -> list[Finding]:
    """Python and the packages that matter."""
    found = [Finding("system", "python", "ok", f"{platform.python_version()} at {sys.executable}")]
    missing: list[str] = []
    versions: list[str] = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    found.append(Finding("system", "packages", "ok", ", ".join(versions)))
    if missing:
        found.append(Finding("system", "packages", "warning", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"))
    return found


def check_open_files() -> list[Finding]:
    """How many connections the system lets one process have."""
    if sys.platform == "win32":
        return []
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_enough = soft == resource.RLIM_INFINITY or soft >= OPEN_FILES_WANTED
    detail = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft} open files"
    fix = "" if is_enough else f"ulimit -n {OPEN_FILES_WANTED}"
    return [Finding("system", "open files", "ok" if is_enough else "warning", detail, fix)]


def check_config(path: Path | None, result: Loaded | ConfigError) -> list[Finding]:
    """The config file, and what is wrong with it."""
    if path is None:
        places = "$DONUT_CONFIG, ./donut.yaml, ~/.config/donut/donut.yaml"
        return [Finding("config", "file", "ok", f"none, and none is needed (looked for {places})")]
    if isinstance(result, ConfigError):
        return [Finding("config", "file", "bad", str(problem), problem.suggestion or f"donut check {path}") for problem in result.problems]
    warnings = [Finding("config", "file", "warning", str(problem), problem.suggestion) for problem in result.warnings]
    return [Finding("config", "file", "ok", f"{path} is valid"), *warnings]


def check_port(settings: Settings) -> list[Finding]:
    """Is the address free, or who listens?"""
    host, port = settings.server.host, settings.server.port
    if port == 0:
        return [Finding("server", "port", "ok", "any free one")]
    status, health = get(f"{base_url(settings)}/healthz")
    if isinstance(health, dict) and health.get("service") == "donut":
        return [Finding("server", "port", "ok", f"donut is running at {base_url(settings)}")]
    if status or _is_taken(host, port):
        return [Finding("server", "port", "bad", f"something else listens on {host}:{port}", f"donut serve --port {port + 1}")]
    return [Finding("server", "port", "ok", f"{host}:{port} is free")]


def check_journal(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Can the journal be written, and is there room for it?"""
    place = configured_place(settings.state, environ)
    return _check_file(place.path) if isinstance(place, SqlitePlace) else _check_database(place)


def _check_database(place: Place) -> list[Finding]:
    try:
        ask(place, lambda reader: reader.recent(1))
    except click.ClickException as error:
        return [Finding("server", "journal", "warning", error.message, "is it running, and are user, password and database right?")]
    return [Finding("server", "journal", "ok", str(place))]


def _check_file(path: Path) -> list[Finding]:
    problem = write_probe(path)
    if problem is not None:
        return [Finding("server", "journal", "bad", f"{path}: {problem}", f"mkdir -p {path.parent} && chmod u+rwx {path.parent}")]
    free = shutil.disk_usage(_existing(path)).free
    detail = f"{path}, {free / 2**30:.1f} GiB free"
    if free < FREE_DISK_WANTED:
        return [Finding("server", "journal", "warning", detail, "free some space, or put state.journal on another disk")]
    return [Finding("server", "journal", "ok", detail)]


def check_local(seen: Survey, settings: Settings) -> list[Finding]:
    """The usual ports of local model servers, and whatever else was found."""
    if not settings.discovery.local:
        return [Finding("local servers", "discovery", "missing", "switched off", "discovery: {local: true}")]
    findings = [_found(server) for server in seen.local]
    answered = {_port(server) for server in seen.local}
    titles: dict[int, list[str]] = {}
    for backend in sorted(load_backends(), key=lambda backend: backend.name):
        for port in backend.ports:
            titles.setdefault(port, []).append(backend.title)
    starts = {port: backend.start for backend in load_backends() for port in backend.ports[:1]}
    for port, names in sorted(titles.items()):
        if port not in answered:
            findings.append(Finding("local servers", f"port {port}", "missing", f"nothing ({', '.join(names)})", starts.get(port, "")))
    return findings


def check_environment(seen: Survey, kinds: Mapping[str, ProviderKind], settings: Settings) -> list[Finding]:
    """Provider keys, by the name of their variable only."""
    if not settings.discovery.environment:
        return [Finding("environment", "discovery", "missing", "switched off", "discovery: {environment: true}")]
    findings = [
        Finding("environment", account.key_variable, "ok", f"set: {account.kind.title} at {account.base_url}") for account in seen.accounts
    ]
    findings += [_unused(unused) for unused in seen.unused]
    have = {finding.name for finding in findings}
    for kind in kinds.values():
        if kind.key_env and not kind.is_local and not have.intersection(kind.key_env):
            variable = kind.key_env[0]
            findings.append(Finding("environment", variable, "missing", f"not set ({kind.title})", f"export {variable}=…  # {kind.docs}"))
    return findings


def check_serving(seen: Survey) -> list[Finding]:
    """What it all comes to."""
    real = seen.real_replicas()
    asked = [Finding("serves", "models", "ok", f"what {name} lists; it is asked at start") for name in seen.unlisted]
    if not real:
        fix = "start a local server, or export a key (see above)"
        return asked or [Finding("serves", "models", "warning", "only the simulated fleet: its answers are placeholders", fix)]
    local = sum(replica.is_local for replica in real)
    names = {replica.logical_model_id for replica in real}
    detail = f"{len(names)} models, {local} of {len(real)} replicas on this machine; see `donut models`"
    return [Finding("serves", "models", "ok", detail), *asked]


def write_probe(path: Path) -> str | None:
    """Why a file at `path` could not be written, or None. Tries it with a file that is gone at once."""
    folder = _existing(path)
    if path.is_dir():
        return "is a folder"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.exists():
            with path.open("ab"):
                pass
    except OSError as error:
        return f"can not be written: {error.strerror or 'unknown reason'}"
    return None


def _existing(path: Path) -> Path:
    """What exists nearest above `path`: the server makes the rest."""
    return next(parent for parent in path.parents if parent.exists())


def _is_taken(host: str, port: int) -> bool:
    """Would binding fail? Asked by binding."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _port(found: Found) -> int:
    return int(found.base_url.split("/")[2].rsplit(":", 1)[1])


def _found(found: Found) -> Finding:
    name = f"port {_port(found)}"
    if found.locked or found.backend == UNKNOWN:
        return Finding("local servers", name, "warning", f"{found.title} at {found.base_url}", found.note)
    if not found.models:
        return Finding("local servers", name, "warning", f"{found.title} at {found.base_url}, without a model", found.note)
    listed = ", ".join(_with_place(found.models))
    return Finding("local servers", name, "ok", f"{found.title} at {found.base_url}: {listed}")


def _with_place(models: Iterable[LocalModel]) -> list[str]:
    return [f"{model.name} (not local: runs elsewhere)" if model.is_remote else model.name for model in models]


def _unused(unused: UnusedKey) -> Finding:
    return Finding("environment", unused.variable, "warning", f"set, but {unused.reason}")
