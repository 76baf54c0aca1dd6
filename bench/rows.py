"""The rows: which contenders take turns at which work, and which of them are compared."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import cache, checkpoints, data, headers
from bench.measure import Contender, Run, Worker
from bench.table import Comparison

TOUCHED = 120  # per cent of a file: what loading or saving it may take, and some more


@dataclass
class Setup:
    """What the rows are made from."""

    build: Path
    ours: str  # the interpreter that has our package
    peer: str  # the one that has the peer's
    scale: data.Scale
    rounds: int
    modules: Path  # the folder of bench._sum
    spare: int  # bytes of memory that are free
    scanners: Path  # the folder of other scanners' programs

    @property
    def cache(self) -> Path:
        return self.build / "bench" / "data"

    def file(self, kind: str) -> Path:
        return data.make(self.cache, self.scale, kind)


@dataclass
class Group:
    """Contenders that take turns, and the lines of the table that come from it."""

    row: int
    what: str
    contenders: list[Contender] = field(default_factory=list)
    lines: list[Comparison] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)  # removed at the end
    warm: list[Path] = field(default_factory=list)  # read anew at the beginning


Maker = Callable[[Setup], list[Group]]
Targets = dict[str, dict[str, float | None]]  # of ours, against each of theirs


def worker(setup: Setup, name: str, side: str, **job: Any) -> Worker:
    """A process of ours or the peer's that does a job."""
    python = setup.ours if side == "ours" else setup.peer
    text = json.dumps(job | {"modules": str(setup.modules)})
    made = Worker(name, [python, "-m", "bench.worker", text])
    size = Path(job.get("source") or job["path"]).stat().st_size
    made.memory = min(TOUCHED * size // 100, setup.spare // 2)
    return made


def loaders(setup: Setup, ours: list[str | None], **job: Any) -> dict[str, Worker]:
    """Ours with each of some backends (None is the default), and the peer with both of its own."""
    found = {}
    for backend in ours:
        name = f"ours, {backend or 'default'}"
        found[name] = worker(setup, name, "ours", backend=backend, **job)
    for backend in ("mmap", "pread"):
        name = f"safetensors, {backend}"
        found[name] = worker(setup, name, "peer", backend=backend, **job)
    return found


def compare_all(
    group: Group,
    workers: dict[str, Worker],
    targets: Targets,
    size: int | None = None,
    key: str = "first_s",
    note: str = "",
) -> None:
    """A line for each pair in `targets`."""
    for ours, wanted in targets.items():
        how = ours.removeprefix("ours, ") if len(targets) > 1 else ""
        what = ", ".join(filter(None, [group.what, how, note]))
        for theirs, target in wanted.items():
            pair = workers[ours], workers[theirs]
            group.lines.append(Comparison(group.row, what, *pair, target, key, size))


def against_peer(target: float | None) -> dict[str, float | None]:
    """The same ratio wanted against both of the peer's backends: against the better."""
    return {"safetensors, mmap": target, "safetensors, pread": target}


def warmed(group: Group, workers: dict[str, Worker], path: Path) -> None:
    """Before each run the file is in memory, brought there in the same way for every group."""
    group.warm.append(path)
    for each in workers.values():
        each.prepare = lambda: {"resident_before": cache.warm(path)}


def keys_of_many(setup: Setup) -> list[Group]:
    path = setup.file("small")
    group = Group(1, f"open + keys, {setup.scale.small_tensors:,} tensors")
    workers = loaders(setup, [None], work="keys", framework="numpy", path=str(path), repeats=7)
    warmed(group, workers, path)
    group.contenders = list(workers.values())
    targets = {"ours, default": against_peer(4)}
    compare_all(group, workers, targets, note="first")
    compare_all(group, workers, targets, key="again_s", note="again")
    return [group]


def each_of_many(setup: Setup) -> list[Group]:
    path = setup.file("small")
    groups = []
    for framework, target in (("torch", 3), ("numpy", 5)):
        group = Group(2, f"get each of {setup.scale.small_tensors:,} tensors, {framework}")
        ours: list[str | None] = [None] if framework == "torch" else [None, "mmap"]
        workers = loaders(setup, ours, work="each", framework=framework, path=str(path), repeats=7)
        warmed(group, workers, path)
        group.contenders = list(workers.values())
        targets: Targets = {"ours, default": against_peer(target)}
        if framework == "numpy":
            targets["ours, mmap"] = against_peer(None)
        compare_all(group, workers, targets, note="first")
        compare_all(group, workers, targets, key="again_s", note="again")
        groups.append(group)
    return groups


def numpy_files(setup: Setup) -> list[Group]:
    groups = []
    for kind in ("dense", "model"):
        path = setup.file(kind)
        size = path.stat().st_size
        group = Group(3, f"numpy load_file, {size / 1e6:,.0f} MB, warm, summed")
        workers = loaders(setup, [None, "mmap"], work="load", framework="numpy", path=str(path))
        warmed(group, workers, path)
        group.contenders = list(workers.values())
        wanted = (5, 8) if kind == "dense" else (None, None)
        targets = {"ours, default": against_peer(wanted[0]), "ours, mmap": against_peer(wanted[1])}
        compare_all(group, workers, targets, size)
        groups.append(group)
    return groups


def make_checkpoint(setup: Setup, path: Path) -> Path:
    """The same tensors as torch.save writes them."""
    checkpoint = path.with_suffix(".pt")
    if not checkpoint.exists():
        part = path.with_suffix(".part")
        work = {"work": "torch_save", "framework": "torch", "path": str(part), "source": str(path)}
        worker(setup, "torch.save", "peer", **work).run()
        part.rename(checkpoint)
    return checkpoint


def torch_files(setup: Setup) -> list[Group]:
    groups = []
    for kind in ("dense", "model"):
        path = setup.file(kind)
        size = path.stat().st_size
        group = Group(4, f"torch load_file, {size / 1e6:,.0f} MB, warm, summed")
        job: dict[str, Any] = {"framework": "torch", "path": str(path)}
        workers = loaders(setup, [None, "pread"], work="load", **job)
        warmed(group, workers, path)
        targets: Targets = {
            "ours, default": {"safetensors, mmap": 1, "safetensors, pread": 3},
            "ours, pread": {"safetensors, pread": None},
        }
        if kind == "dense":
            checkpoint = make_checkpoint(setup, path)
            others = {}
            for mapped in (False, True):
                name = f"torch.load{', mmap' if mapped else ''}"
                job |= {"work": "torch_load", "path": str(checkpoint), "mmap": mapped}
                others[name] = worker(setup, name, "peer", **job)
                targets["ours, default"][name] = None
            warmed(group, others, checkpoint)
            workers |= others
        group.contenders = list(workers.values())
        compare_all(group, workers, targets, size)
        groups.append(group)
    return groups


def prepare_columns(path: Path, cold: bool, asked: int) -> Callable[[], Run]:
    def prepare() -> Run:
        state = cache.drop(path) if cold else cache.warm(path)
        return {"resident_before": state, "asked_bytes": asked}

    return prepare


def columns(setup: Setup) -> list[Group]:
    path = setup.file("dense")
    width = data.DENSE_COLUMNS // 8
    wanted = (width, 2 * width)
    asked = data.column_pages(path, *wanted)
    groups = []
    for framework in ("numpy", "torch"):
        for cold in (False, True):
            state = "cold" if cold else "warm"
            group = Group(6, f"1/8 of the columns of 4 matrices, {framework}, {state}")
            job = {"work": "columns", "framework": framework, "path": str(path), "columns": wanted}
            ours: list[str | None] = [None, "mmap"] if framework == "numpy" else [None, "pread"]
            workers = loaders(setup, ours, **job)
            if not cold:
                group.warm.append(path)
            for each in workers.values():
                each.prepare = prepare_columns(path, cold, asked)
            group.contenders = list(workers.values())
            targets: Targets = {f"ours, {b or 'default'}": against_peer(None) for b in ours}
            targets["ours, default"] = against_peer(2)
            compare_all(group, workers, targets)
            groups.append(group)
    return groups


def saves(setup: Setup) -> list[Group]:
    source = setup.file("dense")
    size = source.stat().st_size
    sums = data.sum_tensors(source)
    groups = []
    for framework in ("numpy", "torch"):
        group = Group(7, f"{framework} save_file, {size / 1e6:,.0f} MB, not durable")
        workers = {}
        for side, name in (("ours", "ours, default"), ("peer", "safetensors")):
            path = setup.cache / f"saved-{setup.scale.name}-{side}.safetensors"
            job = {"work": "save", "framework": framework, "path": str(path)}
            one = worker(setup, name, side, source=str(source), **job)
            one.prepare, one.finish = save_frame(path, sums)
            workers[name] = one
            group.temporary.append(path)
        group.contenders = list(workers.values())
        compare_all(group, workers, {"ours, default": {"safetensors": 1.2}}, size)
        groups.append(group)
    return groups


def save_frame(path: Path, sums: dict[str, int]) -> tuple[Callable[[], Run], Callable[[], None]]:
    """Before a save there is no such file, and nothing is being written; after it, all is there."""

    def prepare() -> Run:
        path.unlink(missing_ok=True)
        os.sync()
        return {}

    def finish() -> None:
        if data.sum_tensors(path) != sums:
            raise SystemExit(f"bench: {path} does not hold what was saved")
        path.unlink()

    return prepare, finish


def conversions(setup: Setup) -> list[Group]:
    dense = setup.file("dense")
    source = make_checkpoint(setup, dense)
    size = source.stat().st_size
    target = setup.cache / f"converted-{setup.scale.name}.safetensors"
    group = Group(checkpoints.CONVERT, f"convert a .pt of {size / 1e6:,.0f} MB, warm, not durable")
    job: dict[str, Any] = {"path": str(target), "source": str(source)}
    workers = {
        "ours, convert()": worker(
            setup, "ours, convert()", "ours", work="convert", framework="numpy", **job
        )
    }
    for mapped in (False, True):
        name = f"torch.load{', mmap' if mapped else ''} + save_file"
        job |= {"work": "load_and_save", "framework": "torch", "mmap": mapped}
        workers[name] = worker(setup, name, "peer", **job)
    made = checkpoints.converters(
        setup.build / "sft", source, target, data.sum_tensors(dense), workers
    )
    group.warm.append(source)
    group.temporary.append(target)
    group.contenders = list(made.values())
    ours = ["sft convert", "ours, convert()"]
    group.lines = checkpoints.compare(group.row, group.what, size, made, ours)
    return [group]


def scans(setup: Setup) -> list[Group]:
    source = make_checkpoint(setup, setup.file("dense"))
    size = source.stat().st_size
    group = Group(checkpoints.SCAN, f"scan a .pt of {size / 1e6:,.0f} MB, warm")
    programs = checkpoints.scanners(setup.build / "sft", setup.scanners, source)
    group.warm.append(source)
    group.contenders = list(programs.values())
    group.lines = checkpoints.compare(group.row, group.what, size, programs, ["sft scan"])
    return [group]


def header_group(setup: Setup) -> list[Group]:
    path = setup.cache / "many.safetensors"
    setup.cache.mkdir(parents=True, exist_ok=True)
    shape = headers.make_header(setup.build, path, setup.scale.header_tensors)
    group = Group(headers.ROW, "header", temporary=[path])
    programs = headers.find_programs(setup.build, setup.peer, path, setup.scale.header_tensors)
    group.contenders = list(programs.values())
    group.lines = headers.compare(programs, shape["header_bytes"])
    return [group]


ROWS: dict[int, Maker] = {
    1: keys_of_many,
    2: each_of_many,
    3: numpy_files,
    4: torch_files,
    6: columns,
    7: saves,
    checkpoints.CONVERT: conversions,
    headers.ROW: header_group,
    checkpoints.SCAN: scans,
}


def describe(contender: Contender) -> dict[str, Any]:
    """A contender for the JSON."""
    return {
        "name": contender.name,
        "command": contender.command,
        "peak_anonymous": contender.peak_anonymous,
        "peak_resident": contender.peak_resident,
        "runs": contender.runs,
    }


def describe_scale(scale: data.Scale) -> dict[str, Any]:
    return dataclasses.asdict(scale)
