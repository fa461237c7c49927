"""What in the `adapters` section concerns other sections, or files that are not there (yet): warnings, for all of it may come later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.document import Document
from config.problems import Problem, did_you_mean
from config.reading import items, mapping, shown, text


def adapter_warnings(document: Document) -> Iterator[Problem]:
    adapters = mapping(document.data, "adapters")
    providers = {text(provider, "id") for _, provider in items(document.data, "providers")}
    for index, cliproxy in items(adapters, "cliproxy"):
        name = text(cliproxy, "provider")
        if name and name not in providers:
            path = ("adapters", "cliproxy", index, "provider")
            hint = did_you_mean(name, providers) or "its figures are kept, but steer nothing"
            yield document.problem(path, f"there is no provider `{shown(document, path, name)}`", hint)
    for section, key in (("helios", "folder"), ("thegent", "folder")):
        folder = text(mapping(adapters, section), key)
        if folder and not Path(folder).expanduser().is_dir():
            yield document.problem(("adapters", section, key), "there is no such folder yet")
