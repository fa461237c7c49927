"""CLIProxyAPI in front of subscriptions (https://github.com/router-for-me/CLIProxyAPI): it logs in, donut routes.

It translates between its own upstreams and speaks every conversational format to its clients, so nothing is translated twice. There is no
usual address: its default port, 8317, is donut's own, and two programs can not have it. What answers is somebody's cloud, so it is local
only where config says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from providers.errors import classify_openai
from providers.kinds import gemini
from providers.ports import PATHS, ProviderKind
from providers.signals import gateway

_VERSION = re.compile(r"/v\d+(?:beta)?$")


def target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    """Google's format below `/v1beta`, all others below `/v1`, whichever of them `base_url` ends with, or none."""
    root = _VERSION.sub("", base_path.rstrip("/"))
    if dialect == "gemini":
        return gemini.target(root, paths, dialect, upstream_model)
    return f"{root}/v1{paths[dialect]}"


def stream_target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    if dialect == "gemini":
        return gemini.stream_target(_VERSION.sub("", base_path.rstrip("/")), paths, dialect, upstream_model)
    return target(base_path, paths, dialect, upstream_model)


KIND = ProviderKind(
    name="cliproxy",
    title="CLIProxyAPI",
    classify=classify_openai,
    signals=gateway.SIGNALS,
    dialects=("chat", "responses", "messages", "gemini", "compact", "completions"),
    paths={dialect: path for dialect, path in PATHS.items() if dialect != "embeddings"},
    target=target,
    stream_target=stream_target,
    key_env=("CLIPROXY_API_KEY",),
    base_url_env=("CLIPROXY_BASE_URL",),
    # Behind it stand the vendors themselves, and their betas change what a body may hold.
    forward_headers=frozenset({b"anthropic-beta", b"anthropic-version", b"openai-beta", b"x-goog-api-client"}),
    docs="one of `api-keys` in its config.yaml",
)
