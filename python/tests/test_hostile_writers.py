"""Writers that are told nonsense: they refuse it, and leave nothing beside the file.

Each piece runs in a process of its own kind: a crash is a failed test and no more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operations import Outcome, Returned

WRITER = "w = safetensors._sft.StreamWriter(folder + '/x', [('a', 'U8', [4]), ('e', 'F32', [0])])\n"
WRITER_CALLS = [
    "w.put('a', 0, b'1234'); w.commit()", "w.put('a', 0, b'12'); w.commit()", "w.commit()",
    "w.abort(); w.abort()", "w.abort(); w.commit()", "w.commit(); w.commit()",
    "w.put('a', 0, b'1234'); w.commit(); w.commit()",
    "w.put('a', 0, b'1234'); w.commit(); w.abort()", "w.put('a', 0, b'12345')",
    "w.put('a', 3, b'12')", "w.put('a', -1, b'1')", "w.put('a', 2**64, b'')",
    "w.put('a', 2**63, b'1')", "w.put('a', 2**64 - 1, b'12')", "w.put('b', 0, b'')",
    "w.put(1, 0, b'')", "w.put('a', '0', b'')", "w.put('a', 0, 'text')", "w.put('a', 0, None)",
    "w.put('a', 0, 5)", "w.put('a', 0, np.zeros((2, 2), np.uint8).T)",
    "w.put('a', 0, memoryview(bytes(8))[::2])",
    "w.put('a', 0, Buffer(bytes(4)).spec('uint8', [4])); w.commit()",
    "w.put('a', 0, Buffer(bytes(4)).spec('uint8', [4], data_ptr=0))",
    "w.put('e', 0, b''); w.commit()", "w.put('a\\ud800', 0, b'')", "w.put()", "w.put('a')",
    "w.abort(); w.put('a', 0, b'1')",
]  # fmt: skip


@pytest.mark.parametrize("call", WRITER_CALLS)
def test_writers(survives: Callable[..., Outcome], call: str) -> None:
    survives(WRITER + call)
    left = survives(WRITER + f"try:\n    {call}\nexcept Exception: pass\ndel w\nos.listdir(folder)")
    assert isinstance(left, Returned)
    assert left.value in (("list", []), ("list", [("str", "x")]))


SPECS = [
    "[]", "None", "5", "[1]", "[()]", "[('a',)]", "[('a', 'U8')]", "[('a', 'U8', [1], 1)]",
    "[(1, 'U8', [1])]", "[('a', 1, [1])]", "[('a', 'absent', [1])]", "[('a', 'U8', 1)]",
    "[('a', 'U8', [-1])]", "[('a', 'U8', [2**64])]", "[('a', 'U8', [2**63, 4])]",
    "[('a', 'U8', [1]), ('a', 'U8', [1])]", "[('__metadata__', 'U8', [1])]", "[('a', 'F4', [1])]",
    "[('a\\ud800', 'U8', [1])]", "{'a': 1}", "iter([('a', 'U8', [1])])", "[['a', 'U8', [1]]]",
    "[('a', 'U8', [2**62])]", "[(str(n), 'U8', [1]) for n in range(5000)]",
]  # fmt: skip


@pytest.mark.parametrize("specs", SPECS)
def test_specs_of_writers(survives: Callable[..., Outcome], specs: str) -> None:
    survives(f"w = safetensors._sft.StreamWriter(folder + '/x', {specs})\nw.abort()")
    left = survives(
        f"try:\n    safetensors._sft.StreamWriter(folder + '/x', {specs}, {{'k': 1}})\n"
        "except Exception: pass\nos.listdir(folder)"
    )
    assert left == Returned(("list", []))


@pytest.mark.parametrize(
    "alignment", ["-1", "3", "7", "2**21", "2**40", "2**70", "'8'", "1.0", "None"]
)
def test_alignments(survives: Callable[..., Outcome], alignment: str) -> None:
    survives(f"safetensors._sft.StreamWriter(folder + '/x', [], None, False, {alignment}).commit()")
