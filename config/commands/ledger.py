"""`donut ledger`: what every model costs, how good and how fast it is, and who says so."""

from __future__ import annotations

from pathlib import Path

import click

from config.commands import _ledger as common
from config.commands._journal import console, shown
from config.commands._ledger_files import COMMANDS
from config.ledger.checking import check_ledger
from config.ledger.showing import plot, tables
from routing.ledger.pareto import Standing
from routing.ledger.telling import told_entry, told_figure, told_model, told_row, told_sources, told_standing
from routing.types import UseCase

HELP = """Look at the ledger: prices, benchmarks and speeds of every model, each figure with its source.

Figures come from the package (offline, as of its day), from the feeds that `donut ledger refresh` asks, and from you: `overrides:` in
donut.yaml or in a benchmarks.yaml beside it. Of several figures the one of the source with the highest priority wins; yours always does.

\b
Start here:
  donut ledger list                          what is known, one line per model
  donut ledger show claude-sonnet-5.5        one model: figures, prices, who offers it
  donut ledger show gpt-5.6-sol --provenance the same, with every figure that lost and why
  donut ledger compare gpt-5.6-sol claude-opus-5
  donut ledger pareto --use-case code        who is worth asking: nobody is better, cheaper and quicker
  donut ledger validate                      is everything in order: overrides, feeds, age?

MODEL is a logical model (claude-sonnet-5.5) or an entry, provider/model-id (anthropic/claude-sonnet-5-5). Other spellings are matched.
"""

_CASES = [case.value for case in UseCase if case is not UseCase.EMBED]


@click.group("ledger", help=HELP)
def ledger() -> None:
    """Everything is in the subcommands."""


COMMAND: click.Command = ledger


@ledger.command("list")
@click.option("--provider", metavar="NAME", help="Only what this provider offers.")
@click.option("--all", "everything", is_flag=True, help="Also models of which only names and limits are known.")
@common.options
def list_(opened: common.Opened, provider: str | None, everything: bool, as_json: bool) -> None:
    """One line per logical model.

    \b
    Examples:
      donut ledger list --provider groq
      donut ledger list --json | jq -r '.models[] | select(.pareto_rank == 1) | .model'
    """
    resolver = opened.library.resolver
    offered = [entry for entry in resolver.entries.values() if provider in (None, entry.provider)]
    names = dict.fromkeys(entry.model for entry in offered if everything or not entry.is_retired)
    if not names:
        raise click.ClickException(
            f"no provider `{provider}`; there are {', '.join(sorted({e.provider for e in resolver.entries.values()}))}"
        )
    rows = [told_row(resolver, name) for name in names]
    rows = [row for row in rows if everything or (row["offers"] and (row["quality"] is not None or provider is not None))]
    rows.sort(key=lambda row: (row["quality"] is None, -(row["quality"] or 0), row["model"]))
    if as_json:
        common.echo_json({"models": rows, "sources": told_sources(opened.library.book.sheets)})
        return
    out = console()
    out.print(tables.model_rows(rows))
    out.print(f"{len(rows)} models. {opened.age()}")
    out.print(opened.credit(), style="dim", soft_wrap=True)
    if not everything and provider is None:
        out.print("Only models whose quality somebody has measured; --all shows the others.")


@ledger.command()
@click.argument("model")
@click.option("--provenance", is_flag=True, help="Every candidate of every figure: who lost to whom, and why.")
@common.options
def show(opened: common.Opened, model: str, provenance: bool, as_json: bool) -> None:
    """One model or one entry, with all that is known of it.

    \b
    --json carries every figure with source, edition, date, confidence, licence, and the losing candidates.
    Examples:
      donut ledger show claude-sonnet-5.5
      donut ledger show anthropic/claude-sonnet-5-5 --provenance
      donut ledger show gpt-5.6-sol --json | jq '.figures[] | {metric, value, source}'
    """
    library = opened.library
    entry = library.entries.get(model)
    found = opened.meant(model)
    if as_json:
        told = told_model(library.resolver, found.model) if entry is None else told_entry(entry, library.book)
        common.echo_json({"asked": model, "match": {"confidence": found.confidence, "how": found.how}, **told})
        return
    out = console()
    if found.how != "its own name":
        out.print(f"{shown(model)}: {found.how} ({found.confidence:.2f} sure) → {shown(found.model)}")
    subject = found.model if entry is None else entry.key
    out.print(shown(subject), style="bold")
    for rendered in tables.figure_tables(library.book.figures(subject), with_losers=provenance):
        out.print(rendered)
    if entry is None:
        _print_model(opened, found.model, provenance=provenance)
    for line in tables.price_lines(library.book.price(subject)):
        out.print(f"  {line}")
    out.print(opened.age())
    out.print(opened.credit(), style="dim", soft_wrap=True)


