"""Ratios with their spread, and the tables that are printed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from bench.measure import Contender, Run, Worker


def middle(runs: list[Run], key: str) -> float | None:
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


@dataclass
class Comparison:
    """How many times faster `ours` is than `theirs`: one line of the table."""

    row: int
    what: str
    ours: Contender
    theirs: Contender
    target: float | None = None  # the ratio that we want at least
    key: str = "first_s"
    size: int | None = None  # bytes that are moved, for the throughput

    def cpu_ratio(self) -> float | None:
        """The same ratio of CPU time, where it was taken of the very work that the clock timed."""
        if not isinstance(self.ours, Worker) or self.key != "first_s":
            return None
        mine = middle(self.ours.runs, "cpu_s")
        others = middle(self.theirs.runs, "cpu_s")
        return others / mine if mine and others else None

    def summary(self) -> dict[str, Any]:
        ours = [run[self.key] for run in self.ours.runs]
        theirs = [run[self.key] for run in self.theirs.runs]
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        low, high = min(ratios), max(ratios)
        if len(ratios) >= 4:
            low, _, high = statistics.quantiles(ratios, n=4)
        mine = statistics.median(ours)
        return {
            "row": self.row,
            "what": self.what,
            "ours": self.ours.name,
            "against": self.theirs.name,
            "ours_s": mine,
            "theirs_s": statistics.median(theirs),
            "ours_bytes_per_s": self.size / mine if self.size else None,
            "ratio": statistics.median(theirs) / mine,
            "ratio_low": low,
            "ratio_high": high,
            "cpu_ratio": self.cpu_ratio(),
            "target": self.target,
        }


def format_time(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms"


def format_rate(rate: float | None) -> str:
    if rate is None:
        return ""
    return f"{rate / 1e9:.1f} GB/s" if rate >= 1e9 else f"{rate / 1e6:.0f} MB/s"


def lay_out(cells: list[list[str]], left: set[int]) -> list[str]:
    """Lines of a Markdown table, in columns; those in `left` begin at the left."""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    rule = ["-" * width if i in left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    lines = []
    for line in [cells[0], rule, *cells[1:]]:
        padded = [
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    return lines


def ratio_table(rows: list[dict[str, Any]]) -> list[str]:
    names = ["row", "work", "ours", "", "against", "theirs", "ratio", "spread", "wanted", "CPU"]
    cells = [names]
    for row in rows:
        cells.append(
            [
                str(row["row"]),
                row["what"],
                format_time(row["ours_s"]),
                format_rate(row["ours_bytes_per_s"]),
                row["against"],
                format_time(row["theirs_s"]),
                f"{row['ratio']:.2f}x",
                f"{row['ratio_low']:.2f}-{row['ratio_high']:.2f}",
                "" if row["target"] is None else f"{row['target']:g}x",
                "" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}x",
            ]
        )
    return lay_out(cells, {1, 4})


def cost_of(contender: Contender) -> dict[str, Any]:
    """What a contender's work costs besides time: medians over its runs."""
    cost: dict[str, Any] = {
        key: middle(contender.runs, key)
        for key in ("cpu_s", "minor_faults", "bytes_by_calls", "bytes_from_disk", "asked_bytes")
    }
    peaks = {"peak_anonymous": contender.peak_anonymous, "peak_resident": contender.peak_resident}
    return cost | peaks


def cost_table(groups: list[tuple[int, str, list[Contender]]]) -> list[str]:
    """CPU seconds, faults, memory and bytes read of everything that loads or saves."""

    def mib(size: float | None) -> str:
        return "" if size is None else f"{size / (1 << 20):.1f}"

    names = ["row", "work", "who", "CPU", "faults", "anonymous", "resident", "read()"]
    cells = [[*names, "from disk", "asked"]]
    for row, what, contenders in groups:
        for contender in contenders:
            cost = cost_of(contender)
            cells.append(
                [
                    str(row),
                    what,
                    contender.name,
                    format_time(cost["cpu_s"]),
                    f"{cost['minor_faults']:,.0f}",
                    mib(cost["peak_anonymous"]),
                    mib(cost["peak_resident"]),
                    mib(cost["bytes_by_calls"]),
                    mib(cost["bytes_from_disk"]),
                    mib(cost["asked_bytes"]),
                ]
            )
    return lay_out(cells, {1, 2})
