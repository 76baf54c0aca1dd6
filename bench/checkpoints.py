"""Rows 8 and 10: what torch.save wrote, converted and scanned by the command and by others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import cache, data
from bench.measure import Contender, Program, Run, Worker
from bench.table import Comparison

CONVERT = 8
SCAN = 10


def fresh_target(source: Path, target: Path) -> Callable[[], Run]:
    """The source is in memory, there is no target, and nothing is being written."""

    def prepare() -> Run:
        target.unlink(missing_ok=True)
        os.sync()
        return {"resident_before": cache.warm(source)}

    return prepare


def check_target(target: Path, sums: dict[str, int]) -> Callable[[], None]:
    def finish() -> None:
        if data.sum_tensors(target) != sums:
            raise SystemExit(f"bench: {target} does not hold what was converted")
        target.unlink()

    return finish


def converters(
    command: Path, source: Path, target: Path, sums: dict[str, int], workers: dict[str, Worker]
) -> dict[str, Contender]:
    """Ours as a whole process; the workers, which convert in Python. All write the same file."""
    line = [str(command), "convert", str(source), "-o", str(target)]
    found: dict[str, Contender] = {"sft convert": Program("sft convert", line, reports=False)}
    found |= workers
    for each in found.values():
        each.prepare = fresh_target(source, target)
        each.finish = check_target(target, sums)
    return found


def scanners(command: Path, folder: Path, source: Path) -> dict[str, Program]:
    """Ours, those that are installed in an environment's folder, and cat, which only reads."""
    found = {
        "sft scan": Program("sft scan", [str(command), "scan", str(source)], reports=False),
        "cat": Program("cat", ["cat", str(source)], reports=False),
    }
    for name in ("picklescan", "modelscan"):
        program = folder / name
        if program.exists():
            line = [str(program), "--path", str(source)]
            found[name] = Program(name, line, reports=False)
    for each in found.values():
        each.prepare = lambda: {"resident_before": cache.warm(source)}
    return found


def compare(
    row: int, what: str, size: int, contenders: dict[str, Any], ours: list[str]
) -> list[Comparison]:
    """Each of ours against each of the others."""
    return [
        Comparison(row, what, contenders[mine], theirs, None, "first_s", size)
        for mine in ours
        for name, theirs in contenders.items()
        if name not in ours
    ]
