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
SECONDS = 120
SKIPPED = 77


def read(case, name, default=b""):
    path = os.path.join(HERE, case, name)
    if not os.path.exists(path):
        return default
    with open(path, "rb") as file:
        return file.read()


def matches(expected, got):
    pattern = b"[^\n]*".join(re.escape(part) for part in expected.split(b"{*}"))
    return re.fullmatch(pattern, got) is not None


def make_tools(folder, sft, launcher):
    tools = {
        "sft": "%s %s" % (launcher, shlex.quote(os.path.abspath(sft))),
        "fixture": "%s %s" % (shlex.quote(sys.executable), shlex.quote(HERE + "/make.py")),
        "terminal": "%s %s" % (shlex.quote(sys.executable), shlex.quote(HERE + "/terminal.py")),
    }
    for name, command in tools.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nexec %s "$@"\n' % command)
        os.chmod(path, 0o755)


def run(case, tools, launcher):
    environment = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm", PYTHONDONTWRITEBYTECODE="1",
                       PATH=tools + os.pathsep + os.environ.get("PATH", ""))
    environment.pop("NO_COLOR", None)
    if launcher:
        environment["LAUNCHER"] = launcher  # cases that measure skip themselves
    with tempfile.TemporaryDirectory(prefix="sft-case-") as folder:
        os.chmod(folder, 0o755)
        done = subprocess.run(["sh", os.path.join(HERE, case, "cmd")], cwd=folder, timeout=SECONDS,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    return done.stdout, done.stderr, done.returncode


def update(case, stdout, stderr, code):
    for name, content in (("stdout", stdout), ("stderr", stderr),
                          ("exit", b"%d\n" % code if code else b"")):
        path = os.path.join(HERE, case, name)
        if content and not matches(read(case, name), content):
            with open(path, "wb") as file:
                file.write(content)
        elif not content and os.path.exists(path):
            os.remove(path)


def judge(case, tools, launcher, updates):
    """What went wrong, or None; and why the case was skipped, or None."""
    try:
        stdout, stderr, code = run(case, tools, launcher)
    except subprocess.TimeoutExpired:
        return "no end after %d s" % SECONDS, None
    if code == SKIPPED:
        return None, stdout.decode(errors="replace").strip()
    if updates:
        update(case, stdout, stderr, code)
        return None, None
    wrong = []
    if code != int(read(case, "exit", b"0")):
        wrong.append("exit %d, not %d" % (code, int(read(case, "exit", b"0"))))
    for name, got in (("stdout", stdout), ("stderr", stderr)):
        if not matches(read(case, name), got):
            wrong.append("%s is %r" % (name, got[:400]))
    return "; ".join(wrong) or None, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sft", required=True, help="the command to test")
    parser.add_argument("--launcher", default="", help="what runs it: valgrind, say")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--update", action="store_true", help="write what came out as expected")
    parser.add_argument("cases", nargs="*", help="names of cases; default: all")
    options = parser.parse_args()
    cases = options.cases or sorted(name for name in os.listdir(HERE)
                                    if os.path.exists(os.path.join(HERE, name, "cmd")))
    tools = tempfile.mkdtemp(prefix="sft-tools-")
    failed = skipped = 0
    try:
        os.chmod(tools, 0o755)
        make_tools(tools, options.sft, options.launcher)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            verdicts = pool.map(
                lambda case: judge(case, tools, options.launcher, options.update), cases)
            for case, (wrong, reason) in zip(cases, verdicts):
                if wrong:
                    failed += 1
                    print("FAILED %s: %s" % (case, wrong))
                elif reason is not None:
                    skipped += 1
                    print("skipped %s: %s" % (case, reason))
    finally:
        shutil.rmtree(tools)
    print("%d cases: %d passed, %d failed, %d skipped"
          % (len(cases), len(cases) - failed - skipped, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
