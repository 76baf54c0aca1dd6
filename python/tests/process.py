"""An interpreter beside this one that runs pieces of Python: the peer's, or one of our own."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operations import Died, Outcome
from worker import read_frame, write_frame

WORKER = Path(__file__).resolve().parent / "worker.py"


class Process:
    """Starts with the first piece, and again after one that killed it."""

    def __init__(self, python: str, *flags: str) -> None:
        self.command: Sequence[str] = [python, *flags, str(WORKER)]
        self.process: subprocess.Popen[bytes] | None = None
        self.errors = tempfile.TemporaryFile(prefix="sft-worker-")  # noqa: SIM115

    def run(self, source: str, **names: Any) -> Outcome:
        """Runs a piece as `operations.run` does; a death by a signal is an outcome too."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                # The folder of the tests must not stand in for a package of theirs.
                cwd=tempfile.gettempdir(),
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            write_frame(self.process.stdin, pickle.dumps((source, names), protocol=4))
            answer = read_frame(self.process.stdout)
        except BrokenPipeError:
            answer = None
        if answer is None:
            return self.died()
        outcome: Outcome = pickle.loads(answer)  # noqa: S301 - from the worker that we started
        return outcome

    def died(self) -> Died:
        """The outcome of a process that ended in the middle of a piece."""
        assert self.process is not None
        code = self.process.wait()
        self.close()
        if code >= 0:
            raise RuntimeError(f"{self.command} ended with {code}:\n{self.said()}")
        return Died(-code)

    def said(self) -> str:
        """The end of what the process wrote to standard error."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-4000:]

    def close(self) -> None:
        """Ends the process."""
        if self.process is None:
            return
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self.process.wait()
        self.process = None