def _print_model(opened: common.Opened, model: str, *, provenance: bool) -> None:
    out, resolver = console(), opened.library.resolver
    rated = resolver.get_quality(model)
    standing = resolver.pareto().get(model)
    if rated is not None:
        out.print(f"Quality {rated.value:.3f}, made of {shown(rated.basis)}.")
    if standing is not None and standing.pareto_rank is not None:
        others = f"; better in every respect: {', '.join(standing.dominated_by)}" if standing.dominated_by else ": on the front"
        out.print(f"Pareto rank {standing.pareto_rank}{shown(others)}.")
    out.print(tables.entry_rows(resolver, model, everything=provenance))


@ledger.command()
@click.argument("models", nargs=-1, required=True)
@common.options
def compare(opened: common.Opened, models: tuple[str, ...], as_json: bool) -> None:
    """Two models or more, figure by figure.

    \b
    Example:
      donut ledger compare claude-opus-5 gpt-5.6-sol gemini-3.8-flash
    """
    if len(models) < 2:
        raise click.UsageError("name two models at least")
    library = opened.library
    subjects = [name if name in library.entries else opened.meant(name).model for name in models]
    columns = [{figure.metric: figure for figure in library.book.figures(subject)} for subject in subjects]
    rows = [told_row(library.resolver, opened.meant(name).model) for name in models]
    if as_json:
        told = [
            {**row, "subject": subject, "figures": [told_figure(figure) for figure in column.values()]}
            for row, subject, column in zip(rows, subjects, columns, strict=True)
        ]
        common.echo_json({"models": told})
        return
    out = console()
    out.print(tables.model_rows(rows))
    out.print(tables.comparison(subjects, columns))
    out.print(opened.credit(), style="dim", soft_wrap=True)


@ledger.command()
@click.option("--use-case", type=click.Choice(_CASES), help="Quality at this kind of work; default: in general.")
@click.option(
    "--svg", "svg_file", type=click.Path(path_type=Path, dir_okay=False, writable=True), metavar="FILE", help="Write a picture, too."
)
@common.options
def pareto(opened: common.Opened, use_case: str | None, svg_file: Path | None, as_json: bool) -> None:
    """Who is worth asking: the front over quality, cost and latency.

    A model is on the front (rank 1) when no other is at least as good, as cheap and as quick, and better in one of them.

    \b
    Examples:
      donut ledger pareto
      donut ledger pareto --use-case code --svg front.svg
    """
    case = None if use_case is None else UseCase(use_case)
    standings: list[Standing] = [each for each in opened.library.resolver.pareto(case).values() if each.pareto_rank is not None]
    title = f"Quality over cost, {use_case or 'in general'}"
    if svg_file is not None:
        svg_file.write_text(plot.as_svg(standings, title), encoding="utf-8")
    if as_json:
        common.echo_json({"use_case": use_case, "models": [told_standing(each) for each in standings]})
        return
    out = console()
    out.print(title)
    out.print(plot.as_text(standings))
    out.print(tables.standing_rows(standings))
    out.print(opened.credit(), style="dim", soft_wrap=True)
    if svg_file is not None:
        out.print(f"Written to {svg_file}.")


@ledger.command()
@common.options
@click.pass_context
def validate(context: click.Context, opened: common.Opened, as_json: bool) -> None:
    """Is everything in order: overrides that touch nothing, files that can not be read, quarantined figures, old editions?

    \b
    Exit codes: 0 in order, 1 something is wrong (remarks alone are not).
    """
    findings = check_ledger(opened.library, opened.settings, opened.problems, opened.now_s)
    wrong = [finding for finding in findings if finding.is_wrong]
    if as_json:
        sources = told_sources(opened.library.book.sheets)
        common.echo_json({"ok": not wrong, "findings": [finding._asdict() for finding in findings], "sources": sources})
    else:
        out = console()
        for finding in findings:
            out.print(f"{'wrong ' if finding.is_wrong else 'remark'}  {shown(finding.words)}", soft_wrap=True)
        subjects, entries = len(opened.library.book), len(opened.library.entries)
        out.print(f"{subjects:,} subjects, {entries:,} entries, {len(wrong)} problems. {opened.age()}")
    context.exit(1 if wrong else 0)


for command in COMMANDS:
    ledger.add_command(command)
