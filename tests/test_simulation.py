"""A few virtual hours of every trouble, over several seeds: the oracle watches every event, and the outcome must make sense.

A whole day, or other seeds: `scripts/simulate`. A run that breaks prints the command that shows it again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from routing.facts import FailureKind
from routing.fleet import Fleet
from routing.retry import RetryLimits
from routing.router import Router
from routing.types import Catalog
from tests.playbook import CRITERIA, GATES, router_for
from tests.simulation.__main__ import main
from tests.simulation.calls import Status
from tests.simulation.report import Report
from tests.simulation.scenarios import OPENAI, SCENARIOS, simulated
from tests.simulation.world import BrokenRunError

SEEDS = (1, 2, 3)
HOURS = 1.0
"""Around noon, the busiest part of the day: six hundred to some thousands of requests."""
ROOT = Path(__file__).parent.parent


@cache
def run(scenario: str, seed: int) -> Report:
    return simulated(scenario, seed, HOURS).run()


every_seed = pytest.mark.parametrize("seed", SEEDS)


@every_seed
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_invariant_breaks_in_any_trouble(scenario: str, seed: int) -> None:
    """`run` raises when one does; the rest says that there was something to watch."""
    report = run(scenario, seed)
    assert report.requests > 500
    assert report.tally.statuses[Status.OK] > 400


@pytest.mark.parametrize(("scenario", "seed"), [("blackout", 8), ("herd", 9)])
def test_a_panic_takes_no_probes_place(scenario: str, seed: int) -> None:
    """What was sent in panic once counted as the one probe, and so a second one went out beside the first: the oracle would say so."""
    assert run(scenario, seed).tally.panics > 0


def test_a_box_with_two_slots_spills_over_instead_of_keeping_people_waiting() -> None:
    """Without the gate `queue` 49 clients of this seed gave up."""
    report = run("herd", 3)
    assert report.tally.statuses[Status.GAVE_UP] < 20
    assert report.tally.escalations > 100


@every_seed
def test_a_calm_day_answers_nearly_everything(seed: int) -> None:
    report = run("calm", seed)
    assert report.open_success > 0.995
    assert report.amplification < 1.05


@every_seed
def test_conversations_stay_where_they_are_well(seed: int) -> None:
    report = run("calm", seed)
    assert report.tally.kept > 300
    assert report.affinity > 0.95


@every_seed
def test_an_outage_of_a_vendor_is_hardly_felt(seed: int) -> None:
    report = run("outage", seed)
    assert report.tally.failures[FailureKind.CONNECT] > 10, "there was no outage"
    assert report.open_success > 0.99
    assert report.recovery_s == 0.0
    assert report.tally.back_s is not None, "the vendor was never asked again"


@every_seed
def test_a_dead_box_costs_a_few_requests_and_a_probe_a_minute(seed: int) -> None:
    """D3b. It is down for ten minutes. Each of its four replicas costs three failures, and probes after 5, 10, 20, 40, 60, 60 … seconds.

    Private requests, which nobody else may answer, go to the least bad one: those are told as panic.
    """
    report = run("unplugged", seed)
    failed = sum(row.failed for replica_id, row in report.tally.rows.items() if replica_id.startswith("box/"))
    assert failed >= 3
    assert failed - report.tally.panics <= 4 * (3 + 12)
    assert report.open_success > 0.99
    assert report.tally.back_s is not None
    assert report.tally.back_s < 180


@every_seed
def test_a_herd_is_carried_by_who_is_well(seed: int) -> None:
    report = run("herd", seed)
    assert report.requests > 3000
    assert report.open_success > 0.95
    assert report.amplification < 1.25


@every_seed
def test_the_retry_budget_keeps_a_stampede_from_multiplying(seed: int) -> None:
    report = run("stampede", seed)
    assert report.tally.retries_refused["retry_budget"] > 100
    assert report.open_success > 0.5, "who is well must be asked all the same"
    assert 1.05 < report.amplification < 1.25


def test_without_a_retry_budget_a_stampede_multiplies() -> None:
    """So that the test above tests something."""

    def unlimited(catalog: Catalog, fleet: Fleet) -> Router:
        return router_for(catalog, fleet, retry=RetryLimits(share=100.0))

    assert simulated("stampede", 1, HOURS, make_router=unlimited).run().amplification > 1.4


@every_seed
def test_after_a_blackout_everything_is_back_within_two_minutes(seed: int) -> None:
    report = run("blackout", seed)
    assert report.open_success < 0.95, "nobody noticed the blackout"
    assert report.recovery_s is not None
    assert report.recovery_s < 120
    assert report.tally.back_s is not None
    assert report.tally.back_s < 120


@every_seed
def test_tight_limits_are_learned_and_not_hammered(seed: int) -> None:
    """Every 429 names its time, so that a second request within it would be a mistake (the oracle would say so)."""
    report = run("squeeze", seed)
    assert report.tally.failures[FailureKind.RATE_LIMITED] > run("calm", seed).tally.failures[FailureKind.RATE_LIMITED]
    assert report.tally.spillovers > 0
    assert report.open_success > 0.99


@every_seed
def test_the_account_that_became_dearer_is_left_for_the_other_one(seed: int) -> None:
    def share_of_a(report: Report) -> float:
        sent = {account: sum(row.sent for id_, row in report.tally.rows.items() if id_.startswith(account)) for account in OPENAI}
        return sent["openai-a"] / sum(sent.values())

    assert share_of_a(run("price-jump", seed)) < share_of_a(run("calm", seed)) - 0.1


@every_seed
def test_a_refused_key_is_probed_once_a_minute_and_not_more(seed: int) -> None:
    """Five replicas of one account for ten minutes: the first refusal stands for all of them. Whoever may be answered by that account
    alone goes to the least bad one, in panic."""
    report = run("expired-key", seed)
    assert 1 <= report.tally.failures[FailureKind.UNAUTHORIZED] <= 12 + report.tally.panics
    assert report.open_success > 0.99


@every_seed
@pytest.mark.parametrize("scenario", ["flapping", "slow-death"])
def test_what_is_half_dead_is_worked_around(scenario: str, seed: int) -> None:
    assert run(scenario, seed).open_success > 0.99


def test_the_same_seed_is_the_same_day_in_another_process_too() -> None:
    """With another hash seed, so that no iteration over a set can decide anything."""
    command = [sys.executable, "-m", "tests.simulation", "--scenario", "herd", "--seed", "1", "--hours", str(HOURS), "--json"]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(run("herd", 1).as_dict()))


def test_another_seed_is_another_day() -> None:
    assert len({run("calm", seed).trace for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("name", ["constraints", "dialect", "health", "made_by", "tried"])
def test_the_oracle_sees_a_router_without(name: str) -> None:
    """Drop one gate, and the run breaks and says how to see it again. Who watches the watchman: this does."""
    kept = tuple(gate for gate in GATES if gate.name != name)
    assert len(kept) == len(GATES) - 1

    def broken(catalog: Catalog, fleet: Fleet) -> Router:
        return Router(catalog, replace(CRITERIA, gates=kept), fleet=fleet)

    with pytest.raises(BrokenRunError, match="again with: scripts/simulate --scenario outage --seed 1 --hours 1"):
        simulated("outage", 1, HOURS, make_router=broken).run()


def test_the_page_shows_figures_and_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hours", "0.5"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("calm, seed 1, 0.5 h: ")
    for word in ("trace ", "cost, USD", "local", "spillovers", "p95", "box/qwen3-8b"):
        assert word in page


def test_many_runs_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hours", "0.25", "--seeds", "3-5", "--scenario", "outage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["outage", "seed", "3"], ["outage", "seed", "4"], ["outage", "seed", "5"]]


@pytest.mark.parametrize("arguments", [["--seeds", "many"], ["--hours", "0"], ["--scenario", "earthquake"]])
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error: " in capsys.readouterr().err
