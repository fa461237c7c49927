"""A price in the config, with all that it may depend on, as the one that answers are counted with."""

from __future__ import annotations

import datetime as dt

import pytest

from config.price_settings import price_from
from config.problems import ConfigError
from config.settings import Settings
from routing.ledger.cost import Circumstances, cost
from routing.types import Price, Usage
from tests.serving import load_text

CONFIG = """
providers:
  - id: box
    kind: openai
    base_url: http://127.0.0.1:9001/v1
    models:
      - upstream: up
        price:
          input: 2
          output: 10
          cache_write_1h: 4
          request: 0.01
          overrides:
            - {min_prompt_tokens: 200001, input: 4, output: 15}
            - {utc_start: 0030, utc_end: "08:30", utc_days: [saturday, sunday], input: 1}
            - {effective_from: 2026-12-01, output: 8}
          lanes: {batch: 0.5}
"""


def price_in(settings: Settings) -> Price:
    found = price_from(settings.providers[0].models[0].price)
    assert found is not None
    return found


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("tokens", "moment", "usd"),
    [
        (100_000, "2026-11-23T12:00", 0.2 + 0.1 + 0.01),
        (300_000, "2026-11-23T12:00", 1.2 + 0.15 + 0.01),
        (100_000, "2026-11-22T00:30", 0.1 + 0.1 + 0.01),
        (100_000, "2026-12-01T00:00", 0.2 + 0.08 + 0.01),
    ],
)
def test_its_conditions_count(tokens: int, moment: str, usd: float) -> None:
    price = price_in(load_text(CONFIG).settings)
    found = cost(Usage(tokens, output=10_000), price, Circumstances(at(moment)))
    assert found is not None
    assert found.total == pytest.approx(usd)


def test_a_plain_price_stays_plain_and_free_is_not_unknown() -> None:
    price = price_in(load_text(CONFIG[: CONFIG.index("        price:")] + "        price: {input: 0, output: 0}\n").settings)
    assert price == Price(0.0, 0.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("utc_start: noon", "must be a time of day in UTC"),
        ("utc_days: [caturday]", "did you mean `saturday`"),
        ("min_prompt_tokens: 0", "at least 1"),
        ("inptu: 3", "did you mean `input`"),
        ("input: -1", "at least 0"),
    ],
)
def test_a_mistake_is_named(wrong: str, words: str) -> None:
    text = CONFIG.replace("{effective_from: 2026-12-01, output: 8}", f"{{{wrong}}}")
    with pytest.raises(ConfigError, match=words):
        load_text(text)
