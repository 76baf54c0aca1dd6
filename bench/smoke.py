"""python -m bench.smoke FILE - checks that the JSON of a run holds what it should.

Not one figure is judged by its size: machines differ.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

ROWS = {1, 2, 3, 4, 6, 7, 8, 9, 10}
# Rows of programs that report nothing of themselves, or some of them.
PROGRAMS = {9, 10}


def is_figure(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def check_line(line: dict[str, Any]) -> None:
    for key in ("ours_s", "theirs_s", "ratio", "ratio_low", "ratio_high"):
        assert is_figure(line[key]), (line["what"], key, line[key])
    assert line["ratio_low"] <= line["ratio_high"]
    assert math.isclose(line["ratio"], line["theirs_s"] / line["ours_s"])


def check_contender(row: int, contender: dict[str, Any], rounds: int) -> None:
    runs = contender["runs"]
    assert len(runs) == rounds, contender["name"]
    for run in runs:
        assert is_figure(run["first_s"])
        assert run["cpu_s"] >= 0 and run["minor_faults"] >= 0
    if row not in PROGRAMS and contender["name"] != "sft convert":
        assert contender["peak_anonymous"] >= 0
        # Each did the same work as the others, and the peer's package was not ours.
        ours = "+sft" in runs[0]["version"]
        assert ours == contender["name"].startswith("ours"), (contender["name"], runs[0]["version"])


def main() -> None:
    result = json.loads(Path(sys.argv[1]).read_text())
    assert {line["row"] for line in result["rows"]} == ROWS
    assert {group["row"] for group in result["groups"]} == ROWS
    for line in result["rows"]:
        check_line(line)
    for group in result["groups"]:
        assert len(group["contenders"]) > 1
        for contender in group["contenders"]:
            check_contender(group["row"], contender, result["rounds"])
    columns = [group for group in result["groups"] if group["row"] == 6]
    for run in (run for group in columns for c in group["contenders"] for run in c["runs"]):
        # A page touched twice counts once: at least what the tensors themselves hold.
        assert run["asked_bytes"] >= run["bytes"] > 0
    print(f"{len(result['rows'])} lines of {len(result['groups'])} groups are whole")


main()
