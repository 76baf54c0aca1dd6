"""Arguments made to break the extension: it refuses them, and the interpreter goes on.

Each piece runs in a process of its own kind, so that a crash is a failed test and no more. A piece
may raise what it likes, unless the test says which; it must not kill the process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from operations import Died, Outcome, Raised, Returned
from process import Process
from samples import encode, numbers


@pytest.fixture(scope="module")
def survives() -> Iterator[Callable[..., Outcome]]:
    """Runs a piece that must not kill its process; returns how it ended."""
    process = Process(sys.executable)

    def run(source: str, **names: object) -> Outcome:
        outcome = process.run(source, **names)
        assert not isinstance(outcome, Died), f"{outcome}:\n{source}\n{process.said()}"
        assert not (isinstance(outcome, Raised) and outcome.kind in ("NameError", "SystemError")), (
            f"{outcome}:\n{source}"
        )
        return outcome

    yield run
    process.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A small file."""
    file = tmp_path / "x"
    file.write_bytes(encode({"a": numbers((3, 4)), "b": numbers((5,))}, {"k": "v"}))
    return str(file)


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
    "a dict that empties": "d = {}\ne = lambda: {'dtype': 'uint8', 'shape': [Index(d.clear)], 'data': b'1'}\n"
    "d.update({str(n): e() for n in range(100)})\nserialize(d)",
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
    "d = {}\nd[N('a')] = Buffer(b'1').spec('uint8', [1])\nd[N('b')] = Buffer(b'1').spec('uint8', [1])\n"
    "serialize(d)",
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
    "w.put('a', S(), b'1234')",
    "specs of a writer that change": "specs = []\n"
    "specs += [('a', 'U8', [Index(specs.clear)]), ('b', 'U8', [1])]\n"
    "safetensors._sft.StreamWriter(folder + '/x', specs)",
}


@pytest.mark.parametrize("piece", CHANGES.values(), ids=CHANGES)
def test_what_changes_during_the_call(
    survives: Callable[..., Outcome], path: str, piece: str
) -> None:
    """Python code runs in the middle of a call and changes what was passed."""
    for _ in range(3):
        survives(INDEX + piece, path=path)


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
    "a view of every other byte": "def read(self, size=-1): return memoryview(bytes(2 * size))[::2]",
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
    "        if 'h' in globals(): h.__exit__(None, None, None)\n        return File.read(self, size)",
    "a handle that reads within": "depth = 0\n    def read(self, size=-1):\n"
    "        self.depth += 1\n        if 'h' in globals() and self.depth < 20: h.get_tensors()\n"
    "        return File.read(self, size)",
    "data that changes": "def read(self, size=-1):\n"
    "        part = File.read(self, size)\n        self.data = os.urandom(len(self.data))\n        return part",
    "a file that frees itself": "def read(self, size=-1):\n"
    "        globals().pop('f', None); gc.collect()\n        return File.read(self, size)",
    "reads in pieces that stop": "count = 0\n    def read(self, size=-1):\n"
    "        self.count += 1\n        return File.read(self, 1) if self.count < 50 else b''",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_file_likes_that_lie(survives: Callable[..., Outcome], path: str, lie: str) -> None:
    data = Path(path).read_bytes()
    piece = FILE + "class Lying(File):\n    " + lie + "\n" + USE.replace("LYING", "Lying(data)")
    survives(piece, data=data)


def test_a_file_that_is_closed_meanwhile(survives: Callable[..., Outcome], path: str) -> None:
    survives(
        "f = io.BytesIO(open(path, 'rb').read())\nh = open_handle(f, 'np')\nf.close()\n"
        "h.get_tensor('a')",
        path=path,
    )


METHODS = "keys offset_keys metadata get_tensors get_tensor get_slice __enter__ __exit__"


@pytest.mark.parametrize("method", METHODS.split())
def test_objects_that_were_never_made(survives: Callable[..., Outcome], method: str) -> None:
    """__new__ without what it needs makes nothing, by whatever way it is called."""
    for make in (
        "safe_open.__new__(safe_open)",
        "object.__new__(safe_open)",
        "object.__new__(type(open_handle(io.BytesIO(sn.save({})), 'np')))",
        "copy.copy(safe_open(path, 'np'))",
        "safe_open.__reduce_ex__(safe_open(path, 'np'), 2)[0](safe_open)",
    ):
        for arguments in ("", "'a'", "None, None, None"):
            survives(f"f = {make}\nf.{method}({arguments})", path="/dev/null")


@pytest.mark.parametrize("kind", ["TensorSpec", "type(safe_open(path, 'np').get_slice('a'))",
                                  "safetensors._sft.StreamWriter", "type(safe_open(path, 'np'))"])  # fmt: skip
