"""`python -m safetensors …` is the command `sft …`, which comes with the package."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Becomes the command."""
    command = Path(__file__).parent / "bin" / "sft"
    if not command.is_file():
        sys.exit(
            "safetensors: this build of the package has no command: it was made without OpenSSL"
            " (Debian: libssl-dev)"
        )
    # The interpreter ignores these, and a program that it becomes would go on doing so.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execv(command, ["sft", *sys.argv[1:]])


if __name__ == "__main__":
    main()
