"""Writers that are told nonsense: they refuse it, and leave nothing beside the file.

Each piece runs in a process of its own kind: a crash is a failed test and no more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operations import Outcome, Raised, Returned

WRITER = "w = safetensors._sft.StreamWriter(folder + '/x', [('a', 'U8', [4]), ('e', 'F32', [0])])\n"
WORKS = [
    "w.put('a', b'1234'); w.commit()", "w.put('a', b'12', 2); w.put('a', b'34', 0); w.commit()",
    "w.abort(); w.abort()", "w.put('a', b'1234'); w.put('e', b''); w.commit()",
    "w.put('a', b'', 4)", "w.put('a', Buffer(bytes(4)).spec('uint8', [4])); w.commit()",
    "w.put('a', bytearray(4))", "w.put('a', memoryview(b'12345678')[2:6]); w.commit()",
    "w.put('a', b'', offset=4)",
]  # fmt: skip
REFUSED = [
    "w.put('a', b'12'); w.commit()", "w.commit()", "w.abort(); w.commit()", "w.put('a')", "w.put()",
    "w.put('a', b'12345')", "w.put('a', b'12', 3)", "w.put('a', b'1', -1)",
    "w.put('a', b'', 2**64)", "w.put('a', b'1', 2**63)", "w.put('a', b'12', 2**64 - 1)",
    "w.put('b', b'')", "w.put(1, b'')", "w.put('a', b'', '0')", "w.put('a', 'text')",
    "w.put('a', None)", "w.put('a', 5)", "w.put('a', np.zeros((2, 2), np.uint8).T)",
    "w.put('a', memoryview(bytes(8))[::2])",
    "w.put('a', Buffer(bytes(4)).spec('uint8', [4], data_ptr=0))", "w.put('a\\ud800', b'')",
    "w.abort(); w.put('a', b'1')", "w.put('a', b'', 5)", "w.put('a', b'', 1.0)",
    "w.put('a', b'', None)", "w.put('a', Buffer(bytes(4)).spec('int8', [4]))",
    "w.put('a', Buffer(bytes(4)).spec('uint8', [2]))",
]  # fmt: skip


@pytest.mark.parametrize("call", WORKS)
def test_what_a_writer_takes(survives: Callable[..., Outcome], call: str) -> None:
    outcome = survives(WRITER + call + "\ndel w\nos.listdir(folder)")
    left = [("str", "x")] if "commit" in call else []
    assert outcome == Returned(("list", left))


@pytest.mark.parametrize("call", REFUSED)
def test_what_a_writer_refuses(survives: Callable[..., Outcome], call: str) -> None:
    assert isinstance(survives(WRITER + call), Raised)
    left = survives(WRITER + f"try:\n    {call}\nexcept Exception: pass\ndel w\nos.listdir(folder)")
    assert left == Returned(("list", []))


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
