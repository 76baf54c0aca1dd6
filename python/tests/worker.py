"""The peer's side of the differential tests: runs pieces of Python for the tests, one by one.

Started with the interpreter of the peer's environment. A request is a frame on standard input:
the length of what follows, eight bytes little-endian, then a pickled (source, names). The answer
is such a frame on standard output with the pickled outcome. Ends when its input does.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from pathlib import Path
from typing import BinaryIO


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, or None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    (size,) = struct.unpack("<Q", head)
    body = stream.read(size)
    return body if len(body) == size else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Sends one frame."""
    stream.write(struct.pack("<Q", len(body)) + body)
    stream.flush()


def main() -> None:
    """Answers requests. What the pieces print goes to standard error, never among the frames."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # The interpreter runs isolated, so that no PYTHONPATH of the tests reaches the peer.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import operations

    while (request := read_frame(requests)) is not None:
        source, names = pickle.loads(request)  # noqa: S301 - from the tests that started this
        write_frame(answers, pickle.dumps(operations.run(source, names), protocol=4))


if __name__ == "__main__":
    main()
