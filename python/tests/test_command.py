"""`python -m safetensors`: the command that comes with the package."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import safetensors
from conftest import ROOT

ATTACKS = ROOT / "examples" / "attacks"
DIGITS = ROOT / "examples" / "digits"

pytestmark = pytest.mark.skipif(
    not (Path(safetensors.__file__).parent / "bin" / "sft").exists(),
    reason="this package was built without the command, for there was no OpenSSL",
)


def sft(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command as people do."""
    line = [sys.executable, "-m", "safetensors", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_it_is_the_command() -> None:
    done = sft("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[:2] == ["sft", safetensors.__version__.partition("+sft.")[2]]
    assert version("safetensors") == safetensors.__version__
    assert sft("nothing").returncode == 64


def test_it_lists() -> None:
    done = sft("ls", DIGITS / "digits.safetensors")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 6


def test_it_scans_and_converts(tmp_path: Path) -> None:
    assert sft("scan", DIGITS / "digits.pt").returncode == 0
    done = sft("scan", ATTACKS / "poisoned.pt")
    assert done.returncode == 1
    assert "all_reduce" in done.stdout + done.stderr
    target = tmp_path / "x.safetensors"
    assert sft("convert", ATTACKS / "poisoned.pt", "-o", target).returncode == 1
    assert not target.exists()
    assert sft("convert", DIGITS / "digits.pt", "-o", target).returncode == 0
    assert sft("diff", "--data", DIGITS / "digits.safetensors", target).stderr == ""
    assert sft("check", target).returncode == 0


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """The interpreter ignores SIGPIPE; the command must not."""
    line = [sys.executable, "-m", "safetensors", "cat", DIGITS / "digits.safetensors"]
    line += ["linear.weight"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode != 0
