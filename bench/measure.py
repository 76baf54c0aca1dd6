"""Runs contenders in turns, each run in a fresh process, and keeps what every run cost."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.worker import anonymous_memory, status_bytes

Run = dict[str, Any]


def touch_memory(size: int) -> None:
    """Makes a virtual machine get memory from its host, which the first to use it pays for.

    Memory that was freed a moment ago is the first to be given out again.
    """
    if size > 0:
        with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.madvise(mmap.MADV_HUGEPAGE)
            pages = np.frombuffer(memory, np.uint8)[:: mmap.PAGESIZE]
            pages[:] = 1
            del pages


@dataclass
class Contender:
    """A program that takes part, and what each of its runs gave."""

    name: str
    command: list[str]

    runs: list[Run] = field(default_factory=list)
    peak_anonymous: int | None = None  # bytes above what it had before its work
    peak_resident: int | None = None  # bytes in all, the pages of files that it has mapped too
    prepare: Callable[[], Run] = dict
    finish: Callable[[], None] = lambda: None

    def fail(self) -> None:
        sys.exit(f"bench: {self.name} failed: {' '.join(self.command)}")

    def run(self, watch: bool = False) -> Run:
        """One run in a fresh process. With `watch`, its memory is watched, which may slow it."""
        raise NotImplementedError

    def watch(self, pid: int) -> int:
        """The most anonymous memory that was seen, every millisecond or so, until the end."""
        peak = resident = 0
        while (now := anonymous_memory(pid)) > 0:
            peak = max(peak, now)
            resident = max(resident, status_bytes("VmHWM", pid))
            time.sleep(0.001)
        self.peak_resident = resident
        return peak


@dataclass
class Program(Contender):
    """A program that does everything from its start to its end, and may report its own times."""

    reports: bool = True

    def run(self, watch: bool = False) -> Run:
        state = self.prepare()
        start = time.perf_counter()
        process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE if self.reports else subprocess.DEVNULL
        )
        if watch:
            self.peak_anonymous = self.watch(process.pid)
        output = process.stdout.read() if process.stdout else b""
        # wait4 rather than wait: it also tells what the process used.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.stdout:
            process.stdout.close()
        if process.returncode != 0:
            self.fail()
        self.finish()
        result: Run = json.loads(output) if self.reports else {"first_s": seconds}
        result["process_s"] = seconds
        result["cpu_s"] = usage.ru_utime + usage.ru_stime
        result["minor_faults"] = usage.ru_minflt
        result |= state
        # All runs report the same sum or the contenders did different work.
        result["checked"] = None
        return result


@dataclass
class Worker(Contender):
    """A process of bench.worker. `prepare` sets the scene once its imports are done."""

    memory: int = 0  # touched before each run, for it may take so much

    def run(self, watch: bool = False) -> Run:
        process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.wait()
            self.fail()
        state = self.prepare()
        touch_memory(self.memory)
        before = peak = anonymous_memory(process.pid) if watch else 0
        process.stdin.write("go\n")
        process.stdin.flush()
        if watch:
            peak = max(peak, self.watch(process.pid))
        line = process.stdout.readline()
        process.stdin.close()
        if process.wait() != 0 or not line:
            self.fail()
        process.stdout.close()
        self.finish()
        result: Run = json.loads(line)
        result |= state
        if watch:
            # What is over in less than a millisecond is not seen from here.
            self.peak_anonymous = max(peak - before, result["held_anonymous"])
        result["checked"] = [result["sum"], result["bytes"]]
        return result


def take_turns(contenders: list[Contender], rounds: int) -> None:
    """One round that is thrown away, but for the memory that it took, then those that count.

    The first one brings programs and files into memory; where one round is all, it counts.
    Contenders whose sums differ did not do the same work: that ends the run.
    """
    first = 1 if rounds > 1 else 0
    for number in range(first + rounds):
        for contender in contenders:
            result = contender.run(watch=number == 0)
            if number >= first:
                contender.runs.append(result)
    sums = {str(run["checked"]) for c in contenders for run in c.runs if run["checked"]}
    if len(sums) > 1:
        names = ", ".join(contender.name for contender in contenders)
        sys.exit(f"bench: these did not read the same bytes: {names}")
