"""Runs the benchmarks, prints one table and writes build/bench.json.

Programs take turns: in each round every one of them runs once, in a fresh process. A row
compares medians over the rounds; the spread is between the quartiles of single rounds' ratios.
Nothing here fails for being slow. bench/README.md says what each row measures.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TENSORS = 65_000


@dataclass
class Program:
    """A program to be timed, and what each of its runs gave."""

    name: str
    command: list[str]
    reports: bool = True  # prints its own times as JSON; else the whole process is timed
    runs: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        start = time.perf_counter()
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        output = process.stdout.read()
        # wait4 rather than wait: it also tells what the process used.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode != 0:
            sys.exit(f"bench: {self.name} failed: {' '.join(self.command)}")
        result = json.loads(output) if self.reports else {"first_s": seconds, "again_s": seconds}
        result["process_s"] = seconds
        result["cpu_s"] = usage.ru_utime + usage.ru_stime
        result["minor_faults"] = usage.ru_minflt
        result["peak_rss_kib"] = usage.ru_maxrss
        self.runs.append(result)

    def times(self, key: str) -> list[float]:
        return [run[key] for run in self.runs]


@dataclass
class Row:
    """One line of the table: how many times faster `ours` is than `theirs`."""

    what: str
    ours: Program
    theirs: Program
    key: str = "first_s"

    def summary(self, header_bytes: int) -> dict[str, Any]:
        ours, theirs = self.ours.times(self.key), self.theirs.times(self.key)
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        mine = statistics.median(ours)
        return {
            "what": self.what,
            "against": self.theirs.name,
            "ours_s": mine,
            "theirs_s": statistics.median(theirs),
            "ours_mb_per_s": header_bytes / mine / 1e6,
            "ratio": statistics.median(theirs) / mine,
            "ratio_low": low,
            "ratio_high": high,
        }


def first_line(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def describe_machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": first_line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": first_line("/proc/meminfo", "MemTotal"),
        "load_before": os.getloadavg(),
        "python": platform.python_version(),
    }


def find_programs(build: Path, file: Path) -> dict[str, Program]:
    """What can be run: RapidJSON's program is missing where its header is."""
    harness = str(build / "bench" / "header_bench")
    python = sys.executable
    here = Path(__file__).parent
    path, count = str(file), str(TENSORS)
    programs = {
        "parse": Program("sft_header_parse", [harness, "parse", path, count]),
        "lookup": Program("open + lookup", [harness, "lookup", path, count]),
        "shuffle": Program("open + lookup, shuffled", [harness, "shuffle", path, count]),
        "list": Program("open + list", [harness, "list", path, count]),
        "check": Program("sft check", [str(build / "sft"), "check", path], reports=False),
        "orjson": Program("orjson", [python, str(here / "orjson_bench.py"), path]),
        "peer": Program("safetensors", [python, str(here / "peer_bench.py"), path]),
    }
    rapidjson = build / "bench" / "rapidjson_bench"
    if rapidjson.exists():
        programs["rapidjson"] = Program("RapidJSON", [str(rapidjson), path])
    return programs


def make_rows(programs: dict[str, Program]) -> list[Row]:
    ours = programs
    rows = []
    for name in ("rapidjson", "orjson"):
        if name in programs:
            parser = programs[name]
            rows += [
                Row("parse, all rules checked, first", ours["parse"], parser),
                Row("parse, all rules checked, again", ours["parse"], parser, "again_s"),
                Row("open + look up all names, first", ours["lookup"], parser),
                Row("open + look up all names, again", ours["lookup"], parser, "again_s"),
                Row("open + look up all names, shuffled, first", ours["shuffle"], parser),
                Row("sft check, the whole command", ours["check"], parser),
            ]
    rows.append(Row("open + list all names, first", ours["list"], programs["peer"]))
    rows.append(Row("open + list all names, again", ours["list"], programs["peer"], "again_s"))
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'':47} {'ours':>9} {'header':>10}  {'against':12} {'theirs':>9} {'ratio':>6}  spread")
    for row in rows:
        print(
            f"{row['what']:47} {row['ours_s'] * 1e3:6.2f} ms {row['ours_mb_per_s']:5.0f} MB/s"
            f"  {row['against']:12} {row['theirs_s'] * 1e3:6.2f} ms {row['ratio']:5.2f}x"
            f"  {row['ratio_low']:.2f}-{row['ratio_high']:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"), help="the build folder")
    parser.add_argument("--output", type=Path, help="where the JSON goes: BUILD/bench.json")
    parser.add_argument("--rounds", type=int, default=11, help="rounds, 9 or more: 11")
    arguments = parser.parse_args()
    build: Path = arguments.build.resolve()
    machine = describe_machine()
    file = build / "bench" / "many.safetensors"
    try:
        made = subprocess.run(
            [str(build / "bench" / "header_bench"), "make", str(file), str(TENSORS)],
            check=True,
            stdout=subprocess.PIPE,
        )
        shape = json.loads(made.stdout)
        programs = find_programs(build, file)
        for number in range(1 + max(arguments.rounds, 9)):
            for program in programs.values():
                program.run()
            if number == 0:  # brings programs and file into memory
                for program in programs.values():
                    program.runs.clear()
    finally:
        file.unlink(missing_ok=True)
    rows = [row.summary(shape["header_bytes"]) for row in make_rows(programs)]
    print(
        f"a header of {shape['tensors']:,} tensors, {shape['header_bytes'] / 1e6:.1f} MB; "
        f"{machine['cores']} cores, load before {machine['load_before'][0]:.1f}"
    )
    print_table(rows)
    result = {
        "schema": 1,
        "machine": machine,
        "file": shape,
        "rows": rows,
        "runs": {name: program.runs for name, program in programs.items()},
    }
    output = arguments.output or build / "bench.json"
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"all runs are in {os.path.relpath(output)}")


if __name__ == "__main__":
    main()
