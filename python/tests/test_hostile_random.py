"""The extension called at random (fuzzer.py), in a process that must not die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 6


@pytest.mark.parametrize(("seed", "threads"), [(1, 1), (2, 1), (3, 4)])
def test_calls_at_random(tmp_path: Path, seed: int, threads: int) -> None:
    log = tmp_path / "log"
    fuzzer = Path(__file__).parent / "fuzzer.py"
    ended = subprocess.run(
        [
            sys.executable,
            "-X",
            "faulthandler",
            str(fuzzer),
            *map(str, (seed, SECONDS, threads, log)),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )
    last = log.read_text(errors="replace")
    assert ended.returncode == 0, f"{last}\n{ended.stderr[-4000:]}"
    word, calls, returned = last.split()
    assert word == "done"
    assert int(calls) > 500
    assert int(returned) > int(calls) // 5, "most arguments are wrong: it tries too little"
