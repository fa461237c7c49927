"""`donut check`: is a configuration file right, and what does donut understand of it?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import providers.kinds
import routing.factors
from config.catalog import shipped_models
from config.clients import clients_of
from config.discovery import discover
from config.headroom import limits_of
from config.journal_place import configured_place
from config.policies import policies_in_force, policy_book
from config.problems import ConfigError, Problem
from config.provider_settings import ProviderSettings
from config.routing_settings import PolicySettings, RoutingSettings
from config.schema import json_schema
from config.settings import Settings
from config.source import Loaded, default_config_path, load
from providers.ports import ProviderKind
from proxy.journal.places import without_password
from routing.factors import Factor
from routing.headroom.limits import ANY, PLACES, Limit, OnExceed, Scope, counted, worded
from routing.policies import NORMAL
from routing.types import ModelTier

HELP = """Check a configuration file without starting anything.

Every problem is reported with file, line, column, key and the nearest valid name. Secrets are never shown. Without FILE, the file
that `donut serve` would use: $DONUT_CONFIG, ./donut.yaml, ~/.config/donut/donut.yaml.

\b
Examples:
  donut check donut.yaml
  donut check --json donut.yaml | jq .problems
  donut check --schema > donut.schema.json    # then, as the first line of donut.yaml:
                                              # yaml-language-server: $schema=donut.schema.json

\b
Exit codes:
  0  the file is right (warnings may be shown)
  1  the file has problems, or can not be read
  2  wrong usage, or no file was named and none was found