def test_types_that_cannot_be_made_plainly(
    survives: Callable[..., Outcome], path: str, kind: str
) -> None:
    made = f"kind = {kind}\n"
    for make in (
        "object.__new__(kind)",
        "kind.__new__(kind)",
        "kind()",
        "type('S', (kind,), {})()",
    ):
        ended = survives(made + f"thing = {make}\n1", path=path)
        assert isinstance(ended, Raised), f"{make} made a {kind}"
    survives(made + "kind.__new__(int)", path=path)
    survives(made + "kind.__new__(5)", path=path)
    survives(made + "kind.x = 1", path=path)
    survives(made + "kind.__init__(safe_open(path, 'np'), 1, 2, 3)", path=path)


def test_init_twice(survives: Callable[..., Outcome], path: str) -> None:
    survives(
        "f = safe_open(path, 'np')\nfor _ in range(9):\n    try:\n        f.__init__(path, 'np')\n"
        "    except TypeError: pass\nf.get_tensors()",
        path=path,
    )
    survives("s = Buffer(b'1').spec('uint8', [1])\ns.__init__()\ns.shape")
    survives(
        "w = safetensors._sft.StreamWriter(folder + '/x', [('a', 'U8', [1])])\n"
        "w.__init__(folder + '/y', [])\nw.put('a', 0, b'1')\nw.commit()"
    )


def test_methods_of_one_type_on_another(survives: Callable[..., Outcome], path: str) -> None:
    for target in ("5", "None", "Buffer(b'').spec('uint8', [0])", "safe_open(path, 'np')"):
        for call in (
            "safe_open.keys", "safe_open.get_tensors", "TensorSpec.shape.__get__",
            "type(safe_open(path, 'np').get_slice('a')).get_shape",
            "safetensors._sft.StreamWriter.commit",
        ):  # fmt: skip
            survives(f"{call}({target})", path=path)


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


HUGE = [
    (2**62, "{}"),
    (99_999_999, "{}"),
    (2**63 - 8, '{"a":1}'),
    (None, '{"a":{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,4611686018427387904]}}'),
    (None, '{"a":{"dtype":"F64","shape":[9223372036854775808],"data_offsets":[0,0]}}'),
    (None, '{"a":{"dtype":"U8","shape":[281474976710656],"data_offsets":[0,281474976710656]}}'),
    (None, '{"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}'),
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


def test_slices_of_any_size(survives: Callable[..., Outcome], path: str) -> None:
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
            survives(opened + f"s[{start}:{stop}]", path=path)
            survives(opened + f"s[:, {start}:{stop}:{stop}]", path=path)
    survives(opened + "s[(0,) * 100000]", path=path)
    survives(opened + "s[(...,) * 100000]", path=path)
    survives(opened + "s[(slice(None),) * 65]", path=path)
    survives(opened + "s[(None,) * 100000]", path=path)
    survives(opened + "s[[[]] * 100000]", path=path)
    survives("safe_open(path, 'pt').get_slice('a')[(None,) * 100000]", path=path)


def test_deep_recursion(survives: Callable[..., Outcome], path: str) -> None:
    """A call on a full stack is a RecursionError, or works."""
    survives(
        "def deep(n):\n    try:\n        return deep(n + 1)\n    except RecursionError:\n"
        "        f = safe_open(path, 'np'); f.get_tensors(); f.get_slice('a')[1]; return n\n"
        "try:\n    deep(0)\nexcept RecursionError: pass\n1",
        path=path,
    )


def test_text_subclasses(survives: Callable[..., Outcome], path: str) -> None:
    text = "class T(str):\n    def __str__(self): raise KeyError('str')\n    __repr__ = __str__\n"
    text += "    def encode(self, *a): raise KeyError('encode')\n"
    assert isinstance(
        survives(text + "safe_open(path, T('np')).get_tensor(T('a'))", path=path), Returned
    )
    survives(text + "safe_open(T(path), T('np'), device=T('cpu'), backend=T('mmap'))", path=path)
    survives(text + "serialize({T('a'): Buffer(b'1').spec(T('uint8'), [1])}, {T('k'): T('v')})")
    survives("class D(dict): pass\nserialize(D({'a': Buffer(b'1').spec('uint8', [1])}), D(k='v'))")
    survives("class D(dict):\n    def items(self): raise KeyError\n    __iter__ = keys = items\n"
             "serialize(D({'a': Buffer(b'1').spec('uint8', [1])}), D(k='v'))")  # fmt: skip


def test_a_module_that_is_missing_or_false(survives: Callable[..., Outcome], path: str) -> None:
    """The frameworks are looked up; what is found there need not be what it should be."""
    for name in ("numpy", "torch", "jax", "ml_dtypes"):
        for false in ("None", "5", "type(os)('x')"):
            framework = {"numpy": "np", "torch": "pt", "jax": "jax", "ml_dtypes": "np"}[name]
            survives(
                "import sys\nnp\nwas = {n: m for n, m in sys.modules.items()"
                " if n.partition('.')[0] == name}\n"
                f"for n in was: del sys.modules[n]\nsys.modules[name] = {false}\n"
                "try:\n    f = safe_open(path, framework)\n    f.get_tensors(), f.get_slice('a')[1]\n"
                "finally:\n    del sys.modules[name]\n    sys.modules.update(was)\n",
                path=path, name=name, framework=framework,
            )  # fmt: skip


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
