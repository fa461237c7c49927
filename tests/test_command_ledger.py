"""`donut ledger …` as a person and a program use it: every answer with its source, every mistake with a hint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from config.cli import cli
from config.ledger.store import Kept, write
from routing.ledger.readings import Reading
from routing.ledger.sheet import sheets_of

EXPECTED_CONFIG = """
discovery: {local: false, environment: false}
overrides:
  gemini-3.1-pro: {intelligence_index: 57.0, speed_tps: 65, latency_ms: 3990}
  openai/gpt-6.1-sol: {price_input: 1.5}
  claude-opus-5: {swe_bench_verified: 80.5}
"""


class Home:
    """A home directory with a config in it, and `donut` in that."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("XDG_CONFIG_HOME", "DONUT_CONFIG", "AA_API_KEY", "OPENROUTER_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setenv("DONUT_DATA", str(folder / "data"))
        monkeypatch.chdir(folder)
        self.folder = folder
        self.ledger = folder / "data" / "ledger"

    def config(self, text: str) -> None:
        (self.folder / "donut.yaml").write_text(text)

    def run(self, *args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, ["ledger", *args])
        assert result.exit_code == code, result.output
        return result

    def json(self, *args: str, code: int = 0) -> Any:
        return orjson.loads(self.run(*args, "--json", code=code).stdout)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


def test_help_shows_what_to_type(home: Home) -> None:
    text = home.run("--help").output
    for name in ("list", "show", "compare", "pareto", "refresh", "validate", "import", "export"):
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name
        assert "donut ledger" in home.run(name, "--help").output or name == "validate"


def test_list(home: Home) -> None:
    rows = home.json("list")["models"]
    assert len(rows) >= 20
    assert rows[0]["quality"] == max(row["quality"] for row in rows)
    assert all(row["price"]["at"] for row in rows if row["price"])
    at_groq = home.json("list", "--provider", "groq")["models"]
    assert at_groq
    assert all("groq" in row["providers"] for row in at_groq)
    assert len(home.json("list", "--all")["models"]) > 600
    assert "there are alibaba" in home.run("list", "--provider", "gorq", code=1).output
    assert "Shipped figures are of 2026-11-20" in home.run("list").output


@pytest.mark.parametrize("model", ["claude-sonnet-5.5", "gpt-5.6-sol", "gemini-3.1-pro", "deepseek-v4-pro"])
def test_show_carries_every_figure_with_its_source(home: Home, model: str) -> None:
    home.config(EXPECTED_CONFIG)
    told = home.json("show", model)
    figures = [*told["figures"], *(figure for entry in told["entries"] for figure in entry["figures"])]
    assert figures
    for figure in figures:
        assert figure["source"]
        assert figure["unit"]
        assert figure["updated_at"] or figure["version"] or figure["source"] == "manual"
        assert 0 < figure["confidence"] <= 1
        assert sum(each["won"] for each in figure["candidates"]) == 1
        assert all(each["why"] and each["source"] for each in figure["candidates"])
    assert told["match"] == {"confidence": 1.0, "how": "its own name"}


def test_show_keeps_the_losing_candidates(home: Home) -> None:
    told = home.json("show", "anthropic/claude-sonnet-5-5")
    losers = {(each["source"], each["value"]) for figure in told["figures"] for each in figure["candidates"] if not each["won"]}
    assert losers == {("models_dev", 0.2)}
    text = home.run("show", "anthropic/claude-sonnet-5-5", "--provenance").output
    assert "models_dev" in text
    assert "most say so" in text
    assert "models_dev" not in home.run("show", "anthropic/claude-sonnet-5-5").output.replace("models_dev comes after", "")


def test_a_persons_figure_wins_and_is_shown_as_theirs(home: Home) -> None:
    home.config(EXPECTED_CONFIG)
    told = home.json("show", "gemini-3.1-pro")
    figure = next(each for each in told["figures"] if each["metric"] == "intelligence_index")
    assert (figure["value"], figure["source"], figure["confidence"]) == (57.0, "manual", 1.0)
    assert "donut.yaml" in figure["where"]
    assert told["quality"]["general"]["made_of"] == "intelligence_index 57 of manual"
    assert told["speed"]["ttft_s"] == pytest.approx(3.99)
    entry = next(each for each in home.json("show", "gpt-6.1-sol")["entries"] if each["entry"] == "openai/gpt-6.1-sol")
    assert (entry["price"]["input"], entry["price"]["output"]) == (1.5, 10.0)
    assert "overrides" not in entry["price"], "conditions relative to another price are dropped with it"


def test_benchmarks_yaml_beside_the_config_is_read_and_the_config_comes_first(home: Home) -> None:
    home.config("overrides: {claude-opus-5: {gpqa: 99}}")
    (home.folder / "benchmarks.yaml").write_text(
        "overrides: {claude-opus-5: {gpqa: 1, hle: 50}}\nsources: {openrouter: {enabled: false}}\n"
    )
    figures = {figure["metric"]: figure["value"] for figure in home.json("show", "claude-opus-5")["figures"]}
    assert (figures["gpqa"], figures["hle"]) == (99, 50)
    (home.folder / "benchmarks.yaml").write_text("overrides: {claude-opus-5: {gpqaa: 1}}")
    assert "did you mean `gpqa`" in home.run("show", "claude-opus-5", code=2).output


def test_other_spellings_and_near_misses(home: Home) -> None:
    assert "0.95 sure" in home.run("show", "Claude Opus 5").output
    missed = home.run("show", "claud-opus-5", code=1).output
    assert "did you mean claude-opus-5" in missed


