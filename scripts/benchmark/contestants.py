"""Who is measured: how each one is found or installed, configured and started. One function each.

Rules: every contestant listens on a loopback port of its own and gets all its configuration from a temporary folder. Peers are measured at
their best: their logs per request are off, donut's is on. Peers from PyPI live in environments of their own under .cache/bench/.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmark.workload import KEY, MODEL

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "bench"
INSTALL_TIMEOUT_S = 900


class UnavailableError(Exception):
    """This contestant can't run here; `str()` is the reason that the report names."""


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    version: str
    command: tuple[str, ...]
    port: int
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Prepare = Callable[[Path, int, int], Contestant]
"""(folder for its files, port to listen on, the mock upstream's port) → how to start it. Raises UnavailableError."""


def nginx(folder: Path, port: int, upstream_port: int) -> Contestant:
    """The practical limit: a proxy that only moves bytes."""
    binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise UnavailableError("nginx is not installed")
    template = (Path(__file__).parent / "nginx.conf").read_text()
    config = folder / "nginx.conf"
    config.write_text(
        template.replace("@FOLDER@", str(folder))
        .replace("@PORT@", str(port))
        .replace("@UPSTREAM_PORT@", str(upstream_port))
        # As root the workers would become `nobody`, who may not enter the folder; as anybody else the directive only warns.
        .replace("@USER@", f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else "")
    )
    version = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stderr.rpartition("/")[2].strip()
    return Contestant("nginx", version, (binary, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")), port)


def donut(folder: Path, port: int, upstream_port: int) -> Contestant:
    """Everything on: key check, classification, a decision between two replicas, reservation, journal, log."""
    binary = ROOT / ".venv" / "bin" / "donut"
    if not binary.exists():
        raise UnavailableError("scripts/install has not been run")
    provider = f"""\
    kind: openai
    base_url: http://127.0.0.1:{upstream_port}/v1
    api_key: none
    dialects: [chat]
    models:
      - {{upstream: up-model, model: {MODEL}, price: {{input: 1.0, output: 2.0}}}}
"""
    config = folder / "donut.yaml"
    config.write_text(
        f"server: {{host: 127.0.0.1, port: {port}, api_keys: [{KEY}]}}\n"
        f'state: {{journal: "sqlite:///{folder}/donut.db"}}\n'
        "discovery: {local: false, environment: false}\n"
        f"providers:\n  - id: a\n{provider}  - id: b\n{provider}"
        f"models:\n  - {{id: {MODEL}, tier: small, use_cases: [chat, code], context_window: 400000, capabilities: [tools, json]}}\n"
    )
    version = _version_of(ROOT / ".venv" / "bin" / "python", "donut-proxy")
    return Contestant("donut", version, (str(binary), "serve", "--config", str(config)), port, {"DONUT_DATA": str(folder)})


SWITCHYARD_MAIN = """\
import signal, sys
from switchyard_rust.server import Server
server = Server(sys.argv[1], int(sys.argv[2]))
signal.sigwait([signal.SIGTERM, signal.SIGINT])
server.close()
"""


def switchyard(folder: Path, port: int, upstream_port: int) -> Contestant:
    """NVIDIA's Rust proxy, through the server in its wheel; its cheapest choice between two targets: at random, nothing classified."""
    python = _environment("switchyard", "nemo-switchyard", "BENCH_SWITCHYARD")
    config = folder / "routes.toml"
    config.write_text(
        "schema_version = 1\n"
        f'[llm_clients.mock]\nformat = "openai_chat"\nbase_url = "http://127.0.0.1:{upstream_port}/v1"\n'
        '[targets.a]\nid = "up-model"\nllm_client = "mock"\n'
        '[targets.b]\nid = "up-model-b"\nllm_client = "mock"\n'
        f'[routes.bench]\nid = "{MODEL}"\ntype = "random"\ntargets = ["a", "b"]\n'
    )
    main = folder / "switchyard_main.py"
    main.write_text(SWITCHYARD_MAIN)
    command = (str(python), str(main), str(config), str(port))
    # It logs two lines per request by default, which cost it 40 of 170 µs here: a peer is measured at its best.
    return Contestant("switchyard", _version_of(python, "nemo-switchyard"), command, port, {"RUST_LOG": "error"})


def litellm(folder: Path, port: int, upstream_port: int) -> Contestant:
    """The proxy that most people know: key check and two deployments, no database."""
    python = _environment("litellm", "litellm[proxy]", "BENCH_LITELLM")
    deployment = f"""\
  - model_name: {MODEL}
    litellm_params: {{model: openai/up-model, api_base: "http://127.0.0.1:{upstream_port}/v1", api_key: none}}
"""
    config = folder / "litellm.yaml"
    config.write_text(f"model_list:\n{deployment}{deployment}general_settings: {{master_key: {KEY}}}\n")
    # Prices from its own package instead of GitHub: the bench needs no network.
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    command = (str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port))
    return Contestant("litellm", _version_of(python, "litellm"), command, port, env)


PREPARE: Mapping[str, Prepare] = {"nginx": nginx, "donut": donut, "switchyard": switchyard, "litellm": litellm}


def _environment(name: str, requirement: str, variable: str) -> Path:
    """The Python of a virtual environment that holds `requirement`: the one that `variable` names, or our own, made when missing."""
    given = os.environ.get(variable)
    if given:
        python = Path(given) / "bin" / "python"
        if not python.exists():
            raise UnavailableError(f"{variable}={given} is not a virtual environment")
        return python
    folder = CACHE / name
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists():
        return python
    print(f"bench: installing {requirement} into {folder}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True, text=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines() or ["no reason given"]
        raise UnavailableError(f"{requirement} can't be installed: {lines[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"installing {requirement} took longer than {INSTALL_TIMEOUT_S} s") from error
    done.touch()
    return python


def _version_of(python: Path, distribution: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise UnavailableError(f"{distribution} is not in {python.parent.parent}")
    return answer.stdout.strip()
