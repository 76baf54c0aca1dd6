"""python -m bench.worker JOB - does one piece of work in a fresh process and says what it cost.

JOB is JSON: see Job. The worker imports what it needs, says "ready" on a line, waits for a line,
works with the clock running, and answers with one line of JSON. The same code runs on ours and on
the peer's package: which one, the interpreter's environment decides.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench

# A piece of work returns what it holds at its end, and the sum of its bytes if they are loaded.
Result = tuple[object, tuple[int, int]]
Work = Callable[[], Result]


@dataclass
class Job:
    """What to do. `backend` is given to the package only where it is not None."""

    work: str
    framework: str  # numpy or torch
    path: str
    modules: str  # the folder of bench._sum
    backend: str | None = None
    source: str | None = None  # where save and convert take their tensors from
    columns: tuple[int, int] | None = None
    mmap: bool = False  # of torch.load
    repeats: int = 0  # how often again, in the same process

    def options(self) -> dict[str, str]:
        return {} if self.backend is None else {"backend": self.backend}


def make_sum(framework: str) -> Callable[[list[Any]], tuple[int, int]]:
    """What reads every byte of tensors; part of the work that loads."""
    from bench._sum import sum_buffers, sum_memory

    def sum_torch(tensors: list[Any]) -> tuple[int, int]:
        if not all(tensor.is_contiguous() for tensor in tensors):
            return sum_buffers([tensor.numpy() for tensor in tensors])
        return sum_memory([(tensor.data_ptr(), tensor.nbytes) for tensor in tensors])

    return sum_torch if framework == "torch" else sum_buffers


def open_file(job: Job) -> Any:
    package = importlib.import_module("safetensors")
    return package.safe_open(job.path, framework=job.framework, **job.options())


def work_keys(job: Job) -> Work:
    """Opens the file and lists the names of its tensors."""

    def work() -> Result:
        with open_file(job) as file:
            names = file.keys()
        return names, (0, len(names))

    return work


def work_each(job: Job) -> Work:
    """Opens the file and gets its tensors one by one."""
    sum_all = make_sum(job.framework)

    def work() -> Result:
        with open_file(job) as file:
            tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
        return tensors, sum_all(tensors)

    return work


def work_load(job: Job) -> Work:
    """load_file."""
    load_file = importlib.import_module(f"safetensors.{job.framework}").load_file
    sum_all = make_sum(job.framework)

    def work() -> Result:
        tensors = load_file(job.path, **job.options())
        return tensors, sum_all(list(tensors.values()))

    return work


def work_torch_load(job: Job) -> Work:
    """torch.load of a checkpoint with the same tensors."""
    import torch

    sum_all = make_sum("torch")

    def work() -> Result:
        tensors = torch.load(job.path, map_location="cpu", weights_only=True, mmap=job.mmap)
        return tensors, sum_all(list(tensors.values()))

    return work


def work_columns(job: Job) -> Work:
    """Some columns of every matrix, as a process takes them that holds a part of the model."""
    sum_all = make_sum(job.framework)
    assert job.columns is not None
    first, last = job.columns

    def work() -> Result:
        with open_file(job) as file:
            tensors = [file.get_slice(name)[:, first:last] for name in file.keys()]  # noqa: SIM118
        return tensors, sum_all(tensors)

    return work


def read_arrays(path: str, framework: str) -> dict[str, Any]:
    """The tensors of a file in memory of their own, read without any contender's help."""
    import numpy as np

    from bench.data import list_tensors

    types: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
    arrays: dict[str, Any] = {}
    for tensor in list_tensors(Path(path)):
        dtype = types[tensor.dtype]
        count = (tensor.end - tensor.begin) // dtype.itemsize
        array = np.fromfile(path, dtype, count, offset=tensor.begin)
        arrays[tensor.name] = array.reshape(tensor.shape)
    if framework == "torch":
        import torch

        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    return arrays


def work_save(job: Job) -> Work:
    """save_file of tensors that are in memory."""
    save_file = importlib.import_module(f"safetensors.{job.framework}").save_file
    assert job.source is not None
    tensors = read_arrays(job.source, job.framework)

    def work() -> Result:
        save_file(tensors, job.path)
        return None, (0, Path(job.path).stat().st_size)

    return work


def work_torch_save(job: Job) -> Work:
    """torch.save: makes what torch.load is measured with."""
    import torch

    assert job.source is not None
    tensors = read_arrays(job.source, "torch")

    def work() -> Result:
        torch.save(tensors, job.path)
        return None, (0, Path(job.path).stat().st_size)

    return work


def work_convert(job: Job) -> Work:
    """Ours: a checkpoint becomes a safetensors file."""
    convert = importlib.import_module("safetensors").convert
    assert job.source is not None

    def work() -> Result:
        convert(job.source, job.path)
        return None, (0, Path(job.path).stat().st_size)

    return work


def work_load_and_save(job: Job) -> Work:
    """What programs do where there is no converter: torch.load, then save_file."""
    import torch

    save_file = importlib.import_module("safetensors.torch").save_file
    assert job.source is not None

    def work() -> Result:
        tensors = torch.load(job.source, map_location="cpu", weights_only=True, mmap=job.mmap)
        save_file(tensors, job.path, {"format": "pt"})
        return None, (0, Path(job.path).stat().st_size)

    return work


WORKS: dict[str, Callable[[Job], Work]] = {
    "keys": work_keys,
    "each": work_each,
    "load": work_load,
    "torch_load": work_torch_load,
    "columns": work_columns,
    "save": work_save,
    "torch_save": work_torch_save,
    "convert": work_convert,
    "load_and_save": work_load_and_save,
}


def status_bytes(key: str, pid: int | str = "self") -> int:
    """A figure of /proc/PID/status; 0 once the process has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def anonymous_memory(pid: int | str = "self") -> int:
    """The bytes of anonymous memory that a process has now; 0 once it has ended."""
    return status_bytes("RssAnon", pid)


def read_counters() -> dict[str, float]:
    """What the process has used so far; all its threads count."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "minor_faults": usage.ru_minflt,
        "bytes_by_calls": int(io["rchar"]),
        "bytes_from_disk": int(io["read_bytes"]),
    }


def time_once(work: Work) -> tuple[float, tuple[int, int]]:
    start = time.perf_counter()
    held, total = work()
    end = time.perf_counter()
    del held  # freeing is in no clock
    return end - start, total


def main() -> None:
    job = Job(**json.loads(sys.argv[1]))
    bench.use_modules(job.modules)
    # A program that loads tensors has its framework: importing it is in no clock.
    importlib.import_module(f"safetensors.{job.framework}")
    work = WORKS[job.work](job)
    package = importlib.import_module("safetensors")
    # A full collection that the imports brought near would hit some contenders and not others.
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
    anonymous = anonymous_memory()
    before = read_counters()
    start = time.perf_counter()
    held, total = work()
    seconds = time.perf_counter() - start
    after = read_counters()
    result: dict[str, Any] = {key: after[key] - before[key] for key in before}
    result["held_anonymous"] = anonymous_memory() - anonymous
    del held
    again = []
    for _ in range(job.repeats):
        spent, total_again = time_once(work)
        again.append(spent)
        assert total_again == total
    result |= {
        "first_s": seconds,
        "again_s": statistics.median(again) if again else None,
        "sum": total[0],
        "bytes": total[1],
        "version": package.__version__,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
