"""Runs one other scanner over the files whose paths come in, a line each, and tells what it says.

    ask.py picklescan|modelscan|fickling

The scanners read files and run nothing in them. That they do not is watched: where one would
unpickle, start a program or open a connection, this process ends at once with status 99.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import zipfile
from collections.abc import Callable
from types import FrameType

MOST_SECONDS = 20
MOST_MEMORY = 4 << 30
FORBIDDEN = (
    "ctypes.",
    "ftplib.",
    "http.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pickle.",
    "pty.",
    "shutil.",
    "smtplib.",
    "socket.",
    "subprocess.",
    "urllib.",
    "webbrowser.",
)

# What a scanner can say.
FOUND, CLEAN, SKIPPED, FAILED = "found", "clean", "skipped", "failed"


def forbid(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: ends the process before anything is run."""
    if event.startswith(FORBIDDEN):
        os.write(2, f"ask.py: {event} {arguments!r:.200}\n".encode())
        os._exit(99)


def picklescan() -> Callable[[str], str]:
    """As its command does: 1 for what it found, 2 for what it could not read."""
    # Imported when the first array comes, it opens libraries, which is watched for by then.
    import numpy  # noqa: F401
    from picklescan.scanner import scan_file_path

    def ask(path: str) -> str:
        result = scan_file_path(path)
        if result.issues_count:
            return FOUND
        if result.scan_err:
            return FAILED
        return CLEAN if result.scanned_files else SKIPPED

    return ask


def modelscan() -> Callable[[str], str]:
    """As its command does: 3 for what it passed over, 2 for what it could not read."""
    from modelscan.modelscan import ModelScan
    from modelscan.settings import DEFAULT_SETTINGS

    def ask(path: str) -> str:
        scanner = ModelScan(settings=DEFAULT_SETTINGS)
        scanner.scan(path)
        if scanner.issues.all_issues:
            return FOUND
        if scanner.errors:
            return FAILED
        return CLEAN if scanner.scanned else SKIPPED

    return ask


def fickling() -> Callable[[str], str]:
    """Its static analysis: of each pickle of a file, or of each one that it picks in an archive."""
    from fickling.loader import scan_file, scan_zip_archive

    def ask(path: str) -> str:
        if zipfile.is_zipfile(path):
            results = list(scan_zip_archive(path, graceful=True).values())
        else:
            results = [scan_file(path, graceful=True)]
        if any(not one.is_safe and one.results for one in results):
            return FOUND
        if any(one.errors or not one.is_safe for one in results):
            return FAILED
        return CLEAN if any(one.results for one in results) else SKIPPED

    return ask


SCANNERS = {"picklescan": picklescan, "modelscan": modelscan, "fickling": fickling}


def too_long(number: int, frame: FrameType | None) -> None:
    """The time for one file is up."""
    raise TimeoutError


def main() -> int:
    """Answers until there is no more to ask."""
    ask = SCANNERS[sys.argv[1]]()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # They print as they like.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGALRM, too_long)
    sys.addaudithook(forbid)
    for line in sys.stdin:
        signal.alarm(MOST_SECONDS)
        try:
            answer = ask(line.rstrip("\n"))
        except Exception as error:
            answer = f"{FAILED}: {type(error).__name__}"
        finally:
            signal.alarm(0)
        print(json.dumps(answer.partition(":")[0]), file=answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
