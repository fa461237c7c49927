"""Epoch AI's Capabilities Index, from its CSV (CC BY 4.0). It is refitted at every update: the newest date in the file is its edition."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from providers.feeds import Feed, FeedError, Page, Parsed, Subjects, number, text
from routing.ledger.names import spelled
from routing.ledger.readings import Reading

NAME = "epoch"
SCORES = "/data/eci_scores.csv"
LICENCE = "CC-BY-4.0"


def paths(subjects: Subjects, has_key: bool) -> Sequence[str]:
    del subjects, has_key
    return (SCORES,)


def parse(page: Page) -> Parsed:
    try:
        table = list(csv.DictReader(io.StringIO(page.body.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FeedError(f"not a CSV in UTF-8: {error}") from error
    if not table or not {"Model", "eci"} <= table[0].keys():
        raise FeedError("the table has no columns Model and eci")
    return Parsed(list(_readings(table, page)))


def _readings(table: Sequence[Mapping[str, str]], page: Page) -> Iterator[Reading]:
    for row in table:
        name = text(row.get("Model"))
        model = page.subjects.model(name) or page.subjects.model(text(row.get("Display name")))
        value = number(row.get("eci"))
        if model is not None and value is not None:
            # The file says nothing of its own edition; the day it was read stands for it.
            yield Reading(
                model, "epoch_capabilities_index", value, NAME, page.today, page.today, licence=LICENCE, effort=spelled(name).effort
            )


FEED = Feed(NAME, "https://epoch.ai", paths, parse)
