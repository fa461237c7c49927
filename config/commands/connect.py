"""`donut connect`: set a harness up for donut: print its config, write it, take it back, or start it once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from config.commands._local import base_url, config_path, get, load_config
from config.connecting.edit import EditError, edited, quoted
from config.connecting.place import Change, locate, put, put_back, read, undo
from config.settings import Settings
from proxy.harness import HARNESSES
from proxy.harnesses import Harness
from proxy.harnesses._recipe import Format, Link, Recipe, Setting

KEY_VARIABLE = "DONUT_KEY"

HELP = """Point a coding harness at donut.

HARNESS is one of {words}. Without an option its config is printed, ready to paste, and nothing is changed.

\b
  --write   put it into the harness's own files; a copy of each is kept beside it, and the difference is shown
  --undo    go back to the newest copy
  --run     start the harness once with everything set, and touch no file

\b
Examples:
  donut connect codex
  donut connect claude --write
  donut connect claude --undo
  donut connect --run claude -- -p "what does this repository do?"
  donut connect opencode --model qwen3-coder-30b --url http://box:8317 --key "$BOX_KEY"

The URL is that of the config file that `donut serve` would take; the key is ${key}, and needed only if the server wants one.
A running server is asked for the model's context window, so that the harness compacts in time.

\b
Exit codes: 0 done (with --run: the harness's own), 1 nothing to undo, or a file that can not be edited, 2 wrong usage or configuration.
"""

_RECIPES: dict[str, tuple[Harness, Recipe]] = {
    harness.recipe.word: (harness, harness.recipe) for harness in HARNESSES.values() if harness.recipe is not None
}
_WORDS = sorted(_RECIPES)


class Options(TypedDict):
    """As the command line says them."""

    url: str | None
    key: str | None
    model: str
    small_model: str | None
    window: int | None
    write: bool
    wants_undo: bool
    run: str | None
    config_file: Path | None


@click.command("connect", help=HELP.format(words=", ".join(_WORDS), key=KEY_VARIABLE), context_settings={"ignore_unknown_options": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="HARNESS | -- ARGS")
@click.option("--url", metavar="URL", help="Where donut listens, without /v1.")
@click.option("--key", metavar="KEY", envvar=KEY_VARIABLE, help=f"One of server.api_keys. Default: ${KEY_VARIABLE}.")
@click.option("--model", default="auto", show_default=True, metavar="NAME", help="The model to ask for: auto, a tier, a model, a replica.")
@click.option("--small-model", metavar="NAME", help="The model for background chores, where the harness has one. Default: --model.")
@click.option("--window", type=click.IntRange(1024), metavar="TOKENS", help="The model's context window. Default: what the server says.")
@click.option("--write", is_flag=True, help="Change the harness's files.")
@click.option("--undo", "wants_undo", is_flag=True, help="Go back to the newest copy of the harness's files.")
@click.option("--run", type=click.Choice(_WORDS), metavar="HARNESS", help="Start it with the arguments behind `--`.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="The server's config file.")
@click.pass_context
def connect(context: click.Context, arguments: tuple[str, ...], **options: Unpack[Options]) -> None:
    write, wants_undo, run = options["write"], options["wants_undo"], options["run"]
    if sum((write, wants_undo, run is not None)) > 1:
        raise click.UsageError("--write, --undo and --run exclude each other")
    harness, recipe = _RECIPES[run] if run is not None else _named(arguments)
    if wants_undo:
        context.exit(_undo(recipe))
    link = _link(load_config(config_path(options["config_file"], os.environ), os.environ).settings, options)
    if run is not None:
        _run(recipe, link, arguments)
    elif write:
        context.exit(_write(harness, recipe, link))
    else:
        _print(harness, recipe, link)


COMMAND: click.Command = connect


def _named(arguments: tuple[str, ...]) -> tuple[Harness, Recipe]:
    if len(arguments) != 1:
        raise click.UsageError(f"name one harness: {', '.join(_WORDS)}")
    found = _RECIPES.get(arguments[0])
    if found is None:
        found = next(((harness, recipe) for harness, recipe in _RECIPES.values() if harness.name == arguments[0]), None)
    if found is None:
        raise click.UsageError(f"donut does not know the harness {arguments[0]!r}; it knows {', '.join(_WORDS)}")
    return found


def _link(settings: Settings, options: Options) -> Link:
    """Raises click.UsageError where the result could not work."""
    url, key, model = options["url"], options["key"], options["model"]
    small_model = options["small_model"] or model
    address = (url or base_url(settings)).rstrip("/").removesuffix("/v1")
    if not address.startswith(("http://", "https://")) or any(not "!" <= char <= "~" or char in "\"'\\" for char in address):
        raise click.BadParameter("it begins with http:// or https://, and has no blanks or quotes", param_hint="--url")
    if key and any(not "!" <= char <= "~" for char in key):
        raise click.BadParameter("it has characters that no HTTP header can carry", param_hint="--key")
    if any(not " " <= char <= "~" or char in "\"'\\" for char in (model + small_model)):
        raise click.BadParameter("a model's name has no quotes, backslashes or control characters", param_hint="--model")
    if url is None and not key and settings.server.api_keys:
        raise click.UsageError(f"this server wants a key: --key, or export {KEY_VARIABLE}=… (one of server.api_keys)")
    return Link(address, key or None, model, small_model, options["window"] or _window(address, key, model))


def _window(address: str, key: str | None, model: str) -> int:
    """What the server says, if it runs: the smallest window of those that may answer. Else a guess that the person may correct."""
    _, answer = get(f"{address}/v1/models?client_version=0", key)
    models = answer.get("models") if isinstance(answer, dict) else None
    for entry in models if isinstance(models, list) else ():
        if isinstance(entry, dict) and entry.get("slug") == model and isinstance(entry.get("context_window"), int):
            return int(entry["context_window"])
    return Link(address).window


# Printing


def _print(harness: Harness, recipe: Recipe, link: Link) -> None:
    """Config text on stdout, so that it can be piped; what is said about it on stderr."""
    for file in recipe.files(link):
        _say(f"# {locate(file, os.environ)}")
        click.echo(edited("", file.settings, file.format, with_reasons=True))
        if file.format is Format.JSON:
            _say("".join(f"#   {setting.path[-1]}: {setting.why}\n" for setting in file.settings if setting.why).rstrip())
    variables = recipe.variables(link)
    if variables:
        _say("# in the environment, such as ~/.profile:")
        for setting in variables:
            line = f"export {setting.path[0]}={quoted(str(setting.value))}"
            click.echo(f"{line}  # {setting.why}" if setting.why else line)
    if recipe.snippet is not None:
        click.echo(("\n" if variables else "") + recipe.snippet(link))
    _notes(recipe)
    if recipe.files(link):
        _say(f"`donut connect {recipe.word} --write` puts this into place for {harness.title}.")


def _say(text: str) -> None:
    if text:
        click.echo(text, err=True)


def _notes(recipe: Recipe) -> None:
    for note in recipe.notes:
        _say(f"Note: {note}")


# Writing


def _write(harness: Harness, recipe: Recipe, link: Link) -> int:
    if not recipe.files(link):
        raise click.UsageError(f"{harness.title} has no config file of its own: `donut connect {recipe.word}` prints what to set")
    try:
        changes = [_planned(locate(file, os.environ), file.settings, file.format) for file in recipe.files(link)]
        # Only when all of them can be edited is the first one touched.
        for change in changes:
            _put(change)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    for setting in recipe.variables(link):
        _say(f"Still to do: export {setting.path[0]}={quoted(str(setting.value))}")
    _notes(recipe)
    return 0


def _planned(path: Path, settings: Iterable[Setting], format_: Format) -> Change:
    """Raises click.ClickException when the file's text is not what it should be."""
    try:
        old = read(path)
        return Change(path, old, edited(old or "", settings, format_, with_reasons=True))
    except EditError as error:
        raise click.ClickException(f"{path} is left as it is: {error}. Without --write the lines are printed for pasting.") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is left as it is: it is not UTF-8") from error


def _put(change: Change) -> None:
    if not change.is_needed:
        _say(f"{change.path}: nothing to change")
        return
    copy = put(change, datetime.now(UTC))
    click.echo(change.diff(), nl=False)
    _say(f"{change.path}: written; `--undo` goes back to {copy.name}")


def _undo(recipe: Recipe) -> int:
    any_link = Link("http://127.0.0.1:8317")
    files = recipe.files(any_link)
    if not files:
        raise click.UsageError("donut writes no file for it, so there is nothing to undo")
    try:
        done = [_undo_one(locate(file, os.environ)) for file in files]
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    return 0 if any(done) else 1


def _undo_one(path: Path) -> bool:
    found = undo(path)
    if found is None:
        _say(f"{path}: there is no copy to go back to")
        return False
    change, copy = found
    kept = put_back(change, copy, datetime.now(UTC))
    click.echo(change.diff(), nl=False)
    _say(f"{path}: as it was before; what it was until now is in {kept.name}")
    return True


# Starting


def _run(recipe: Recipe, link: Link, arguments: tuple[str, ...]) -> None:
    """Becomes the harness: signals, terminal and exit code are its own. Does not return."""
    if recipe.start is None:
        raise click.UsageError(f"donut can not start {recipe.word}: `donut connect {recipe.word}` prints what to set")
    start = recipe.start(link)
    program = recipe.program or (arguments[0] if arguments else "")
    if not program:
        raise click.UsageError(f"say what to start: donut connect --run {recipe.word} -- python my_program.py")
    own = arguments if recipe.program else arguments[1:]
    found = shutil.which(program)
    if found is None:
        raise click.ClickException(f"{program} is not on the PATH: install it first")
    environ = {name: value for name, value in os.environ.items() if name not in recipe.clears} | dict(start.variables)
    environ |= {name: str(_own_home(recipe.word, *file)) for name, file in start.homes.items()}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(found, [program, *start.arguments, *own], environ)  # noqa: S606 - starting what the person named is what it is for


def _own_home(word: str, file: str, text: str) -> Path:
    """A folder of donut's own that holds `file` with `text` in it. Raises click.ClickException."""
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = (xdg if xdg.is_absolute() else Path.home() / ".cache") / "donut" / word
    path = folder / file
    try:
        if read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    return folder
