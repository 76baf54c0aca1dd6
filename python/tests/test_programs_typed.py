"""Programs that are checked with `mypy --strict` find the types of the package precise."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

LINTED = Path(__file__).resolve().parents[2] / "build" / "venv" / "lint" / "bin" / "mypy"

GOOD = """
from pathlib import Path
from typing_extensions import assert_type

import numpy as np

import safetensors.numpy
from safetensors import DtypeError, SafetensorError, TensorSpec, safe_open, stream_file

arrays = safetensors.numpy.load_file(Path("a"), backend="mmap")
data: bytes = safetensors.numpy.save(arrays, metadata={"k": "v"})
safetensors.numpy.save_file({"a": np.zeros(3)}, "b", None, durable=True)
safetensors.numpy.load(bytearray(data), copy=False)["a"].sum()
with safe_open("a", framework="np") as file:
    assert_type(file, safe_open)
    assert_type(file.keys(), list[str])
    assert_type(file.metadata(), dict[str, str] | None)
    part = file.get_slice("a")
    assert_type(part.get_shape(), list[int])
    part[1:, ..., None], part[[1, 2]], part[0]
def names(path: str, framework: str) -> list[str]:
    with safe_open(path, framework) as file:
        return file.keys()
spec = TensorSpec(dtype="float32", shape=(2, 3), data_ptr=0, data_len=24)
assert_type(spec.shape, list[int])
try:
    assert_type(safetensors.serialize({"a": spec}), bytes)
    safetensors.serialize({"a": {"dtype": "uint8", "shape": [1], "data": b"x"}})
    safetensors.deserialize(memoryview(data))[0][1]["shape"]
except DtypeError as error:
    assert_type(error.tensor, str | None)
except SafetensorError as error:
    assert_type(error.code, str | None)
    assert_type(error.byte, int | None)
with stream_file("c", {"a": ("F32", (2,)), "b": np.zeros(3)}, durable=True) as writer:
    writer.write("a", np.zeros(2, np.float32))
    writer.write_bytes("b", b"123", offset=4)
from safetensors._safetensors_rust import SafetensorError as Same
"""

# Each line is wrong in its own way.
BAD = """
import safetensors.numpy
from safetensors import TensorSpec, safe_open

safetensors.numpy.save_file("b", {})
safetensors.numpy.load("text")
safe_open("a", "np").get_tensor(3)
safe_open("a", "np").get_slice("a")["b"]
TensorSpec("float32", [1], 0, 4)
"""

TORCH = """
from typing_extensions import assert_type

import torch

import safetensors.torch

with safetensors.safe_open("a", "pt", torch.device("cuda", 1)) as file:
    file.get_tensor("a")
safetensors.torch.load_file("a", torch.device("cpu"))
assert_type(safetensors.torch.load_file("a", device=0), dict[str, torch.Tensor])
assert_type(safetensors.torch.load(b""), dict[str, torch.Tensor])
model = torch.nn.Linear(2, 2)
safetensors.torch.save_model(model, "a")
missing, unexpected = safetensors.torch.load_model(model, "a")
assert_type(missing, set[str])
assert_type(unexpected, list[str])
"""


@pytest.fixture(scope="module")
def mypy() -> list[str]:
    """The command that checks a file."""
    if importlib.util.find_spec("mypy"):
        program = [sys.executable, "-m", "mypy"]
    elif LINTED.exists():
        program = [str(LINTED)]
    else:
        pytest.skip(f"mypy is neither installed here nor at {LINTED}")
    return [
        *program,
        "--strict",
        "--python-executable",
        sys.executable,
        "--config-file=",
        "--cache-dir=/dev/null",
        "--follow-imports=silent",
        "--hide-error-context",
        "--no-error-summary",
    ]


def check(mypy: list[str], text: str, folder: Path) -> list[str]:
    """What mypy has to say about a program, line by line."""
    (folder / "program.py").write_text(text)
    run = subprocess.run(
        [*mypy, "program.py"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert not run.stderr, run.stderr
    return run.stdout.splitlines()


def test_right_programs_pass(mypy: list[str], tmp_path: Path) -> None:
    assert check(mypy, GOOD, tmp_path) == []


def test_wrong_programs_do_not(mypy: list[str], tmp_path: Path) -> None:
    complaints = check(mypy, BAD, tmp_path)
    wrong = {int(line.split(":")[1]) for line in complaints if ": error:" in line}
    first = BAD.splitlines().index('safetensors.numpy.save_file("b", {})') + 1
    assert wrong == set(range(first, first + 5)), complaints


def test_torch_programs_pass(mypy: list[str], tmp_path: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    assert check(mypy, TORCH, tmp_path) == []
