"""Interrupts saves at every system call: kill -9, and errors of the disk.

usage: run.py SAVE [SFT]

SAVE is the program of save.c, SFT the command; without it edits are left out. strace counts the
system calls of each save and injects the faults into the real programs. After each one the
target must be the old file or the new one, whole; at most one temporary file may be left, and
the next save must remove it. Exit status 77: strace cannot work here.
"""

import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

SIZE = 1_200_000  # large enough for its room to be reserved
NAME = "model.safetensors"
LITTER = re.compile(r"\." + re.escape(NAME) + r"\.[0-9a-f]{16}\.tmp$")
# Calls that end the process or only tell it the time of day cannot go wrong for a save.
IGNORED = {"exit_group", "exit", "rt_sigreturn", "arch_prctl", "execve"}
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", LC_ALL="C")
# An edit whose value is too long for the room that the saved file has.
LONG = "n" * 300

# The letter in the metadata, and that of the data; None: there is no file.
State = tuple[str, str] | None
Done = subprocess.CompletedProcess[bytes]


@dataclass
class Case:
    """A save: what is there before, the command, and what the target says afterwards."""

    name: str
    before: State  # None: no file
    command: list[str]
    after: State
    unnamed: bool = True  # False: files without a name are made to fail


def cases(save: str, sft: str | None) -> Iterator[Case]:
    for how in ("write", "write-durable", "stream", "stream-durable"):
        command = [save, how, NAME, "n", str(SIZE)]
        yield Case(f"{how} over a file", ("o", "o"), command, ("n", "n"))
        yield Case(
            f"{how} over a file, by a temporary name", ("o", "o"), command, ("n", "n"), False
        )
        yield Case(f"{how} of a new file", None, command, ("n", "n"))
    command = [save, "keep", NAME, "n", str(SIZE)]
    yield Case("write of a new file that keeps others", None, command, ("n", "n"))
    yield Case("the same by a temporary name", None, command, ("n", "n"), False)
    if sft:
        yield Case("edit in place", ("o", "o"), [sft, "meta", "set", NAME, "letter=n"], ("n", "o"))
        yield Case(
            "edit by a new file",
            ("o", "o"),
            [sft, "meta", "set", NAME, f"letter={LONG}"],
            (LONG, "o"),
        )


def describe(folder: str) -> State:
    """Metadata letter and data letter of the target; None if absent; fails if it is damaged."""
    try:
        with open(os.path.join(folder, NAME), "rb") as file:
            whole = file.read()
    except FileNotFoundError:
        return None
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    data = whole[8 + length :]
    assert header["t"]["data_offsets"] == [0, SIZE] and len(data) == SIZE, "damaged"
    assert data == data[:1] * SIZE, "mixed data"
    return header["__metadata__"]["letter"], data[:1].decode()


