#!/usr/bin/env python3
"""Sums what ctest and pytest wrote as JUnit files into one closing line.

usage: sum_results.py FOLDER [BROKEN...]

FOLDER holds one PART.xml for each part that ran; each BROKEN names a part that could not be
built or run, and counts as one failure. A program that holds many cases and says so, in cmocka's
closing lines or in a plain "N passed, N failed" line, counts as that many. The exit code is 1
when anything failed or nothing passed.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ET
from typing import NamedTuple

CMOCKA = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) ? ?\] (\d+) test\(s\)", re.MULTILINE)
PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: "Count") -> "Count":
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


def cases_in(output: str) -> Count:
    """The cases that a program says it ran, or nothing."""
    if plain := PLAIN.findall(output):
        passed, failed, skipped = plain[-1]
        return Count(int(passed), int(failed), int(skipped or 0))
    total = Count()
    for kind, number in CMOCKA.findall(output):
        total = total.plus(Count(**{kind.lower(): int(number)}))
    return total


def count_test(case: ET.Element) -> Count:
    cases = cases_in(case.findtext("system-out") or "")
    status = case.get("status")
    if status == "fail" or case.find("failure") is not None or case.find("error") is not None:
        return cases._replace(failed=max(cases.failed, 1))
    if status in ("notrun", "disabled") or case.find("skipped") is not None:
        return Count(skipped=1)
    return cases if any(cases) else Count(passed=1)


def name_of(case: ET.Element) -> str:
    """ctest names a program twice, pytest tells the file apart from the test."""
    name, group = case.get("name") or "", case.get("classname") or ""
    return name if group in ("", name) else f"{group}.{name}"


def main() -> int:
    folder, broken = pathlib.Path(sys.argv[1]), sys.argv[2:]
    total = Count(failed=len(broken))
    print()
    for path in sorted(folder.glob("*.xml")):
        root = ET.parse(path).getroot()
        part = Count()
        for case in root.iter("testcase"):
            count = count_test(case)
            part = part.plus(count)
            if count.failed:
                print(f"failed: {path.stem}: {name_of(case)}")
        if part == Count():
            print(f"failed: {path.stem}: it has no test")
            part = Count(failed=1)
        seconds = sum(float(suite.get("time") or 0) for suite in root.iter("testsuite"))
        print(
            f"{path.stem:<16}{part.passed:>8} passed {part.failed:>4} failed"
            f" {part.skipped:>4} skipped {seconds:>7.0f} s"
        )
        total = total.plus(part)
    for name in broken:
        print(f"failed: {name}: it could not be built or run")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
