"""Arguments made to break the extension: it refuses them, and the interpreter goes on.

Each piece runs in a process of its own kind, so that a crash is a failed test and no more. A piece
may raise what it likes, unless the test says which; it must not kill the process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from operations import Outcome, Raised, Returned
from samples import encode, numbers

INDEX = """
class Index:
    def __init__(self, act, value=1):
        self.act, self.value = act, value
    def __index__(self):
        self.act()
        return self.value
def fail():
    raise KeyError('from __index__')
"""

SHAPES = [
    "[2**64]", "[2**63]", "[-1]", "[-2**70]", "[1.0]", "[True]", "[2**32, 2**32]", "[2**62, 2, 2]",
    "[0, 2**63, 2**63]", "[2**63, 2**63, 0]", "[1] * 65", "[1] * 100000", "[0] * 1000", "[None]",
    "['1']", "[[1]]", "[Index(fail)]", "[Index(lambda: None, -1)]", "[Index(lambda: None, 'x')]",
    "range(2**62)", "range(-3, 3)", "'123'", "b'123'", "{1: 2}", "{1}", "None", "5", "object()",
    "(x for x in (1, 2))", "[1, *[2**31] * 3]", "[float('nan')]", "[float('inf')]", "[1j]",
    "memoryview(bytes(3))", "np.zeros((2, 2), int)", "np.array(3)", "[np.float64(2)]",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(survives: Callable[..., Outcome], shape: str) -> None:
    """In a TensorSpec, in a mapping, and in a file that is streamed."""
    spec = f"s = Buffer(bytes(8)).spec('uint8', {shape})\n"
    survives(INDEX + spec + "serialize({'a': s})")
    survives(INDEX + spec + "serialize_file({'a': s}, folder + '/x')")
    survives(INDEX + spec + "repr(s), s.shape, hash(s), s == s")
    survives(
        INDEX + f"serialize({{'a': {{'dtype': 'uint8', 'shape': {shape}, 'data': bytes(8)}}}})"
    )
    survives(INDEX + f"safetensors.stream_file(folder + '/x', {{'a': ('U8', {shape})}}).commit()")
    survives(INDEX + spec.replace("uint8", "float4_e2m1fn_x2") + "serialize({'a': s})")


CHANGES = {
    "a shape that grows": "shape = []\nshape += [Index(lambda: shape.extend([1] * 1000))] * 3\n"
    "serialize({'a': {'dtype': 'uint8', 'shape': shape, 'data': b'1'}})",
    "a shape that empties": "shape = []\nshape += [Index(shape.clear), 1, 1, 1]\n"
    "serialize({'a': {'dtype': 'uint8', 'shape': shape, 'data': b'1'}})",
    "a spec's shape that empties": "shape = []\nshape += [Index(shape.clear), 1, 1, 1]\n"
    "Buffer(b'1').spec('uint8', shape)",
    "a spec's shape that grows": "shape = []\nshape += [Index(lambda: shape.extend([1] * 9999))]\n"
    "Buffer(b'1').spec('uint8', shape)",
    "a dict that empties": "d = {}\n"
    "entry = lambda: {'dtype': 'uint8', 'shape': [Index(d.clear)], 'data': b'1'}\n"
    "d.update({str(n): entry() for n in range(100)})\nserialize(d)",
    "a dict that grows": "d = {}\ngrow = lambda: d.update({str(n): 1 for n in range(5000)})\n"
    "d['a'] = {'dtype': 'uint8', 'shape': [Index(grow)], 'data': b'1'}\nserialize(d)",
    "an entry that empties": "entry = {'dtype': 'uint8', 'data': bytes(1)}\n"
    "entry['shape'] = [Index(entry.clear)]\nserialize({'a': entry})",
    "data that shrinks": "data = bytearray(100000)\n"
    "serialize({'a': {'data': data, 'dtype': 'uint8', 'shape': [Index(data.clear, 100000)]}})",
    "data that moves": "data = bytearray(100000)\n"
    "act = lambda: data.extend(bytes(10**7))\n"
    "serialize({'a': {'data': data, 'dtype': 'uint8', 'shape': [Index(act, 100000)]}})",
    "a path that empties the dict": "d = {'a': Buffer(b'1').spec('uint8', [1])}\n"
    "class P:\n    def __fspath__(self):\n        d.clear(); gc.collect(); return folder + '/x'\n"
    "serialize_file(d, P())",
    "a path that empties the metadata": "m = {str(n): 'v' * n for n in range(99)}\n"
    "class P:\n    def __fspath__(self):\n        m.clear(); gc.collect(); return folder + '/x'\n"
    "serialize_file({}, P(), m)",
    "a path that fails": "class P:\n    def __fspath__(self): raise KeyError('path')\n"
    "serialize_file({}, P())",
    "a path that is no path": "class P:\n    def __fspath__(self): return 5\n"
    "serialize_file({}, P())",
    "a name that frees": "class N(str):\n    def __hash__(self): return 1\n"
    "    def __eq__(self, other): d.clear(); return True\n"
    "d = {}\nspec = lambda: Buffer(b'1').spec('uint8', [1])\n"
    "d[N('a')] = spec()\nd[N('b')] = spec()\nserialize(d)",
    "a slice's index that closes": "f = safe_open(path, 'np')\ns = f.get_slice('a')\n"
    "s[Index(lambda: f.__exit__(None, None, None))]",
    "a slice's index that fails": "safe_open(path, 'np').get_slice('a')[Index(fail)]",
    "a slice's bound that fails": "safe_open(path, 'np').get_slice('a')[Index(fail):]",
    "a list in an index that changes": "l = []\nl += [Index(l.clear), 1]\n"
    "safe_open(path, 'np').get_slice('a')[l]",
    "an index that slices again": "s = safe_open(path, 'np').get_slice('a')\n"
    "s[Index(lambda: s[Index(lambda: s[1])])]",
    "a device that fails": "class D:\n    def __str__(self): raise KeyError('device')\n"
    "    __index__ = __repr__ = __str__\nsafe_open(path, 'np', device=D())",
    "a writer that is ended within": "w = safetensors._sft.StreamWriter(folder + '/x',"
    " [('a', 'U8', [4])])\n"
    "class S:\n    def __index__(self): w.abort(); return 0\n"
    "w.put('a', b'1234', S())",
    "specs of a writer that change": "specs = []\n"
    "specs += [('a', 'U8', [Index(specs.clear)]), ('b', 'U8', [1])]\n"
    "safetensors._sft.StreamWriter(folder + '/x', specs)",
}


@pytest.mark.parametrize("piece", CHANGES.values(), ids=CHANGES)
def test_what_changes_during_the_call(
    survives: Callable[..., Outcome], small_file: str, piece: str
) -> None:
    """Python code runs in the middle of a call and changes what was passed."""
    for _ in range(3):
        survives(INDEX + piece, path=small_file)


MAPPINGS = [
    "{}", "{'dtype': 'uint8'}", "{'shape': [1], 'data': b'1'}", "{'dtype': 'uint8', 'shape': [1]}",
    "{'dtype': 1, 'shape': [1], 'data': b'1'}", "{'dtype': 'x', 'shape': [1], 'data': b'1'}",
    "{'dtype': 'uint8', 'shape': [1], 'data': 'x'}",
    "{'dtype': 'uint8', 'shape': [1], 'data': None}",
    "{'dtype': 'uint8', 'shape': [2], 'data': b'1'}", "{'dtype': 'uint8', 'shape': [1], 'data': 1}",
    "{'dtype': 'uint8', 'shape': [2], 'data': memoryview(b'1234')[::2]}",
    "{'dtype': 'float32', 'shape': [1], 'data': memoryview(b'1234')}",
    "{'dtype': 'uint8', 'shape': [6], 'data': np.zeros((2, 3), np.uint8).T}",
    "{'dtype': 'uint8', 'shape': [1], 'data': np.array([None])}",
    "{'dtype': 'uint8', 'shape': [1], 'data': np.zeros(1, [('a', 'u1')])}",
    "type('D', (dict,), {'__getitem__': lambda s, k: 1})()",
    "type('D', (dict,), {'get': None})({'dtype': 'uint8', 'shape': [1], 'data': b'1'})",
]  # fmt: skip


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_mappings(survives: Callable[..., Outcome], mapping: str) -> None:
    survives(f"serialize({{'a': {mapping}}})")
    survives(f"serialize_file({{'a': {mapping}, 'b': {mapping}}}, folder + '/x')")
    assert survives(
        f"try:\n    serialize_file({{'a': {mapping}, 'b': 5}}, folder + '/x')\n"
        "except Exception: pass\nos.listdir(folder)"
    ) == Returned(("list", []))


CLAIM = '{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}'
HUGE = [
    (2**62, "{}"),
    (99_999_999, "{}"),
    (2**63 - 8, '{"a":1}'),
    (None, CLAIM % (2**62, 2**62)),
    (None, CLAIM % (2**63, 0)),
    (None, CLAIM % (2**48, 2**48)),
    (None, CLAIM % (2**64 - 1, 2**64 - 1)),
    (None, '{"a":{"dtype":"U8","shape":[' + "1," * 100_000 + '1],"data_offsets":[0,1]}}'),
    (None, '{"a":' + "[" * 100_000),
    (None, '{"a":' + '{"b":' * 100_000),
]  # fmt: skip


@pytest.mark.parametrize(("size", "header"), HUGE, ids=range(len(HUGE)))
def test_sizes_that_are_only_claimed(
    survives: Callable[..., Outcome], tmp_path: Path, size: int | None, header: str
) -> None:
    """Refused without the memory that they claim: the process has less than that."""
    path = tmp_path / "x"
    text = header.encode()
    content = (len(text) if size is None else size).to_bytes(8, "little") + text
    path.write_bytes(content)
    limits = (
        "import resource\nwas = resource.getrlimit(resource.RLIMIT_AS)\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), was[1]))\n"
        "try:\n    {}\nfinally:\n    resource.setrlimit(resource.RLIMIT_AS, was)\n"
    )
    if sys.platform != "linux":
        limits = "{}\n"
    for call in ("safe_open(path, 'np')", "deserialize(content)", "sn.load_file(path)",
                 "sn.load(content)", "open_handle(io.BytesIO(content), 'np')"):  # fmt: skip
        ended = survives(limits.format(call), path=str(path), content=content)
        assert isinstance(ended, Raised) and ended.kind == "SafetensorError", f"{call}: {ended}"


def test_slices_of_any_size(survives: Callable[..., Outcome], small_file: str) -> None:
    opened = "s = safe_open(path, 'np').get_slice('a')\n"
    numbers = (
        "0",
        "-1",
        "2**31",
        "2**63 - 1",
        "2**63",
        "-2**63",
        "2**64",
        "2**100",
        "-2**100",
        "None",
    )
    for start in numbers:
        for stop in numbers:
            survives(opened + f"s[{start}:{stop}]", path=small_file)
            survives(opened + f"s[:, {start}:{stop}:{stop}]", path=small_file)
    survives(opened + "s[(0,) * 100000]", path=small_file)
    survives(opened + "s[(...,) * 100000]", path=small_file)
    survives(opened + "s[(slice(None),) * 65]", path=small_file)
    survives(opened + "s[(None,) * 100000]", path=small_file)
    survives(opened + "s[[[]] * 100000]", path=small_file)


def test_deep_recursion(survives: Callable[..., Outcome], small_file: str) -> None:
    """A call on a full stack is a RecursionError, or works."""
    survives(
        "def deep(n):\n    try:\n        return deep(n + 1)\n    except RecursionError:\n"
        "        f = safe_open(path, 'np'); f.get_tensors(); f.get_slice('a')[1]; return n\n"
        "try:\n    deep(0)\nexcept RecursionError: pass\n1",
        path=small_file,
    )


def test_text_subclasses(survives: Callable[..., Outcome], small_file: str) -> None:
    text = "class T(str):\n    def __str__(self): raise KeyError('str')\n    __repr__ = __str__\n"
    text += "    def encode(self, *a): raise KeyError('encode')\n"
    assert isinstance(
        survives(text + "safe_open(path, T('np')).get_tensor(T('a'))", path=small_file), Returned
    )
    survives(
        text + "safe_open(T(path), T('np'), device=T('cpu'), backend=T('mmap'))", path=small_file
    )
    survives(text + "serialize({T('a'): Buffer(b'1').spec(T('uint8'), [1])}, {T('k'): T('v')})")
    survives("class D(dict): pass\nserialize(D({'a': Buffer(b'1').spec('uint8', [1])}), D(k='v'))")
    survives("class D(dict):\n    def items(self): raise KeyError\n    __iter__ = keys = items\n"
             "serialize(D({'a': Buffer(b'1').spec('uint8', [1])}), D(k='v'))")  # fmt: skip


def test_memory_that_runs_out(survives: Callable[..., Outcome], tmp_path: Path) -> None:
    """A MemoryError, or a SafetensorError that says so; and then it works again."""
    path = tmp_path / "x"
    path.write_bytes(encode({"a": numbers((64 << 10,))}))
    outcome = survives(
        """
        import resource
        big = folder + '/big'
        sn.save_file({'a': np.zeros(256 << 20, np.uint8)}, big)
        was = resource.getrlimit(resource.RLIMIT_AS)
        now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (100 << 20), was[1]))
        kinds = []
        try:
            for call in (lambda: sn.load_file(big), lambda: sn.load_file(big, backend='mmap'),
                         lambda: deserialize(open(big, 'rb').read())):
                try:
                    call()
                except (MemoryError, SafetensorError, OSError) as error:
                    kinds.append(bool(str(error) or type(error) is MemoryError))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, was)
        kinds, sn.load_file(big)['a'].sum() == 0
        """,
    )
    assert isinstance(outcome, Returned), outcome
