"""The extension in several interpreters of one process, where this Python has them.

Without numpy, which loads into one interpreter alone. Each piece runs in a process of its own kind:
a crash is a failed test and no more.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from operations import Outcome, Returned

MODULES = ("_interpreters", "_xxsubinterpreters")
pytestmark = pytest.mark.skipif(
    not any(importlib.util.find_spec(name) for name in MODULES),
    reason=f"Python {sys.version.split()[0]} has no module for interpreters",
)

# What each interpreter does: everything that needs no framework, a failure of each kind, and what
# it leaves behind for its end.
WORK = """
import sys
sys.path[:] = {path!r}
import gc, io, json
from safetensors import SafetensorError, TensorSpec, _sft, deserialize, serialize, serialize_file
tensors = {{str(n): {{"dtype": "uint8", "shape": [3], "data": bytes([n] * 3)}} for n in range(9)}}
for turn in range({turns}):
    data = serialize(tensors, {{"k": "v"}})
    serialize_file(tensors, {target!r}, {{"k": "v"}})
    assert open({target!r}, "rb").read() == data
    views = dict(deserialize(data))
    assert views["7"]["data"] == bytearray([7, 7, 7])
    reserved = {{"__metadata__": tensors["1"]}}
    for wrong in (lambda: deserialize(data[:-1]), lambda: serialize(reserved)):
        try:
            wrong()
        except SafetensorError as error:
            assert error.code
        else:
            raise AssertionError("nothing was raised")
    writer = _sft.StreamWriter({target!r}, [("a", "U8", [4])])
    writer.put("a", b"1234")
    writer.commit()
    try:
        _sft.safe_open({target!r}, "absent")
    except SafetensorError:
        pass
    gc.collect()
left = [views, _sft.StreamWriter({target!r}, [("a", "U8", [4])]), TensorSpec, SafetensorError("x")]
assert TensorSpec(dtype="uint8", shape=[1], data_ptr=1, data_len=1).shape == [1]
"""
RUN = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

def run_in_one(code):
    number = interpreters.create()
    try:
        if hasattr(interpreters, 'exec'):
            failure = interpreters.exec(number, code)
            assert failure is None, failure
        else:
            interpreters.run_string(number, code)
    finally:
        interpreters.destroy(number)
"""


def work(target: Path, turns: int = 3) -> str:
    """The work for one interpreter, which writes to that file."""
    return WORK.format(path=sys.path, target=str(target), turns=turns)


def test_in_one(survives: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = survives(RUN + "run_in_one(code)\n1", code=work(tmp_path / "x"))
    assert outcome == Returned(("int", 1))


def test_in_many_one_after_the_other(survives: Callable[..., Outcome], tmp_path: Path) -> None:
    """The module's state ends with its interpreter; this one's is not touched."""
    outcome = survives(
        RUN + "data = serialize({})\nfor _ in range(20):\n    run_in_one(code)\n"
        "serialize({}) == data, SafetensorError is safetensors.SafetensorError",
        code=work(tmp_path / "x", 1),
    )
    assert outcome == Returned(("tuple", [("bool", True), ("bool", True)]))


def test_in_many_at_once(survives: Callable[..., Outcome], tmp_path: Path) -> None:
    """Each in a thread; where interpreters have locks of their own they really run at once."""
    outcome = survives(
        RUN + "done = []\n"
        "def run(code):\n    run_in_one(code)\n    done.append(1)\n"
        "threads = [threading.Thread(target=run, args=(code,)) for code in codes]\n"
        "for t in threads: t.start()\n"
        "for n in range(50): serialize({'a': {'dtype': 'uint8', 'shape': [3], 'data': b'123'}})\n"
        "for t in threads: t.join()\nlen(done)",
        codes=[work(tmp_path / str(number), 20) for number in range(6)],
    )
    assert outcome == Returned(("int", 6))


def test_bytes_that_end_with_their_interpreter(
    survives: Callable[..., Outcome], tmp_path: Path
) -> None:
    """A handle over bytes of an interpreter lets them go before it ends."""
    code = (
        f"import sys\nsys.path[:] = {sys.path!r}\nfrom safetensors import _sft, serialize\n"
        "class Bytes(bytearray):\n    pass\n"
        "for _ in range(100):\n"
        "    data = Bytes(serialize({}))\n"
        "    try:\n        handle = _sft.open_bytes(data, 'np')\n"
        "    except ImportError:\n        continue\n"
        "    handle.keys()\n    handle.__exit__(None, None, None)\n"
        "    data += b'x'  # nobody holds them any more\n"
    )
    assert survives(RUN + "run_in_one(code)\n1", code=code) == Returned(("int", 1))
