"""What the tests of saving share: large files of little memory, small disks, lesser users."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import TensorSpec

NOBODY = 65534
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def spec_of(array: np.ndarray[Any, Any], **changes: Any) -> TensorSpec:
    """The spec of an array, or one with some arguments replaced."""
    arguments = {
        "dtype": array.dtype.name,
        "shape": array.shape,
        "data_ptr": array.ctypes.data,
        "data_len": array.nbytes,
    }
    return TensorSpec(**(arguments | changes))


def large(size: int) -> tuple[np.ndarray[Any, Any], dict[str, TensorSpec]]:
    """Tensors of so many MiB in all, which share one memory of 16 MiB: keep the array."""
    array = np.zeros(16 << 20, np.uint8)
    return array, {str(number): spec_of(array) for number in range(size // 16)}


def open_files() -> int:
    """The descriptors that this process has open."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("there is no /proc to count open files by")
    return len(list(folder.iterdir()))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of one MiB. Only root can make one."""
    if not ROOT:
        pytest.skip("a file system can be mounted by root only")
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """As a user without privileges: root may do everything everywhere."""
    if not ROOT:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Another thread that counts, a thousand times a second where it gets the interpreter."""
    count = 0
    done = threading.Event()

    def run() -> None:
        nonlocal count
        while not done.is_set():
            count += 1
            time.sleep(0.001)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: count
    finally:
        done.set()
        thread.join()
