"""What goes into the ledger and out of it: `donut ledger refresh`, `import` and `export`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import orjson

from config.adapting._learning import Names
from config.commands import _ledger as common
from config.commands._journal import console, shown
from config.ledger.importing import as_export, as_thegent_benchmarks, as_tokenledger_benchmarks, as_tokenledger_pricing, read_import
from config.ledger.refreshing import Outcome, refresh_all
from config.ledger.store import Kept, write
from providers.adapters._fields import FormatError

SHAPES = ("donut", "tokenledger-pricing", "tokenledger-benchmarks", "thegent-benchmarks")


@click.command()
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this feed; may be repeated. Default: all that can be asked.")
@common.options
@click.pass_context
def refresh(context: click.Context, opened: common.Opened, sources: tuple[str, ...], as_json: bool) -> None:
    """Ask the feeds for news, now. What they say is kept until they say something else.

    A feed that fails keeps what it last said; an absurd figure is quarantined and named. Feeds that want a key (sources.NAME.api_key, or
    the usual variable) are left out without one.

    \b
    Exit codes: 0 every feed that was asked answered, 1 one did not.
    Examples:
      donut ledger refresh
      donut ledger refresh --source openrouter --source epoch
    """
    out = console()

    def progress(outcome: Outcome) -> None:
        if not as_json:
            out.print(f"{outcome.mark} {outcome.feed:<22} {shown(outcome.words)}")
            for warning in outcome.warnings[:5]:
                out.print(f"    {shown(warning)}", style="yellow")
            if len(outcome.warnings) > 5:
                out.print(f"    … and {len(outcome.warnings) - 5} more", style="yellow")

    outcomes = refresh_all(opened.asking(), sources, progress)
    if as_json:
        common.echo_json({"feeds": [outcome.told() for outcome in outcomes]})
    context.exit(1 if any(outcome.failed for outcome in outcomes) else 0)


@click.command("import")
@click.argument("what", nargs=-1, required=True, metavar="[SYSTEM] PATH")
@click.option(
    "--model",
    "renamed",
    multiple=True,
    metavar="THEIRS=OURS",
    help="What the file calls a runner or model, and what it is. May be repeated.",
)
@click.option("--name", metavar="NAME", help="Under which the import is kept; the same name replaces it. Default: the file's.")
@common.options
def import_(opened: common.Opened, what: tuple[str, ...], renamed: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Take in the figures of a file, or of all files in a folder.

    \b
    SYSTEM is helios, thegent, tokenledger or snapshot (CLIProxyAPI's metrics); without it the file's shape decides. donut's own export is
    read, too. Figures that can not be are put aside and named.
    Examples:
      donut ledger import pricing.json
      donut ledger import helios results/ --model codex=gpt-5.6-sol
      donut ledger import ~/.thegent/benchmarks.json --name thegent
    """
    if len(what) > 2:
        raise click.UsageError("give a file or a folder, and before it the system it is of")
    path, system = Path(what[-1]), what[0] if len(what) == 2 else None
    library = opened.library
    try:
        imported = read_import(path, system, _pairs(renamed), Names(library.known, library.match))
        label = "".join(char if char.isalnum() or char in "-_" else "-" for char in name or path.stem) or "import"
        kept_in = write(opened.folder, Kept(f"import-{label}", imported.sheets, opened.now(), warnings=tuple(imported.problems)[:50]))
    except (OSError, FormatError) as error:
        raise click.ClickException(f"{path}: {error}") from error
    groups = [group for sheet in imported.sheets for group in sheet.asides.values()]
    refused = [f"{aside.subject}: {aside.metric}: {aside.refused}" for group in groups for aside in group]
    if as_json:
        told = {"files": imported.files, "figures": imported.figures, "refused": refused, "problems": list(imported.problems)}
        common.echo_json({**told, "kept_in": str(kept_in)})
        return
    click.echo(f"{imported.figures} figures of {imported.files} file(s) taken in, kept in {kept_in}")
    for line in [*imported.problems, *(f"not believed: {each}" for each in refused)][:20]:
        click.echo(f"  {shown(line)}")


def _pairs(renamed: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(item.split("=", 1) for item in renamed if "=" in item)
    if len(pairs) != len(renamed) or not all(theirs and ours for theirs, ours in pairs.items()):
        raise click.BadParameter("write THEIRS=OURS, each theirs once", param_hint="--model")
    return pairs


@click.command()
@click.option("--format", "shape", type=click.Choice(SHAPES), default=SHAPES[0], show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Default: standard output.")
@click.option("--restricted", is_flag=True, help="With figures that may not be passed on.")
@common.options
def export(opened: common.Opened, shape: str, output: Path | None, restricted: bool, as_json: bool) -> None:
    """The ledger as a file for others. Always JSON.

    \b
    What Artificial Analysis and OpenRouter said is left out: their terms allow no passing on. --restricted takes it in, for a machine of
    your own. The other formats have the merged figures, whoever gave them.
    Example:
      donut ledger export --format tokenledger-pricing -o pricing.json
    """
    del as_json
    resolver = opened.library.resolver
    makers: dict[str, Callable[[], object]] = {
        "donut": lambda: as_export(opened.library.book.sheets, restricted=restricted),
        "tokenledger-pricing": lambda: as_tokenledger_pricing(resolver, opened.now()),
        "tokenledger-benchmarks": lambda: as_tokenledger_benchmarks(resolver),
        "thegent-benchmarks": lambda: as_thegent_benchmarks(resolver, opened.now()[:10]),
    }
    data = orjson.dumps(makers[shape](), option=orjson.OPT_INDENT_2, default=tuple) + b"\n"
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        output.write_bytes(data)


COMMANDS: tuple[click.Command, ...] = (refresh, import_, export)
