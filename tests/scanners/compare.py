#!/usr/bin/env python3
"""Runs `sft scan` and three other scanners over the same files, and writes what each said.

    compare.py --sft SFT --python PYTHON [--data FOLDER] [--write PAGE]

PYTHON has the packages of tests/requirements-scanners.txt. The files are the corpus of
tests/files/pickles and those in FOLDER/pickles. With --write the table goes into PAGE, between its
marks; else it is printed. Nothing that is scanned is ever loaded: ask.py watches the scanners,
which have no network and an empty home.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "files" / "pickles"
REQUIREMENTS = HERE.parent / "requirements-scanners.txt"
BEGIN, END = "<!-- scanners:begin -->", "<!-- scanners:end -->"
OTHERS = ("picklescan", "modelscan", "fickling")
SCANNERS = ("sft", *OTHERS)
# Of the files of another project, those that are attacks by what is in them, not by their names.
ATTACKS = ("bad_pytorch.pt", "pytorch_magic_bypass.pt", "sys_module_override_sploit.pkl")
PATIENCE = 40.0
DATA_TITLE = "picklescan's own test files"
TITLES = {
    "data": DATA_TITLE,
    "names": "names that run code",
    "gadgets": "allowed names that do harm together, files that are two things",
    "streams": "tricks with opcodes",
    "zips": "archives that two readers see differently",
    "containers": "payloads in other containers",
    "tensors": "tensors that lie",
    "limits": "bombs",
    "benign": "harmless files",
    "other": "files of other kinds",
}


@dataclass
class Sample:
    """A file, and what each scanner said of it."""

    path: Path
    group: str
    malicious: bool | None  # None: neither, or broken
    said: dict[str, str] = field(default_factory=dict)


def samples(data: Path) -> Iterator[Sample]:
    """Every file there is."""
    if data.is_dir():
        for path in sorted(data.iterdir()):
            malicious: bool | None = None
            if path.name.startswith("malicious") or path.name in ATTACKS:
                malicious = True
            elif path.name.startswith("benign"):
                malicious = False
            yield Sample(path, "data", malicious)
    for row in json.loads((CORPUS / "expected.json").read_text()):
        group = row["file"].split("/")[0]
        malicious = True if row["malicious"] else False if group == "benign" else None
        yield Sample(CORPUS / row["file"], group, malicious)


def confined(line: list[str]) -> list[str]:
    """The command line, without a network where the system allows."""
    for options in (["-n"], ["-r", "-n"]):
        start = ["unshare", *options]
        if (
            shutil.which("unshare")
            and subprocess.run([*start, "true"], check=False).returncode == 0
        ):
            return [*start, *line]
    return line


class Other:
    """Another scanner, in a process of its own, which is started again when it dies."""

    def __init__(self, python: str, name: str, home: str) -> None:
        self.line = confined([python, "-I", str(HERE / "ask.py"), name])
        self.home = home
        self.name = name
        self.process: subprocess.Popen[str] | None = None

    def ask(self, path: Path) -> str:
        """What it says of a file."""
        if self.process is None:
            environment = {"HOME": self.home, "PATH": os.environ["PATH"], "NO_COLOR": "1"}
            self.process = subprocess.Popen(
                self.line,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=self.home,
                env=environment,
                bufsize=1,
            )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{path}\n")
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        answer = self.process.stdout.readline() if ready else ""
        if answer:
            return str(json.loads(answer))
        self.process.kill()
        code = self.process.wait()
        self.process = None
        if code == 99:
            raise SystemExit(f"compare.py: {self.name} would have run something: {path}")
        return "failed"

    def close(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def ask_sft(sft: str, path: Path) -> str:
    """Our own verdict."""
    line = [sft, "scan", "--json", str(path)]
    done = subprocess.run(line, capture_output=True, check=False)
    return str(json.loads(done.stdout)["verdict"])


def ask_all(found: list[Sample], sft: str, python: str) -> None:
    """Asks every scanner about every file."""
    with tempfile.TemporaryDirectory() as home:
        others = [Other(python, name, home) for name in OTHERS]
        for sample in found:
            sample.said["sft"] = ask_sft(sft, sample.path)
            for other in others:
                sample.said[other.name] = other.ask(sample.path)
        for other in others:
            other.close()


def versions() -> str:
    """What they are."""
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line.startswith(OTHERS)]
    return ", ".join(line.replace("==", " ") for line in lines)


def counts(found: list[Sample]) -> list[str]:
    """The summary: how many malicious files each let pass, how many harmless ones it did not."""
    bad = [sample for sample in found if sample.malicious]
    good = [sample for sample in found if sample.malicious is False]
    lines = [
        f"| of {len(bad)} malicious files | " + " | ".join(SCANNERS) + " |",
        "| --- |" + " ---: |" * len(SCANNERS),
    ]
    rows = (
        ("called clean", bad, ("clean",)),
        ("passed over, as no file to look at", bad, ("skipped",)),
        ("could not be read", bad, ("failed", "malformed")),
        ("found out", bad, ("found", "dangerous", "unknown")),
    )
    for title, chosen, answers in rows:
        lines.append(_row(title, chosen, answers))
    lines.append(_row(f"**of {len(good)} harmless files**: not called clean", good, None))
    return lines


def _row(title: str, chosen: list[Sample], answers: tuple[str, ...] | None) -> str:
    cells = []
    for name in SCANNERS:
        said = [sample.said[name] for sample in chosen]
        count = sum(each != "clean" if answers is None else each in answers for each in said)
        cells.append(str(count))
    return f"| {title} | " + " | ".join(cells) + " |"


def table(found: list[Sample]) -> list[str]:
    """What each said of each file; files of which all said the same share a row."""
    lines = ["| files | " + " | ".join(SCANNERS) + " |", "| --- |" + " --- |" * len(SCANNERS)]
    for group, title in TITLES.items():
        rows: dict[tuple[str, ...], list[str]] = {}
        for sample in found:
            if sample.group == group:
                answers = tuple(sample.said[name] for name in SCANNERS)
                rows.setdefault(answers, []).append(sample.path.name)
        if not rows:
            continue
        total = sum(len(names) for names in rows.values())
        lines.append(f"| **{title}** ({total}) |" + " |" * len(SCANNERS))
        for answers, names in sorted(rows.items(), key=lambda row: (-len(row[1]), row[0])):
            shown = ", ".join(f"`{name}`" for name in names)
            lines.append(f"| {len(names)}: {shown} | " + " | ".join(answers) + " |")
    return lines


def page(found: list[Sample]) -> str:
    """The section between the marks."""
    return "\n".join(
        [
            BEGIN,
            "",
            f"Made by `make scanners` with {versions()}. *Found* is what",
            "a scanner called dangerous, unsafe or suspicious, *failed* what it could not",
            "read, *skipped* what it did not look at; nothing was loaded. Most of these files are",
            "our own, and made to be hard: the figures tell how lists of bad names fare, not how",
            "often a scanner errs in practice.",
            "",
            *counts(found),
            "",
            "<details><summary>What each said of each file</summary>",
            "",
            *table(found),
            "",
            "</details>",
            "",
            END,
        ]
    )


def main() -> int:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description="Compares scanners of pickles.")
    parser.add_argument("--sft", required=True)
    parser.add_argument("--python", required=True)
    data = Path(os.environ.get("SFT_TEST_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    # The scanners run in another folder. The interpreter of an environment is a link, to be kept.
    found = list(samples(options.data.absolute() / "pickles"))
    if not any(sample.group == "data" for sample in found):
        print(f"compare.py: no files at {options.data}/pickles: the corpus alone", file=sys.stderr)
    ask_all(found, os.path.abspath(options.sft), os.path.abspath(options.python))
    section = page(found)
    if options.write is None:
        print(section)
        return 0
    text = options.write.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"compare.py: {options.write} lacks the marks {BEGIN} and {END}")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    options.write.write_text(before + section + after)
    print("\n".join(counts(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
