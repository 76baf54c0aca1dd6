"""Files that are read through Python objects which lie, fail, or come back into the handle.

Each piece runs in a process of its own kind: a crash is a failed test and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from operations import Outcome

FILE = """
class File:
    def __init__(self, data):
        self.data, self.place = data, 0
    def seek(self, offset, whence=0):
        self.place = offset + (0, self.place, len(self.data))[whence]
        return self.place
    def tell(self):
        return self.place
    def read(self, size=-1):
        part = self.data[self.place:] if size < 0 else self.data[self.place:self.place + size]
        self.place += len(part)
        return part
"""
USE = "f = LYING\nh = open_handle(f, 'np')\n[h.get_tensors(), h.get_slice('a')[1:], h.keys()]\n"
LIES = {
    "short reads": "def read(self, size=-1): return File.read(self, min(size, 3))",
    "nothing": "def read(self, size=-1): return b''",
    "too much": "def read(self, size=-1): return File.read(self, size) + b'more' * 100",
    "far too much": "def read(self, size=-1): return bytes(1 << 24)",
    "text": "def read(self, size=-1): return 'text'",
    "none": "def read(self, size=-1): return None",
    "a number": "def read(self, size=-1): return 5",
    "a list": "def read(self, size=-1): return [1, 2, 3]",
    "a bytearray": "def read(self, size=-1): return bytearray(File.read(self, size))",
    "a memoryview": "def read(self, size=-1): return memoryview(File.read(self, size))",
    "every other byte": "def read(self, size=-1): return memoryview(bytes(2 * size))[::2]",
    "an array": "def read(self, size=-1): return np.zeros((3, 3))",
    "an error": "def read(self, size=-1): raise KeyError('read')",
    "an exit": "def read(self, size=-1): raise SystemExit(3)",
    "an end of the interpreter's patience": "def read(self, size=-1): return self.read(size)",
    "seeks that fail": "def seek(self, offset, whence=0): raise OSError(5, 'seek')",
    "seeks to nowhere": "def seek(self, offset, whence=0): return -5",
    "seeks beyond": "def seek(self, offset, whence=0): return 2**70",
    "seeks that say text": "def seek(self, offset, whence=0): return 'far'",
    "seeks that say nothing": "def seek(self, offset, whence=0): File.seek(self, offset, whence)",
    "a huge size": "def seek(self, offset, whence=0):\n"
    "        File.seek(self, offset, whence)\n        return 2**62 if whence == 2 else self.place",
    "tells that fail": "def tell(self): raise KeyError('tell')",
    "a descriptor that is none": "def fileno(self): return -1",
    "a descriptor that is closed": "def fileno(self): return 987654",
    "a descriptor too large": "def fileno(self): return 2**70",
    "a descriptor of text": "def fileno(self): return 'x'",
    "a descriptor that fails": "def fileno(self): raise KeyError('fileno')",
    "a descriptor that is not supported": "def fileno(self): raise io.UnsupportedOperation('x')",
    "a descriptor of a folder": "def fileno(self): return os.open('/', os.O_RDONLY)",
    "a descriptor of a pipe": "def fileno(self): return os.pipe()[0]",
    "a handle that closes within": "def read(self, size=-1):\n"
    "        if 'h' in globals(): h.__exit__(None, None, None)\n"
    "        return File.read(self, size)",
    "a handle that reads within": "depth = 0\n    def read(self, size=-1):\n"
    "        self.depth += 1\n        if 'h' in globals() and self.depth < 20: h.get_tensors()\n"
    "        return File.read(self, size)",
    "data that changes": "def read(self, size=-1):\n"
    "        part = File.read(self, size)\n"
    "        self.data = os.urandom(len(self.data))\n        return part",
    "a file that frees itself": "def read(self, size=-1):\n"
    "        globals().pop('f', None); gc.collect()\n        return File.read(self, size)",
    "reads in pieces that stop": "count = 0\n    def read(self, size=-1):\n"
    "        self.count += 1\n        return File.read(self, 1) if self.count < 50 else b''",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_file_likes_that_lie(survives: Callable[..., Outcome], small_file: str, lie: str) -> None:
    data = Path(small_file).read_bytes()
    piece = FILE + "class Lying(File):\n    " + lie + "\n" + USE.replace("LYING", "Lying(data)")
    survives(piece, data=data)


def test_a_file_that_is_closed_meanwhile(survives: Callable[..., Outcome], small_file: str) -> None:
    survives(
        "f = io.BytesIO(open(path, 'rb').read())\nh = open_handle(f, 'np')\nf.close()\n"
        "h.get_tensor('a')",
        path=small_file,
    )
