"""The tally in figures: for programs a dict, for people a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.calls import Status
from tests.simulation.tally import Row, Tally


@dataclass(frozen=True, slots=True)
class Report:
    """One finished run."""

    scenario: str
    seed: int
    hours: float
    trace: str
    """The digest of everything that happened."""
    events: int
    tally: Tally

    @property
    def requests(self) -> int:
        return self.tally.statuses.total()

    @property
    def open_success(self) -> float:
        """Share of the open requests that were answered; one whose client changed its mind does not count."""
        counts = self.tally.open_statuses
        return _share(counts[Status.OK], counts.total() - counts[Status.CANCELLED])

    @property
    def amplification(self) -> float:
        """Attempts per request that was attempted at all."""
        return _share(self.tally.attempts, self.requests - self.tally.statuses[Status.REFUSED])

    @property
    def affinity(self) -> float:
        """Of the requests whose conversation had a replica that could go on: how many it got."""
        tally = self.tally
        return _share(tally.kept, tally.kept + tally.moved_while_well)

    @property
    def recovery_s(self) -> float | None:
        """From the end of the trouble to the last open request that still suffered; None without a trouble."""
        tally = self.tally
        if tally.trouble_ends_s is None:
            return None
        return 0.0 if tally.last_trouble_s is None else tally.last_trouble_s - tally.trouble_ends_s

    def as_dict(self) -> dict[str, Any]:
        tally = self.tally
        ok = tally.statuses[Status.OK]
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "hours": self.hours,
            "trace": self.trace,
            "events": self.events,
            "requests": self.requests,
            "statuses": {status.value: tally.statuses[status] for status in Status},
            "open_success": round(self.open_success, 5),
            "refusals": dict(sorted(tally.refusals.items())),
            "retries_refused": dict(sorted(tally.retries_refused.items())),
            "failures": {kind.value: count for kind, count in sorted(tally.failures.items())},
            "attempts": tally.attempts,
            "amplification": round(self.amplification, 4),
            "failovers": tally.attempts - (self.requests - tally.statuses[Status.REFUSED]),
            "spillovers": tally.spillovers,
            "escalations": tally.escalations,
            "downgrades": tally.downgrades,
            "panics": tally.panics,
            "cost_usd": round(tally.cost_usd, 4),
            "quality": round(_share(tally.quality, tally.judged), 4),
            "underserved_share": round(_share(tally.underserved, tally.judged), 4),
            "local_share": round(_share(tally.local, ok), 4),
            "affinity": round(self.affinity, 4),
            "switches": {"forced_or_other_tier": tally.moved_away, "while_well": tally.moved_while_well, "kept": tally.kept},
            "cached_share": round(_share(sum(row.cached for row in tally.rows.values()), sum(r.tokens for r in tally.rows.values())), 4),
            "ttft_s": _quantiles(tally.ttft_s),
            "total_s": _quantiles(tally.total_s),
            "recovery_s": _rounded(self.recovery_s),
            "back_s": _rounded(tally.back_s),
            "replicas": {replica_id: _row(row) for replica_id, row in sorted(tally.rows.items())},
        }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _quantiles(values: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    return {name: round(ordered[int(at * (len(ordered) - 1))], 3) if ordered else None for name, at in (("p50", 0.5), ("p95", 0.95))}


def _row(row: Row) -> dict[str, Any]:
    return {
        "sent": row.sent,
        "ok": row.ok,
        "failed": row.failed,
        "limited": row.limited,
        "gone": row.gone,
        "cost_usd": round(row.cost_usd, 4),
        "tokens": row.tokens,
        "cached": row.cached,
        "ttft_s": _quantiles(row.ttft_s),
    }


# For people

SHOWN = (
    ("requests", "requests"),
    ("open_success", "open requests answered"),
    ("cost_usd", "cost, USD"),
    ("quality", "quality proxy (1 = enough)"),
    ("underserved_share", "answered below the needed tier"),
    ("local_share", "answered locally"),
    ("affinity", "conversations kept while well"),
    ("cached_share", "tokens read from prompt caches"),
    ("attempts", "attempts"),
    ("amplification", "attempts per request"),
    ("failovers", "failovers"),
    ("spillovers", "spillovers"),
    ("escalations", "escalations"),
    ("downgrades", "downgrades"),
    ("panics", "panics"),
    ("recovery_s", "recovery, s"),
    ("back_s", "troubled provider answers again, s"),
)
COLUMNS = ("sent", "ok", "failed", "limited", "gone", "tokens", "cached", "cost_usd")


def page(report: Report) -> str:
    """What a person reads at the end of a run."""
    figures = report.as_dict()
    lines = [f"{report.scenario}, seed {report.seed}, {report.hours:g} h: {report.events} events, trace {report.trace}", ""]
    lines += [f"  {words:<36}{_cell(figures[key])}" for key, words in SHOWN if figures[key] is not None]
    for key in ("ttft_s", "total_s"):
        lines.append(f"  {key:<36}p50 {figures[key]['p50']}  p95 {figures[key]['p95']}")
    lines += [f"  {key:<36}{_counts(figures[key])}" for key in ("statuses", "refusals", "retries_refused", "failures", "switches")]
    lines += ["", *_table(("replica", *COLUMNS, "ttft p50", "p95"), [_cells(key, row) for key, row in figures["replicas"].items()])]
    return "\n".join(lines)


def _cells(replica_id: str, row: dict[str, Any]) -> tuple[str, ...]:
    return (replica_id, *(_cell(row[column]) for column in COLUMNS), _cell(row["ttft_s"]["p50"]), _cell(row["ttft_s"]["p95"]))


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if value < 100 else f"{value:,.0f}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count) or "none"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    all_rows = [head, *rows]
    widths = [max(len(row[i]) for row in all_rows) for i in range(len(head))]
    return ["  ".join(_padded(cell, width, i) for i, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in all_rows]


def _padded(cell: str, width: int, column: int) -> str:
    """Names stand left, figures right."""
    return cell.rjust(width) if column else cell.ljust(width)
