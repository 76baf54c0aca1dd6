"""A folder whose contents a generator writes: compared with what would be written, or written."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Generated:
    """All files of some folders in `home`, and some files beside these folders."""

    home: Path
    folders: Iterable[str]
    beside: frozenset[str]

    def committed(self) -> set[str]:
        """The paths that stand in the folder now."""
        paths = set(self.beside)
        for folder in self.folders:
            found = (self.home / folder).rglob("*")
            paths |= {str(path.relative_to(self.home)) for path in found if path.is_file()}
        return paths

    def check(self, files: dict[str, bytes]) -> int:
        """Compares the folder with what would be written; returns an exit code."""
        wrong = sorted(self.committed() ^ set(files))
        for path, data in files.items():
            target = self.home / path
            if target.is_file() and target.read_bytes() != data:
                wrong.append(path)
        for path in wrong:
            print(
                f"generate.py: {path} is not what the tables say; run generate.py", file=sys.stderr
            )
        return 1 if wrong else 0

    def write(self, files: dict[str, bytes]) -> None:
        """Replaces the folder's contents."""
        for folder in self.folders:
            shutil.rmtree(self.home / folder, ignore_errors=True)
        for path, data in files.items():
            (self.home / path).parent.mkdir(parents=True, exist_ok=True)
            (self.home / path).write_bytes(data)
