"""What the tests of `sft scan` and `sft convert` share.

SFT_COMMAND names the command, SFT_PEAK the program that measures its memory (tests/memory/peak.c),
SFT_TEST_DATA the folder with files of other projects.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Stops at once where there is nothing to test."""
    for name in ("SFT_COMMAND", "SFT_PEAK"):
        if not os.path.isfile(os.environ.get(name, "")):
            pytest.exit(f"{name} names no file", returncode=2)


@pytest.fixture
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of small files are written there."""
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
    folder = tempfile.mkdtemp(prefix="sft-test-", dir=base)
    yield Path(folder)
    shutil.rmtree(folder)


def data_folder(name: str) -> Path:
    """A part of the files of other projects; the test is skipped where they are not there."""
    folder = Path(os.environ.get("SFT_TEST_DATA", "")) / name
    if "SFT_TEST_DATA" not in os.environ or not folder.is_dir():
        pytest.skip(f"no files of other projects at {folder}: SFT_TEST_DATA names their folder")
    return folder