def run(command: list[str], folder: str) -> Done:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def prepare(case: Case, save: str, folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    if case.before:
        done = run([save, "write", NAME, case.before[0], str(SIZE)], folder)
        assert done.returncode == 0, done.stderr


def count_calls(case: Case, save: str, folder: str) -> tuple[list[tuple[str, int]], int | None]:
    """The system calls of a save as [(name, number among those of its name)], without the start
    of the process; and the number of the openat() that makes a file without a name."""
    prepare(case, save, folder)
    log = os.path.join(folder, "..", os.path.basename(folder) + ".log")
    done = run(["strace", "-f", "-qq", "-o", log, *case.command], folder)
    assert done.returncode == 0, done.stderr
    calls: list[tuple[str, int]] = []
    seen: collections.Counter[str] = collections.Counter()
    started, unnamed = False, None
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = re.match(r"\d+ +(\w+)\((.*)", line)
            if not match:
                continue
            name, rest = match.groups()
            seen[name] += 1
            # From the first call on that concerns the target or its folder.
            started = started or (name == "openat" and ('"."' in rest or NAME in rest))
            if "O_TMPFILE" in rest and unnamed is None:
                unnamed = seen[name]
            if started and name not in IGNORED:
                calls.append((name, seen[name]))
    assert len(calls) > 5, "the save's own system calls were not found"
    return calls, unnamed


def check(case: Case, folder: str, done: Done, killed: bool) -> int:
    state = describe(folder)
    litter = sorted(name for name in os.listdir(folder) if name != NAME)
    # What fails when the work is done: flushing the folder, or closing standard output.
    late = b"is in place" in done.stderr or b"standard output" in done.stderr
    if done.returncode == 0 or late:
        assert state == case.after, f"it claims success, but the target is {state}"
    elif killed:
        assert state in (case.before, case.after), f"the target is {state}"
        assert len(litter) <= 1 and all(LITTER.match(name) for name in litter), litter
    else:
        assert state == case.before, f"it failed, but the target is {state}"
    assert killed or not litter, f"left behind: {litter}"
    return len(litter)


def inject(
    case: Case, save: str, folder: str, fault: str, call: tuple[str, int], unnamed: int | None
) -> int:
    """Runs a save with one fault. Returns how many temporary files were left: 0 or 1."""
    prepare(case, save, folder)
    name, number = call
    options = ["-e", f"inject={name}:{fault}:when={number}"]
    if not case.unnamed:
        if name == "openat":
            return 0
        options += ["-e", f"inject=openat:error=EOPNOTSUPP:when={unnamed}"]
    killed = fault.startswith("signal")
    done = run(["strace", "-f", "-qq", "-o", "/dev/null", *options, *case.command], folder)
    try:
        left = check(case, folder, done, killed)
        again = run([save, "write", NAME, "m", str(SIZE)], folder)
        assert again.returncode == 0, again.stderr
        assert describe(folder) == ("m", "m")
        assert os.listdir(folder) == [NAME], f"the next save left {os.listdir(folder)}"
        return left
    except (AssertionError, ValueError, KeyError, IndexError) as error:
        raise AssertionError(
            f"{case.name}: {fault} at {name} number {number}: {error}; "
            f"status {done.returncode}, {done.stderr.decode().strip()}"
        ) from error


def interrupt(case: Case, save: str, folder: str) -> str:
    calls, unnamed = count_calls(case, save, folder)
    if not case.unnamed and unnamed is None:
        return f"{case.name}: this is how all files are written here"
    left = 0
    for call in calls:
        for fault in ("signal=KILL", "error=EIO", "error=ENOSPC"):
            left += inject(case, save, folder, fault, call, unnamed)
    return f"{case.name}: {len(calls)} system calls, {left} temporary files left and removed"


def fill_disk(save: str, sft: str | None, folder: str) -> str:
    """A disk that is full: a tmpfs of four megabytes."""
    os.mkdir(folder)
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if mount.returncode != 0:
        return f"full disk: skipped, for a tmpfs cannot be mounted: {mount.stderr.decode().strip()}"
    try:
        commands = [[save, how, NAME, "n", "1000000"] for how in ("write", "stream")]
        commands.append([save, "write", NAME, "n", "2000000"])
        if sft:
            commands.append([sft, "meta", "set", NAME, f"letter={LONG}"])
        for rest in (0, 4096, 65536):
            for command in commands:
                run([save, "write", NAME, "o", str(SIZE)], folder)
                with open(os.path.join(folder, "other"), "wb") as other:
                    space = os.statvfs(folder)
                    # Only so much is left that neither a save nor an edit's copy fits.
                    other.write(b"x" * max(0, space.f_bavail * space.f_frsize - rest))
                done = run(command, folder)
                assert done.returncode == 3 and b"No space left" in done.stderr, done
                assert done.stderr.count(b"\n") == 1, done.stderr
                assert describe(folder) == ("o", "o")
                assert sorted(os.listdir(folder)) == [NAME, "other"], os.listdir(folder)
                os.unlink(os.path.join(folder, "other"))
        done = run([save, "write", NAME, "n", str(SIZE)], folder)
        assert done.returncode == 0 and describe(folder) == ("n", "n"), done
    finally:
        subprocess.run(["umount", folder], check=False)
    return "full disk: every save failed in one line and left the old file"


def strace_works() -> str | None:
    try:
        probe = subprocess.run(
            ["strace", "-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return "strace is not installed"
    return None if probe.returncode == 0 else probe.stderr.decode().strip()


def main() -> int:
    save = os.path.abspath(sys.argv[1])
    sft = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    reason = strace_works()
    if reason:
        print(f"skipped: {reason}")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory(prefix="sft-faults-") as base:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [
                pool.submit(interrupt, case, save, os.path.join(base, str(number)))
                for number, case in enumerate(cases(save, sft))
            ]
            jobs.append(pool.submit(fill_disk, save, sft, os.path.join(base, "full")))
            for job in jobs:
                try:
                    print(job.result(), flush=True)
                except AssertionError as error:
                    print(f"FAILED: {error}", flush=True)
                    failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
