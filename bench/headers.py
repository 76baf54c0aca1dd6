"""Row 9: headers alone, in C, against bare JSON parsers and the peer's package."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bench.measure import Contender, Program
from bench.table import Comparison

ROW = 9


def make_header(build: Path, file: Path, tensors: int) -> dict[str, Any]:
    """A file whose data is a hole; says how many tensors and how many bytes of header it has."""
    harness = str(build / "bench" / "header_bench")
    made = subprocess.run(
        [harness, "make", str(file), str(tensors)], check=True, stdout=subprocess.PIPE
    )
    result: dict[str, Any] = json.loads(made.stdout)
    return result


def find_programs(build: Path, python: str, file: Path, tensors: int) -> dict[str, Program]:
    """What can be run: one of the JSON parsers may not be installed."""
    harness = str(build / "bench" / "header_bench")
    path, count = str(file), str(tensors)
    programs = {
        "parse": Program("sft_header_parse", [harness, "parse", path, count]),
        "lookup": Program("open + lookup", [harness, "lookup", path, count]),
        "shuffle": Program("open + lookup, shuffled", [harness, "shuffle", path, count]),
        "list": Program("open + list", [harness, "list", path, count]),
        "peer": Program("safetensors", [python, "-m", "bench.peer_bench", path]),
    }
    command = build / "sft"
    if command.exists():
        programs["check"] = Program("sft check", [str(command), "check", path], reports=False)
    if subprocess.run([python, "-c", "import orjson"], stderr=subprocess.DEVNULL).returncode == 0:
        programs["orjson"] = Program("orjson", [python, "-m", "bench.orjson_bench", path])
    rapidjson = build / "bench" / "rapidjson_bench"
    if rapidjson.exists():
        programs["rapidjson"] = Program("RapidJSON", [str(rapidjson), path])
    return programs


def compare(programs: dict[str, Program], size: int) -> list[Comparison]:
    """The lines of the table. `size` is that of the header."""
    lines = []

    def add(what: str, ours: str, theirs: Contender, target: float | None, key: str) -> None:
        if ours in programs:
            lines.append(Comparison(ROW, what, programs[ours], theirs, target, key, size))

    for name in ("rapidjson", "orjson"):
        if name in programs:
            parser = programs[name]
            add("parse, all rules checked, first", "parse", parser, 1, "first_s")
            add("parse, all rules checked, again", "parse", parser, 1, "again_s")
            add("open + look up all names, first", "lookup", parser, None, "first_s")
            add("open + look up all names, again", "lookup", parser, None, "again_s")
            add("open + look up all names, shuffled, first", "shuffle", parser, None, "first_s")
            add("sft check, the whole command", "check", parser, None, "first_s")
    add("open + list all names, in C, first", "list", programs["peer"], None, "first_s")
    add("open + list all names, in C, again", "list", programs["peer"], None, "again_s")
    return lines
