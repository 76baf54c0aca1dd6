"""peer_bench.py FILE - open and list all names by the Python package `safetensors`.

Prints what header_bench prints. Importing the package is not in the clock; leaving the
`with` block is not either.
"""

import json
import statistics
import sys
import time

import safetensors

REPEATS = 7


def time_list(path: str) -> tuple[float, int]:
    start = time.perf_counter()
    file = safetensors.safe_open(path, framework="np")
    names = file.keys()
    total = sum(map(len, names))
    end = time.perf_counter()
    return end - start, total


def main() -> None:
    path = sys.argv[1]
    first, total = time_list(path)
    again = []
    for _ in range(REPEATS):
        seconds, count = time_list(path)
        again.append(seconds)
        total += count
    result = {
        "first_s": first,
        "again_s": statistics.median(again),
        "sum": total,
        "version": safetensors.__version__,
    }
    print(json.dumps(result))


main()
