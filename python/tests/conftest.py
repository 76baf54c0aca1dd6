"""What the tests share: the package under test, the peer beside it, and how the two are compared.

The tests need numpy, pytest and hypothesis. Those that need torch, jax or the peer skip, with the
reason, where these are absent, so that the rest runs on every version of Python.
SFT_PEER_PYTHON names the interpreter of the peer's environment; without it, it is the one that the
Makefile makes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import operations
import pytest
import safetensors
from deviations import DEVIATIONS, without_kind, without_layout
from operations import Died, Outcome, Raised, Returned
from process import Process
from samples import encode, numbers

ROOT = Path(__file__).resolve().parents[2]
PEER_VERSION = "0.8.0"


def pytest_configure(config: pytest.Config) -> None:
    """Stops at once where the tests would run on another package than ours."""
    version = getattr(safetensors, "__version__", "unknown")
    if "+sft" not in version:
        pytest.exit(f"safetensors {version} of {safetensors.__file__} is not ours", returncode=2)


def pytest_report_header(config: pytest.Config) -> str:
    """Tells which package is under test."""
    return f"safetensors {safetensors.__version__}: {Path(safetensors.__file__).parent}"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the good and the bad files."""
    folder = ROOT / "tests" / "files"
    if not folder.is_dir():
        pytest.skip(f"the corpus is not there: {folder}")
    return folder


@pytest.fixture(scope="session")
def peer() -> Iterator[Process]:
    """The peer's interpreter, with the peer itself in it."""
    python = os.environ.get("SFT_PEER_PYTHON") or str(ROOT / "build/venv/peer/bin/python")
    if not Path(python).exists():
        pytest.skip(f"the peer's environment is not there: {python}")
    process = Process(python, "-I")
    try:
        outcome = process.run("safetensors.__version__")
        expected = Returned(("str", PEER_VERSION))
        assert outcome == expected, f"{python} has {outcome}, not safetensors {PEER_VERSION}"
        yield process
    finally:
        process.close()


@pytest.fixture
def child() -> Iterator[Process]:
    """An interpreter of its own for the package under test, for what might kill one."""
    process = Process(sys.executable)
    try:
        yield process
    finally:
        process.close()


class Both:
    """Runs a piece of Python on the peer and on ours, and compares the outcomes."""

    def __init__(self, peer: Process) -> None:
        self.peer = peer
        self.modules: dict[str, bool] = {}

    def __call__(
        self,
        source: str,
        *,
        better: str | None = None,
        layout: bool = False,
        instead: str | None = None,
        **names: Any,
    ) -> Outcome:
        """Asserts that both end alike; returns our outcome.

        `better` names the entry of `deviations.DEVIATIONS` that they may differ by. `layout`
        compares also the strides, storage and writability of the arrays returned. `instead` is what
        the peer runs where the rule for ours is what the peer does elsewhere.
        """
        for module in ("torch", "jax"):
            if self.uses(source, module) and not self.has(module):
                pytest.skip(f"{module} is not in both environments")
        theirs = self.peer.run(instead or source, **names)
        ours = operations.run(source, names)
        # A mistake in the piece would be the same on both sides.
        assert not (isinstance(ours, Raised) and ours.kind == "NameError"), f"{source}\n{ours}"
        if not self.alike(theirs, ours, layout):
            message = f"\n{source}\nwith {names}\npeer: {theirs}\nours: {ours}"
            assert better, "they differ:" + message
            assert DEVIATIONS[better].holds(theirs, ours), f"not by {better!r}:" + message
        return ours

    def alike(self, theirs: Outcome, ours: Outcome, layout: bool) -> bool:
        """Whether two outcomes are the same, but for the kind that ours tells."""
        if isinstance(theirs, Returned) and isinstance(ours, Returned):
            if layout:
                return bool(theirs.value == ours.value)
            return bool(without_layout(theirs.value) == without_layout(ours.value))
        if isinstance(theirs, Raised) and isinstance(ours, Raised):
            return theirs.kind == ours.kind and theirs.text == without_kind(ours.text)
        return False

    def uses(self, source: str, module: str) -> bool:
        """Whether a piece needs this framework."""
        marks = {"torch": ("torch", "st.", "'pt'", "tensor("), "jax": ("jax", "jnp", "sf.")}
        return any(mark in source for mark in marks[module])

    def has(self, module: str) -> bool:
        """Whether both environments have this module."""
        if module not in self.modules:
            probe = "import importlib.util\nimportlib.util.find_spec(module) is not None"
            theirs, ours = (
                self.peer.run(probe, module=module),
                operations.run(probe, {"module": module}),
            )
            self.modules[module] = theirs == ours == Returned(("bool", True))
        return self.modules[module]


@pytest.fixture(scope="session")
def both(peer: Process) -> Both:
    """Compares the package under test with the peer."""
    return Both(peer)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="what a process holds is counted in /proc"
)


@pytest.fixture(scope="module")
def survives() -> Iterator[Callable[..., Outcome]]:
    """Runs a piece that must not kill its process; returns how it ended."""
    process = Process(sys.executable)

    def run(source: str, **names: object) -> Outcome:
        outcome = process.run(source, **names)
        assert not isinstance(outcome, Died), f"{outcome}:\n{source}\n{process.said()}"
        assert not (isinstance(outcome, Raised) and outcome.kind in ("NameError", "SystemError")), (
            f"{outcome}:\n{source}"
        )
        return outcome

    yield run
    process.close()


@pytest.fixture
def small_file(tmp_path: Path) -> str:
    """A small file."""
    file = tmp_path / "x"
    file.write_bytes(encode({"a": numbers((3, 4)), "b": numbers((5,))}, {"k": "v"}))
    return str(file)