"""


@click.command("check", help=HELP)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--config", "option", type=click.Path(path_type=Path), metavar="FILE", help="The same as FILE, spelled as for `serve`.")
@click.option("--json", "as_json", is_flag=True, help='Print {"ok", "problems", "warnings"} instead of tables.')
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the configuration, for editors, and stop.")
@click.pass_context
def check(context: click.Context, file: Path | None, option: Path | None, as_json: bool, schema: bool) -> None:
    kinds = discover(providers.kinds, "KIND", ProviderKind)
    kinds_by_name = {kind.name: kind for kind in kinds.values()}
    if schema:
        click.echo(json.dumps(json_schema(kinds_by_name), indent=2, ensure_ascii=False))
        return
    if file and option:
        raise click.UsageError("name the file once: either FILE or --config FILE")
    path = file or option or default_config_path(os.environ, Path.cwd())
    if path is None:
        raise click.UsageError("no FILE given, and neither $DONUT_CONFIG, ./donut.yaml nor ~/.config/donut/donut.yaml exists")
    factors = {factor.name for factor in discover(routing.factors, "FACTOR", Factor).values()}
    try:
        loaded = load(path, os.environ, kinds_by_name, shipped_models(), factors=factors)
    except ConfigError as error:
        if as_json:
            _print_json(error.problems, ())
        else:
            click.echo(str(error), err=True)
        context.exit(1)
    if as_json:
        _print_json((), loaded.warnings)
    else:
        _print_tables(path, loaded)


COMMAND: click.Command = check


def _print_json(problems: Iterable[Problem], warnings: Iterable[Problem]) -> None:
    found = [problem.as_dict() for problem in problems]
    report = {"ok": not found, "problems": found, "warnings": [warning.as_dict() for warning in warnings]}
    click.echo(json.dumps(report, indent=2, ensure_ascii=False))


def _print_tables(path: Path, loaded: Loaded) -> None:
    # Piped into a file there is no width to respect, and cut cells would help nobody.
    console = Console(width=None if sys.stdout.isatty() else 160, emoji=False, highlight=False)
    settings = loaded.settings
    console.print(_overview(settings))
    if settings.providers:
        console.print(_provider_table(settings.providers))
    else:
        console.print("No providers are configured: donut serves what discovery finds.")
    if settings.models:
        console.print(_model_table(settings))
    limits = limits_of(settings, clients_of(settings).keys).limits
    if limits:
        console.print(_limit_table(limits))
    used = _policies_in_use(settings)
    if used:
        console.print(_policy_table(used))
    for warning in loaded.warnings:
        console.print(f"WARNING {warning}", style="yellow", markup=False, highlight=False)
    console.print(f"{path} is valid.", style="green", markup=False, highlight=False)


def _overview(settings: Settings) -> Table:
    keys = len(settings.server.api_keys)
    routing_ = settings.routing
    table = Table(title="donut", title_justify="left", show_header=False)
    for name, value in (
        ("listens on", f"{settings.server.host}:{settings.server.port}"),
        ("client keys", str(keys) if keys else "none: whoever reaches the address may use it"),
        ("journal", f"{configured_place(settings.state, os.environ)} ({_retention(settings.state.retention_days)})"),
        ("shared", without_password(settings.state.shared) if settings.state.shared else "none: one process"),
        ("discovery", ", ".join(_discovered(settings)) or "off"),
        ("routing", _choice(routing_)),
        ("policies", "\n".join(_who_gets_which(settings))),
        ("rewrites", ", ".join(f"{pattern} → {target}" for pattern, target in routing_.rewrites.items()) or "none"),
    ):
        table.add_row(name, escape(value))
    return table


def _choice(routing_: RoutingSettings) -> str:
    words = f"objective {routing_.objective}, profile {routing_.profile}, local {routing_.local_preference}"
    return f"{words}, default tier {routing_.default_tier}"


def _who_gets_which(settings: Settings) -> list[str]:
    """In the order in which they count."""
    keys = [f"key {key.name} → {key.policy}" for key in settings.server.api_keys if key.policy is not None]
    book = policy_book(settings)
    rules = [f"{number}. {rule.in_words()} → {rule.policy}" for number, rule in enumerate(book.rules, 1)]
    return [*keys, *rules, f"{'else' if keys or rules else 'all'} → {book.default}"]


def _policies_in_use(settings: Settings) -> list[PolicySettings]:
    """Those that the file mentions. The shipped ones that it does not are in the README."""
    mentioned = {
        settings.routing.policy,
        *(key.policy for key in settings.server.api_keys),
        *(rule.policy for rule in settings.routing.rules),
    }
    mentioned |= {policy.name for policy in settings.policies}
    mentioned -= {NORMAL} - {policy.name for policy in settings.policies}
    return [policy for name, policy in policies_in_force(settings).items() if name in mentioned]


def _by_tier(policy: PolicySettings) -> str:
    tasks = {tier: ", ".join(task for task, wanted in policy.tiers.items() if wanted is tier) for tier in ModelTier}
    return "\n".join(f"{tier}: {names}" for tier, names in tasks.items() if names)


def _policy_table(policies: Iterable[PolicySettings]) -> Table:
    table = Table("name", "models, in order", "first, by task", "objective", "limits", title="Policies", title_justify="left")
    for policy in policies:
        limits = (
            ("local", policy.local_preference),
            ("at most $", policy.max_cost),
            ("at most tokens", policy.max_tokens),
            ("temperature", policy.temperature),
        )
        cells = (
            policy.name,
            ", ".join(policy.models) or "the task's tier",
            _by_tier(policy) or "as classified",
            policy.objective or "–",
            ", ".join(f"{name} {value}" for name, value in limits if value is not None) or "–",
        )
        table.add_row(*map(escape, cells))
    return table


def _limit_table(limits: Iterable[Limit]) -> Table:
    table = Table("whose use", "at most", "beyond it", "written in", title="Limits", title_justify="left")
    beyond = {OnExceed.REFUSE: "refused", OnExceed.DEGRADE: "cheaper and local models", OnExceed.ALERT: "only said"}
    for limit in limits:
        whose = "everybody" if limit.scope is Scope.ALL else f"each {limit.scope}" if limit.id == ANY else f"{limit.scope} {limit.id}"
        most = worded(limit.unit, counted(limit.unit, limit.most))
        then = "not asked" if limit.scope in PLACES and limit.on_exceed is OnExceed.REFUSE else beyond[limit.on_exceed]
        table.add_row(*map(escape, (whose, f"{most} per {limit.window.value}", then, limit.source)))
    return table


def _retention(days: float) -> str:
    return f"kept for {days:g} days" if days else "kept for ever"


def _discovered(settings: Settings) -> list[str]:
    found = {"local servers": settings.discovery.local, "keys in the environment": settings.discovery.environment}
    return [name for name, wanted in found.items() if wanted]


def _provider_table(configured: Iterable[ProviderSettings]) -> Table:
    table = Table("id", "kind", "address", "key", "models", title="Providers", title_justify="left")
    for provider in configured:
        served = [f"{model.upstream} → {model.model}" if model.model else model.upstream for model in provider.models]
        cells = (
            provider.id,
            provider.kind,
            provider.base_url or "the usual one",
            "set" if provider.api_key else "none",
            "\n".join(served) or "what it lists",
        )
        table.add_row(*map(escape, cells))
    return table


def _model_table(settings: Settings) -> Table:
    table = Table("id", "tier", "use cases", "context", "capabilities", title="Models", title_justify="left")
    for model in settings.models:
        window = f"{model.context_window:,}" if model.context_window else "–"
        table.add_row(
            escape(model.id), model.tier or "–", ", ".join(model.use_cases or ()) or "–", window, ", ".join(model.capabilities or ()) or "–"
        )
    return table
