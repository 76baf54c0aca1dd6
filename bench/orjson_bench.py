"""orjson_bench.py FILE - a bare parse of the file's header by orjson.loads.

Prints what header_bench prints. The cyclic garbage collector is off: it would only slow
orjson down. Freeing the result is not in the clock.
"""

import gc
import json
import statistics
import struct
import sys
import time
from pathlib import Path

import orjson

REPEATS = 7


def time_parse(text: bytes) -> tuple[float, int]:
    start = time.perf_counter()
    parsed = orjson.loads(text)
    end = time.perf_counter()
    return end - start, len(parsed)


def main() -> None:
    with Path(sys.argv[1]).open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        text = file.read(length)
    gc.disable()
    first, total = time_parse(text)
    again = []
    for _ in range(REPEATS):
        seconds, count = time_parse(text)
        again.append(seconds)
        total += count
    result = {
        "first_s": first,
        "again_s": statistics.median(again),
        "bytes": len(text),
        "sum": total,
        "version": orjson.__version__,
    }
    print(json.dumps(result))


main()
