"""Runs the command, and tells what it printed, how long it took and how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What a hostile file may cost. Time is the processor's: the machine may be busy with other tests.
MOST_SECONDS = 1.0
MOST_KIB = 256 * 1024


def command() -> str:
    """The command under test."""
    return os.environ["SFT_COMMAND"]


@dataclass(frozen=True)
class Ran:
    """What became of one run."""

    code: int
    out: bytes
    err: str
    seconds: float
    peak_kib: int

    def lines(self) -> list[str]:
        """What stands on standard error, line by line."""
        return self.err.splitlines()

    def document(self) -> Any:
        """What stands on standard output, as JSON."""
        return json.loads(self.out)


def run(*arguments: str | Path, cwd: Path | None = None, timeout: float = 120.0) -> Ran:
    """Runs the command to its end."""
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.NamedTemporaryFile() as peak,
    ):
        line = [os.environ["SFT_PEAK"], peak.name, command(), *map(str, arguments)]
        process = subprocess.Popen(line, stdout=out, stderr=err, cwd=cwd, start_new_session=True)
        try:
            # The helper has waited for the command by then: its times count for the helper's.
            code, usage = _wait(process, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            raise AssertionError(f"{arguments}: not done after {timeout} s") from None
        out.seek(0)
        err.seek(0)
        text = err.read().decode(errors="replace")
        written = peak.read()
        return Ran(code, out.read(), text, usage, int(written or 0))


def _wait(process: subprocess.Popen[bytes], timeout: float) -> tuple[int, float]:
    before = os.times()
    code = process.wait(timeout)
    after = os.times()
    seconds = after.children_user + after.children_system
    return code, seconds - before.children_user - before.children_system


def scan(path: Path) -> tuple[Ran, dict[str, Any]]:
    """Scans a file with --json."""
    ran = run("scan", "--json", path)
    assert ran.code in (0, 1, 2, 3), f"{path}: exit {ran.code}: {ran.err}"
    return ran, ran.document()


def convert(source: Path, target: Path, *more: str) -> Ran:
    """Converts a file."""
    return run("convert", *more, source, "-o", target)


def assert_cheap(ran: Ran, what: object) -> None:
    """Fails where it took too long, or too much memory."""
    assert ran.seconds < MOST_SECONDS, f"{what}: {ran.seconds:.2f} s of the processor's time"
    assert ran.peak_kib < MOST_KIB, f"{what}: {ran.peak_kib / 1024:.0f} MiB"


def left_in(folder: Path) -> list[str]:
    """Everything that lies in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
