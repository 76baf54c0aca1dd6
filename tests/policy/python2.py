#!/usr/bin/env python3
"""Holds our table of Python 2's names against the one in the standard library.

Usage: python2.py POLICY_ASK
"""

from __future__ import annotations

import _compat_pickle
import subprocess
import sys

# Modules that newer Pythons have no more, and their unpicklers no more map.
GONE = {"Tix"} if sys.version_info >= (3, 13) else set()


def expected(module: str, name: str) -> tuple[str, str]:
    """What the unpickler of this Python looks up, below protocol 3."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        found: tuple[str, str] = _compat_pickle.NAME_MAPPING[module, name]
        return found
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def main() -> int:
    """Asks for every name of the standard library's table, and for names beside them."""
    pairs = set(_compat_pickle.NAME_MAPPING)
    modules = {module for module, _ in pairs} | set(_compat_pickle.IMPORT_MAPPING)
    modules |= set(_compat_pickle.IMPORT_MAPPING.values()) | {"os", "collections", "torch"}
    names = {name for _, name in pairs} | {"other"}
    questions = sorted({(module, name) for module in modules - GONE for name in names} | pairs)
    lines = "".join(f"{module}\t{name}\n" for module, name in questions)
    ran = subprocess.run(
        [sys.argv[1], "python2"], input=lines, capture_output=True, text=True, check=True
    )
    answers = [tuple(line.split("\t")) for line in ran.stdout.splitlines()]
    wrong = [
        f"{question} gives {answer}, not {expected(*question)}"
        for question, answer in zip(questions, answers, strict=True)
        if answer != expected(*question)
    ]
    print(f"{len(questions)} names, {len(wrong)} of them wrong", *wrong[:20], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