def test_compare(home: Home) -> None:
    told = home.json("compare", "claude-opus-5", "gpt-5.6-sol")["models"]
    assert [each["subject"] for each in told] == ["claude-opus-5", "gpt-5.6-sol"]
    assert all(figure["source"] for each in told for figure in each["figures"])
    assert "epoch_capabilities_index" in home.run("compare", "claude-opus-5", "gpt-5.6-sol").output
    assert "two models" in home.run("compare", "claude-opus-5", code=2).output


def test_pareto_draws_the_front(home: Home) -> None:
    told = home.json("pareto", "--use-case", "code")["models"]
    front = [each["model"] for each in told if each["pareto_rank"] == 1]
    assert "gpt-6-astra" in front
    text = home.run("pareto", "--svg", "front.svg").output
    assert re.search(r"^  A  \S+", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines() if "│" in line) <= 80
    svg = (home.folder / "front.svg").read_text()
    assert svg.startswith("<svg ")
    assert "gpt-6-astra" in svg
    assert svg.count("<circle") == len(home.json("pareto")["models"])


def test_validate(home: Home) -> None:
    assert home.json("validate")["ok"] is True
    home.config("overrides: {claude-opuss-5: {quality: 0.5}, my-own: {quality: 0.5}}")
    told = home.json("validate", code=1)
    assert [(each["is_wrong"], "did you mean claude-opus-5" in each["words"]) for each in told["findings"]] == [
        (True, True),
        (False, False),
    ]
    home.config("models: [{id: claude-opuss-5, quality: 0.5}]\noverrides: {claude-opuss-5: {hle: 5}}")
    assert home.json("validate")["findings"] == [], "a model of one's own may be called so"
    home.config("")
    home.ledger.mkdir(parents=True)
    (home.ledger / "openrouter.json").write_text("{")
    assert "openrouter.json" in home.run("validate", code=1).output
    write(home.ledger, Kept("openrouter", sheets_of([Reading("m", "gpqa", 500.0, "openrouter")]), "2020-01-01T00:00:00+00:00"))
    findings = [each["words"] for each in home.json("validate")["findings"]]
    assert any("quarantined" in words for words in findings)
    assert any("was last heard of" in words for words in findings)


def test_an_export_can_be_imported(home: Home) -> None:
    home.config(EXPECTED_CONFIG)
    home.run("export", "-o", "ledger.json")
    before = home.json("show", "gpt-5.6-sol")["figures"]
    home.config("")
    told = home.json("import", "ledger.json")
    assert told["figures"] > 10_000
    assert [path.name for path in home.ledger.iterdir()] == ["import-ledger.json"]
    after = home.json("show", "gpt-5.6-sol")["figures"]
    assert {each["metric"]: each["value"] for each in before} == {each["metric"]: each["value"] for each in after}


def test_what_may_not_be_passed_on_is_not_exported(home: Home) -> None:
    write(home.ledger, Kept("artificial_analysis", sheets_of([Reading("gpt-5.6-sol", "intelligence_index", 60.0, "artificial_analysis")])))
    home.run("export", "-o", "shared.json")
    home.run("export", "--restricted", "-o", "own.json")
    names = [
        {sheet["source"] for sheet in orjson.loads((home.folder / file).read_bytes())["sheets"]} for file in ("shared.json", "own.json")
    ]
    assert names[1] - names[0] == {"artificial_analysis"}
    assert "artificialanalysis.ai" in home.run("show", "gpt-5.6-sol").output, "its terms want to be named wherever it is shown"


def test_other_systems_files_go_out_and_come_in(home: Home) -> None:
    for shape in ("tokenledger-pricing", "thegent-benchmarks", "tokenledger-benchmarks"):
        home.config(EXPECTED_CONFIG)
        home.run("export", "--format", shape, "-o", f"{shape}.json")
        home.config("")
        assert home.json("import", f"{shape}.json")["figures"] > 0, shape
    price = home.json("show", "anthropic/claude-sonnet-5-5")["price"]
    assert (price["input"], price["version"].partition(":")[0]) == (2.0, "imported")
    told = home.json("import", "tokenledger", "tokenledger-pricing.json", "--name", "again")
    assert told["kept_in"].endswith("import-again.json")


def test_what_is_no_file_of_anybody_is_refused_in_words(home: Home) -> None:
    (home.folder / "x.json").write_text('{"hello": 1}')
    (home.folder / "y.json").write_text("{")
    (home.folder / "z.json").write_text('{"sheets": [{"source": 1}]}')
    for name in ("x.json", "y.json", "z.json", "nothing.json", "."):
        result = home.run("import", name, code=1)
        assert "Traceback" not in result.output
        assert name in result.output
    assert "there are helios" in home.run("import", "helio", "x.json", code=1).output
    assert "THEIRS=OURS" in home.run("import", "x.json", "--model", "codex", code=2).output
    assert not home.ledger.exists()


def test_refresh_without_keys_or_network_says_so_and_changes_nothing(home: Home) -> None:
    home.config("sources: {openrouter: {url: 'http://127.0.0.1:9'}, artificial_analysis: {enabled: false}}")
    told = home.json("refresh", "--source", "openrouter", "--source", "artificial_analysis", code=1)["feeds"]
    assert [(each["feed"], each["state"]) for each in told] == [("openrouter", "failed"), ("artificial_analysis", "skipped")]
    assert "AA_API_KEY" in told[1]["words"]
    assert not home.ledger.exists()
    assert "there are arena" in home.run("refresh", "--source", "openruter", code=1).output
