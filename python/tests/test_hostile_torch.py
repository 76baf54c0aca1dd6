"""What torch may do with what it is handed: refuse it, keep it, let it go in a thread of its own.

Each piece runs in a process of its own kind: a crash is a failed test and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from operations import Outcome, Raised, Returned
from samples import DTYPE, Tensor, encode, numbers

pytest.importorskip("torch")

# Sizes whose product fits, but not the strides that torch computes from them.
TOO_WIDE = (0, 2**63 - 1, 2**63 - 1)


@pytest.mark.parametrize("way", ["safe_open(path, 'pt')", "safe_open(path, 'pt', backend='pread')"])
def test_tensors_that_torch_refuses(
    survives: Callable[..., Outcome], tmp_path: Path, way: str
) -> None:
    """Torch calls the deleter of such a tensor and leaves the capsule as if it had not taken it."""
    file = tmp_path / "x"
    file.write_bytes(encode({"a": Tensor(DTYPE["F32"], TOO_WIDE, b""), "b": numbers((5,))}))
    for call in ("get_tensor('a')", "get_tensors()", "get_slice('a')[...]"):
        ended = survives(
            f"f = {way}\nfor _ in range(100):\n    try:\n        f.{call}\n"
            f"    except RuntimeError: pass\nf.get_tensor('b').tolist()\nf.{call}",
            path=str(file),
        )
        assert isinstance(ended, Raised)
        assert "RuntimeError" in ended.kinds


def test_tensors_kept_from_a_trial(survives: Callable[..., Outcome], small_file: str) -> None:
    """Whether torch knows a type is tried: what is made for that may live on."""
    ended = survives(
        "true, kept = torch._C._from_dlpack, []\n"
        "torch._C._from_dlpack = lambda capsule: kept.append(true(capsule)) or kept[-1]\n"
        "try:\n    values = safe_open(path, 'pt').get_tensors()['b'].shape[0]\n"
        "finally:\n    torch._C._from_dlpack = true\n"
        "sorted(map(str, range(1000)))\nkept.clear()\nvalues",
        path=small_file,
    )
    assert ended == Returned(("int", 5))


THREADS = """
torch
pointer_of, rename = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_SetName
pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
c, used, thread = ctypes.CDLL(None), b"used_dltensor", ctypes.c_ulong()
ended, stop = [], []

class Bytes(bytearray):
    def __del__(self):
        ended.append(sum(range(1000)))

def spin():
    while not stop:
        sum(range(1000))

def one():
    data = Bytes(content)
    f = safetensors._sft.open_bytes(data, "pt", copy=False)
    capsule = torch.utils.dlpack.to_dlpack(f.get_tensor("a"))
    managed = pointer_of(capsule, b"dltensor")
    rename(capsule, used)
    del f, data
    deleter = ctypes.c_void_p.from_address(managed + 56)
    assert c.pthread_create(ctypes.byref(thread), None, deleter, ctypes.c_void_p(managed)) == 0
    c.pthread_join(thread, None)

spinning = [threading.Thread(target=spin) for _ in range(2)]
for each in spinning:
    each.start()
try:
    for _ in range(100):
        one()
finally:
    stop.append(True)
    for each in spinning:
        each.join()
len(ended)
"""


def test_the_last_tensor_dies_in_a_thread_without_python(
    survives: Callable[..., Outcome], small_file: str
) -> None:
    """There the object that has the bytes is let go, while other threads have the interpreter."""
    content = Path(small_file).read_bytes()
    assert survives(THREADS, content=content) == Returned(("int", 100))
