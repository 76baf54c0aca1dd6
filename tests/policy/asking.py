"""The policy, asked by the program that SFT_POLICY_ASK names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from typing import NamedTuple

# What else may be done to an instance: the bits of src/pickle/policy.h.
MAPPING, SEQUENCE, GROUP, STATE, CALLABLE, NEW = (1 << bit for bit in range(6))


class Row(NamedTuple):
    """A row of the tables."""

    kind: str
    module: str
    name: str
    flags: int


def _run(mode: str, given: bytes = b"") -> str:
    ask = os.environ["SFT_POLICY_ASK"]
    return subprocess.run([ask, mode], input=given, capture_output=True, check=True).stdout.decode()


def rows() -> list[Row]:
    """Every row of every table."""
    cut = [line.split("\t") for line in _run("rows").splitlines()]
    return [Row(kind, module, name, int(flags)) for kind, module, name, flags in cut]


def classes(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """What each pair is: allowed, inert, unknown or dangerous."""
    lines = "".join(f"{module}\t{name}\n" for module, name in pairs)
    return _run("names", lines.encode()).splitlines()


def judgements(pickled: bytes) -> list[str]:
    """What is found in a pickle."""
    return _run("judge", pickled).splitlines()
