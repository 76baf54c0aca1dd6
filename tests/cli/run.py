#!/usr/bin/env python3
"""Runs the command's test cases: tests/cli/run.py --sft PATH [NAME...]

A case is a folder with a shell script, `cmd`, and what it must leave: `stdout`,
`stderr` (absent: nothing) and `exit` (absent: 0). In the expected text {*} stands
for any text within a line: sentences that belong to the library or the system.

The script runs in an empty folder of its own with `sft`, `fixture` (make.py) and
`terminal` (terminal.py) on its path. A script that exits with 77 was skipped; its
last line says why.
"""

import argparse
import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.abspath(os.environ.get("SFT_TEST_DATA", HERE + "/../../../shared/data"))
# The environment of the differential tests has NumPy; without it the system's Python may.
PEER = os.path.join(HERE, "..", "..", "build", "venv", "peer", "bin", "python")
SECONDS = 120
SKIPPED = 77


def read(case: str, name: str, default: bytes = b"") -> bytes:
    path = os.path.join(HERE, case, name)
    if not os.path.exists(path):
        return default
    with open(path, "rb") as file:
        return file.read()


def matches(expected: bytes, got: bytes) -> bool:
    pattern = b"[^\n]*".join(re.escape(part) for part in expected.split(b"{*}"))
    return re.fullmatch(pattern, got) is not None


def make_tools(folder: str, sft: str, launcher: str) -> None:
    python = shlex.quote(sys.executable)
    tools = {
        "sft": f"{launcher} {shlex.quote(os.path.abspath(sft))}",
        "fixture": f"{python} {shlex.quote(HERE + '/make.py')}",
        "terminal": f"{python} {shlex.quote(HERE + '/terminal.py')}",
    }
    for name, command in tools.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {command} "$@"\n')
        os.chmod(path, 0o755)


def run(case: str, tools: str, launcher: str) -> tuple[bytes, bytes, int]:
    environment = dict(
        os.environ,
        LC_ALL="C.UTF-8",
        TERM="xterm",
        SFT_TEST_DATA=DATA,
        NUMPY_PYTHON=os.path.abspath(PEER) if os.path.exists(PEER) else "python3",
        PYTHONDONTWRITEBYTECODE="1",
        PATH=tools + os.pathsep + os.environ.get("PATH", ""),
    )
    environment.pop("NO_COLOR", None)
    if launcher:
        environment["LAUNCHER"] = launcher  # cases that measure skip themselves
    with tempfile.TemporaryDirectory(prefix="sft-case-") as folder:
        os.chmod(folder, 0o755)
        done = subprocess.run(
            ["sh", os.path.join(HERE, case, "cmd")],
            cwd=folder,
            timeout=SECONDS,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    return done.stdout, done.stderr, done.returncode


def update(case: str, stdout: bytes, stderr: bytes, code: int) -> None:
    for name, content in (
        ("stdout", stdout),
        ("stderr", stderr),
        ("exit", b"%d\n" % code if code else b""),
    ):
        path = os.path.join(HERE, case, name)
        if content and not matches(read(case, name), content):
            with open(path, "wb") as file:
                file.write(content)
        elif not content and os.path.exists(path):
            os.remove(path)


def judge(case: str, tools: str, options: argparse.Namespace) -> tuple[str | None, str | None]:
    """What went wrong, or None; and why the case was skipped, or None."""
    if case.partition("-")[0] in options.without:
        return None, "this build of the command leaves that out"
    try:
        stdout, stderr, code = run(case, tools, options.launcher)
    except subprocess.TimeoutExpired:
        return f"no end after {SECONDS} s", None
    if code == SKIPPED:
        return None, stdout.decode(errors="replace").strip()
    if options.update:
        update(case, stdout, stderr, code)
        return None, None
    wrong = []
    wanted = int(read(case, "exit", b"0"))
    if code != wanted:
        wrong.append(f"exit {code}, not {wanted}")
    for name, got in (("stdout", stdout), ("stderr", stderr)):
        if not matches(read(case, name), got):
            wrong.append(f"{name} is {got[:400]!r}")
    return "; ".join(wrong) or None, None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sft", required=True, help="the command to test")
    parser.add_argument("--launcher", default="", help="what runs it: valgrind, say")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--update", action="store_true", help="write what came out as expected")
    parser.add_argument("--without", action="append", default=[], help="a command to skip")
    parser.add_argument("cases", nargs="*", help="names of cases; default: all")
    options = parser.parse_args()
    cases = options.cases or sorted(
        name for name in os.listdir(HERE) if os.path.exists(os.path.join(HERE, name, "cmd"))
    )
    tools = tempfile.mkdtemp(prefix="sft-tools-")
    failed = skipped = 0
    try:
        os.chmod(tools, 0o755)
        make_tools(tools, options.sft, options.launcher)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            verdicts = pool.map(lambda case: judge(case, tools, options), cases)
            for case, (wrong, reason) in zip(cases, verdicts, strict=True):
                if wrong:
                    failed += 1
                    print(f"FAILED {case}: {wrong}")
                elif reason is not None:
                    skipped += 1
                    print(f"skipped {case}: {reason}")
    finally:
        shutil.rmtree(tools)
    print(f"{len(cases) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
