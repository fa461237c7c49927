"""The page for people that `donut serve` prints at a terminal. Loaded there only: a server that writes to a log needs no rich."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from config.runtime import Runtime
from config.sources import Source

MODELS_SHOWN = 8


def print_page(runtime: Runtime, config_path: Path | None, url: str) -> None:
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    console.print(f"\ndonut listens on {url}", style="bold")
    console.print(f"  config   {config_path or 'none: embedded defaults'}")
    console.print(f"  journal  {runtime.journal_place}")
    _print_sources(runtime, console)
    _print_lines(url, "anything" if runtime.gateway.serving.keys.is_open else "your-donut-key", console)


def _print_sources(runtime: Runtime, console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("  found", "where", "learned from", "models"):
        table.add_column(column)
    for source in runtime.sources:
        table.add_row(f"  {source.kind.title}", source.base_url, source.origin, _models_in_words(source))
    for found in runtime.known.local:
        if not found.is_usable:
            table.add_row(f"  {found.title}", found.base_url, "discovery", found.note or "no models")
    console.print(table)
    if runtime.is_simulated:
        console.print("  SIMULATED: nothing real was found, so placeholder models answer.", style="bold yellow")
        console.print("  `donut doctor` says what was looked for, and what would change that.")
    elif not runtime.gateway.serving.upstreams:
        console.print("  Nothing is served yet: `donut doctor` says what is missing.", style="bold red")


def _models_in_words(source: Source) -> str:
    names = [model.id for model in source.models]
    more = f" and {len(names) - MODELS_SHOWN} more" if len(names) > MODELS_SHOWN else ""
    return ", ".join(names[:MODELS_SHOWN]) + more if names else "none"


def _print_lines(url: str, key: str, console: Console) -> None:
    """Clients that speak what this version speaks: chat completions."""
    console.print("\n  any OpenAI client", style="bold")
    console.print(f"    export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key}", soft_wrap=True)
    console.print("  Qwen Code", style="bold")
    console.print(f"    OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key} OPENAI_MODEL=auto qwen", soft_wrap=True)
    console.print("  OpenCode (opencode.json)", style="bold")
    provider = {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": f"{url}/v1", "apiKey": key}, "models": {"auto": {}}}
    console.print(f"    {orjson.dumps({'provider': {'donut': provider}}).decode()}", soft_wrap=True)
    console.print("  curl", style="bold")
    auth = f" -H 'Authorization: Bearer {key}'" if key != "anything" else ""
    body = '{"model": "auto", "stream": true, "messages": [{"role": "user", "content": "Say hello."}]}'
    console.print(f"    curl -N {url}/v1/chat/completions{auth} -H 'content-type: application/json' -d '{body}'\n", soft_wrap=True)
