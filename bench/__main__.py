"""python -m bench - runs the benchmarks, prints their tables and writes build/bench.json.

Contenders take turns: in each round every one of them runs once, in a fresh process. A row
compares medians over the rounds; the spread is between the quartiles of single rounds' ratios.
Nothing here fails for being slow. bench/README.md says what each row measures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench

if TYPE_CHECKING:
    from bench.data import Scale
    from bench.rows import Group


def first_line(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def describe_machine() -> dict[str, Any]:
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": first_line("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": first_line("/proc/meminfo", "MemTotal"),
        "huge_pages": huge.read_text().strip() if huge.exists() else "none",
        "load_before": os.getloadavg(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, default=Path("build"), help="the build folder")
    parser.add_argument("--ours", default=sys.executable, help="a Python that has our package")
    parser.add_argument("--peer", required=True, help="a Python that has the peer's package")
    parser.add_argument(
        "--scanners",
        type=Path,
        default=Path("build/venv/scanners/bin"),
        help="the folder of picklescan and modelscan; those that are not there are left out",
    )
    parser.add_argument("--output", type=Path, help="where the JSON goes: BUILD/bench.json")
    parser.add_argument("--row", default="", help="these rows only: 3, or 1,2")
    parser.add_argument(
        "--rounds",
        type=int,
        help="rounds that count: 9, or 2 when not full; one is not preceded by another",
    )
    parser.add_argument("--scale", default="full", help="full, quick or tiny")
    return parser.parse_args()


def run_group(group: Group, rounds: int) -> dict[str, Any]:
    from bench import cache
    from bench.measure import take_turns
    from bench.rows import describe

    start = time.perf_counter()
    load = os.getloadavg()[0]
    for path in group.warm:
        # How a file came into memory decides the size of its pages there.
        cache.drop(path)
        cache.warm(path)
    try:
        take_turns(group.contenders, rounds)
    finally:
        for path in group.temporary:
            path.unlink(missing_ok=True)
    seconds = time.perf_counter() - start
    print(f"row {group.row}: {group.what}: {seconds:.0f} s, load before {load:.1f}", flush=True)
    return {
        "row": group.row,
        "what": group.what,
        "load_before": load,
        "contenders": [describe(contender) for contender in group.contenders],
    }


def run_rows(arguments: argparse.Namespace, scale: Scale, modules: Path) -> dict[str, Any]:
    """Runs what was asked for and prints it; returns what goes into the JSON."""
    from bench import rows, table
    from bench.data import FULL

    numbers = [int(number) for number in arguments.row.split(",") if number] or list(rows.ROWS)
    unknown = set(numbers) - set(rows.ROWS)
    if unknown:
        sys.exit(f"bench: there is no row {min(unknown)}: {', '.join(map(str, rows.ROWS))}")
    setup = rows.Setup(
        build=arguments.build.resolve(),
        ours=arguments.ours,
        peer=arguments.peer,
        scale=scale,
        rounds=arguments.rounds or (9 if scale is FULL else 2),
        modules=modules,
        spare=1024 * int(first_line("/proc/meminfo", "MemAvailable").split()[0]),
        scanners=arguments.scanners.resolve(),
    )
    machine = describe_machine()
    result: dict[str, Any] = {
        "schema": 2,
        "machine": machine,
        "scale": rows.describe_scale(scale),
        "rounds": setup.rounds,
        "rows": [],
        "groups": [],
    }
    costs = []
    for number in numbers:
        for group in rows.ROWS[number](setup):
            result["groups"].append(run_group(group, setup.rounds))
            result["rows"] += [line.summary() for line in group.lines]
            costs.append((group.row, group.what, group.contenders))
    machine["load_after"] = os.getloadavg()
    load = f"load before {machine['load_before'][0]:.1f}, after {machine['load_after'][0]:.1f}"
    print(
        f"\n{machine['cores']} cores, {machine['date']}, {setup.rounds} rounds, "
        f"scale {scale.name}; {load}"
    )
    print(*table.ratio_table(result["rows"]), sep="\n")
    print("\nWhat it cost besides: CPU time, minor faults, MiB of memory and of reads")
    print(*table.cost_table(costs), sep="\n")
    return result


def main() -> None:
    arguments = parse_arguments()
    # What sums the bytes was compiled; it must be found before what uses it is imported.
    modules = arguments.build.resolve() / "bench" / "module"
    if not any(modules.glob("_sum*")):
        sys.exit(f"bench: {modules} is empty: configure with -DSFT_BUILD_BENCH=ON and build")
    bench.use_modules(str(modules))
    from bench.data import SCALES

    if arguments.scale not in SCALES:
        sys.exit(f"bench: there is no scale {arguments.scale}: {', '.join(SCALES)}")
    result = run_rows(arguments, SCALES[arguments.scale], modules)
    output = arguments.output or arguments.build / "bench.json"
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nall runs are in {os.path.relpath(output)}")


main()
