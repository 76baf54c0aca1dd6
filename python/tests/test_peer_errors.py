"""Wrong arguments and wrong files are refused as the peer refuses them.

Messages that programs look into are the same; where only the type of the exception matters, the
deviation "argument-wording" says so.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from conftest import Both
from operations import Raised, Returned
from samples import encode, numbers, raw


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A file with one tensor."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(encode({"b": numbers((3, 4))}, {"k": "v"}))
    return str(path)


@pytest.mark.parametrize(
    "loader", ["safe_open(path, 'np')", "sn.load_file(path)", "st.load_file(path)"]
)
def test_a_missing_file(both: Both, tmp_path: Path, loader: str) -> None:
    for path in (str(tmp_path / "absent"), "", "absent", "/", "/dev/null/x", "x" * 300, "a\0b"):
        better = {"/": "folder"}.get(path)
        better = "other-os-error" if path in ("/dev/null/x", "x" * 300, "a\0b") else better
        ours = both(loader, path=path, better=better)
        assert isinstance(ours, Raised) and ("OSError" in ours.kinds or "ValueError" in ours.kinds)


def test_a_folder_without_shards(both: Both, tmp_path: Path) -> None:
    both("safe_open(path, 'np')", path=str(tmp_path), better="folder")
    both("safe_open(path, 'pt', backend='pread')", path=str(tmp_path), better="folder")


def test_a_file_that_may_not_be_read(both: Both) -> None:
    """Run as root, a process may read all: it steps down for the moment."""
    piece = """
    path = folder + '/x'
    open(path, 'wb').close()
    os.chmod(path, 0)
    os.chmod(folder, 0o755)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        safe_open(path, 'np')
    finally:
        os.seteuid(was)
    """
    both(piece, better="permission")


@pytest.mark.parametrize("framework", ["'x'", "''", "'NP'", "'torch '", "'tensorflow2'", "'np\\0'"])
def test_frameworks_that_there_are_not(both: Both, model: str, framework: str) -> None:
    both(f"safe_open(path, {framework})", path=model)


@pytest.mark.parametrize("backend", ["'x'", "''", "'MMAP'", "'read'", "'mmap '"])
def test_backends_that_there_are_not(both: Both, model: str, backend: str) -> None:
    both(f"safe_open(path, 'np', backend={backend})", path=model)
    both(f"sn.load_file(path, backend={backend})", path=model)
    both(f"st.load_file(path, backend={backend})", path=model)


def test_frameworks_that_are_not_installed(both: Both, model: str) -> None:
    for framework in ("paddle", "tf", "mlx"):
        both(f"safe_open(path, {framework!r}).get_tensor('b')", path=model, better="not-installed")


ABSENT = [
    "'absent'", "''", "'B'", "'b '", "'\\0'", "'b\\0'", "'漢'", "'__metadata__'",
]  # fmt: skip


@pytest.mark.parametrize("name", ABSENT)
def test_names_that_there_are_not(both: Both, model: str, name: str) -> None:
    for framework in ("np", "pt"):
        both(f"safe_open(path, {framework!r}).get_tensor({name})", path=model)
        both(f"safe_open(path, {framework!r}).get_slice({name})", path=model)


@pytest.mark.parametrize("name", ["None", "1", "b'b'", "['b']", "'\\ud800'", "object()", "1.5"])
def test_names_that_are_no_strings(both: Both, model: str, name: str) -> None:
    better = None if "ud800" in name else "argument-wording"
    both(f"safe_open(path, 'np').get_tensor({name})", path=model, better=better)
    both(f"safe_open(path, 'np').get_slice({name})", path=model, better=better)


WRONG_CALLS = [
    "safe_open()", "safe_open(path)", "safe_open(framework='np')",
    "safe_open(path, 'np', 'cpu', 'mmap')", "safe_open(path, 'np', devcie='cpu')",
    "safe_open(path, 'np', framework='np')", "safe_open(path, 1)", "safe_open(path, None)",
    "safe_open(path, b'np')", "safe_open(path, 'np', backend=1)", "safe_open(None, 'np')",
    "safe_open(1, 'np')", "safe_open(1.5, 'np')", "safe_open(object(), 'np')",
    "safe_open([path], 'np')", "safe_open(path, 'np').get_tensor()",
    "safe_open(path, 'np').get_tensor('b', 'b')", "safe_open(path, 'np').get_tensor(nme='b')",
    "safe_open(path, 'np').keys(1)", "safe_open(path, 'np').offset_keys(1)",
    "safe_open(path, 'np').metadata(1)", "safe_open(path, 'np').get_tensors(1)",
    "safe_open(path, 'np').get_slice()", "safe_open(path, 'np').__exit__()",
    "safe_open(path, 'np').__exit__(None)", "safe_open(path, 'np').__enter__(1)",
    "open_handle(open(path, 'rb'))", "open_handle()", "len(safe_open(path, 'np'))",
    "safe_open(path, 'np')['b']", "iter(safe_open(path, 'np'))",
    "pickle.dumps(safe_open(path, 'np'))", "copy.copy(safe_open(path, 'np'))",
    "copy.deepcopy(safe_open(path, 'np'))", "deserialize()", "deserialize(data=b'')",
    "deserialize(b'', b'')", "deserialize(None)", "deserialize('x')", "deserialize(1)",
    "deserialize([])", "serialize()", "serialize(tensors={})", "serialize({}, None, 1)",
    "serialize(None)", "serialize([])", "serialize('x')", "serialize({'a': 1})",
    "serialize({'a': None})", "serialize([('a', Buffer(b'').spec('uint8', [0]))])",
    "serialize({1: Buffer(b'').spec('uint8', [0])})",
    "serialize({b'a': Buffer(b'').spec('uint8', [0])})",
    "serialize({'a': {'dtype': 'float32', 'shape': [1]}})", "serialize_file({})",
    "serialize_file()", "serialize_file({}, None)", "serialize_file({}, 1)",
    "serialize_file({}, folder + '/x', None, 1)", "serialize_file({'a': 1}, folder + '/x')",
    "serialize_file(None, folder + '/x')",
]  # fmt: skip


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_wrong_calls(both: Both, model: str, call: str) -> None:
    """A TypeError, as for any function."""
    ours = both(call, path=model, better="argument-wording")
    assert isinstance(ours, Raised) and ours.kind == "TypeError"


METADATA = [
    "{'a': 1}", "{1: 'a'}", "{'a': None}", "{None: 'a'}", "{'a': b'x'}", "[]", "'x'", "1",
    "[('a', 'b')]", "{'a': 'b', 'c': ['d']}", "{'a': 1.5}", "{'a': {'b': 'c'}}", "{'a': True}",
]  # fmt: skip


@pytest.mark.parametrize("metadata", METADATA)
def test_metadata_that_is_no_text(both: Both, metadata: str) -> None:
    """A TypeError; what programs look into is the argument's name and the types."""
    for call in ("serialize({}, M)", "sn.save({}, M)", "st.save({}, M)"):
        both(call.replace("M", metadata), better="argument-wording")
    for call in ("serialize_file", "sn.save_file"):
        both(f"{call}({{}}, folder + '/x', {metadata})", better="argument-wording")


def test_text_that_has_no_utf8(both: Both) -> None:
    """A lone surrogate is refused wherever text goes into a header, as it always was."""
    both("serialize({'a\\ud800': Buffer(bytes(4)).spec('float32', [1])})")
    both("sn.save({'a\\ud800': np.zeros(1)})")
    both("serialize({}, {'k': '\\udfff'})")
    both("serialize({}, {'\\udfff': 'v'})")


UNKNOWN_DTYPES = [
    "'F32'", "'f32'", "'bool_'", "'x'", "''", "'complex128'", "'float8_e4m3'", "'torch.float32'",
    "'float4_e2m1fn'", "'漢'", "'a\"b'",
]  # fmt: skip


@pytest.mark.parametrize("dtype", UNKNOWN_DTYPES)
def test_dtypes_that_there_are_not(both: Both, dtype: str) -> None:
    both(f"Buffer(bytes(4)).spec({dtype}, [1])", better="dtype-codes")


WRONG_SPECS = [
    "dtype=1", "dtype=None", "shape=4", "shape=None", "shape='4'", "shape={4: 1}", "shape={4}",
    "shape=iter([4])", "shape=[1.5]", "shape=['a']", "shape=[None]", "shape=[[4]]", "data_ptr=1.5",
    "data_ptr='a'", "data_ptr=None", "data_len=1.5", "data_len='a'", "data_len=None", "foo=1",
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG_SPECS)
def test_specs_of_wrong_types(both: Both, change: str) -> None:
    piece = f"Buffer(bytes(16)).spec(**({{'dtype': 'float32', 'shape': [4]}} | dict({change})))"
    both(piece, better="argument-wording")


OUT_OF_RANGE = [
    "shape=[-1]", "shape=[2**64]", "shape=[2**70]", "data_ptr=-1", "data_ptr=2**64", "data_len=-1",
    "data_len=2**64", "shape=[4, -2**70]",
]  # fmt: skip


@pytest.mark.parametrize("change", OUT_OF_RANGE)
def test_specs_of_numbers_out_of_range(both: Both, change: str) -> None:
    piece = f"Buffer(bytes(16)).spec(**({{'dtype': 'float32', 'shape': [4]}} | dict({change})))"
    ours = both(piece, better="argument-wording")
    assert isinstance(ours, Raised) and ours.kind == "OverflowError"


SHAPES = [
    "[4]", "(4,)", "[2, 2]", "[]", "[1] * 4", "[4, 0]", "[True]", "b'\\4'", "range(2, 4)",
    "np.array([4])", "[np.int64(4)]", "torch.Size([4])", "bytearray([2, 2])", "[0, 2**40]",
    "[2**63]", "[2**32, 2**33]",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_as_they_come(both: Both, shape: str) -> None:
    """Sequences of integers of any kind."""
    both(f"s = Buffer(bytes(16)).spec('float32', {shape})\n(s.dtype, s.shape, s.data_len)")


SIDES = [
    "[3]", "[5]", "[]", "[0]", "[4, 0]", "[2, 3]", "[2**62]", "[2**32, 2**32]", "[2**61, 4]",
]  # fmt: skip


@pytest.mark.parametrize(
    "shape",
    SIDES,
)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "complex64"])
def test_bytes_that_do_not_fit_the_shape(both: Both, shape: str, dtype: str) -> None:
    both(f"serialize({{'a': Buffer(bytes(16)).spec({dtype!r}, {shape})}})")
    both(f"serialize_file({{'a': Buffer(bytes(16)).spec({dtype!r}, {shape})}}, folder + '/x')")


def test_positional_specs(both: Both) -> None:
    both("TensorSpec('float32', [4], 1, 16)", better="argument-wording")
    both("TensorSpec(dtype='float32')", better="argument-wording")
    both("TensorSpec()", better="argument-wording")


def test_specs_cannot_be_changed(both: Both) -> None:
    made = "s = Buffer(bytes(16)).spec('float32', [4])\n"
    for field in ("dtype", "shape", "data_ptr", "data_len", "more"):
        both(made + f"s.{field} = 1", better="argument-wording")
        both(made + f"del s.{field}", better="argument-wording")
    both(made + "s.shape.append(3)\ns.shape")


def test_an_address_of_nothing(both: Both, child: Any) -> None:
    """The peer reads from it and dies. Ours refuses; no bytes at no address are fine."""
    piece = "serialize({'a': Buffer(b'').spec('float32', SHAPE, data_ptr=0, data_len=LEN)})"
    outcome = child.run(piece.replace("SHAPE", "[4]").replace("LEN", "16"))
    assert isinstance(outcome, Raised), outcome
    both(piece.replace("SHAPE", "[0]").replace("LEN", "0"))


# No device may stand here: run as root, the peer puts a file in its place.
NO_PLACES = [
    "folder", "''", "folder + '/absent/x'", "'a\\0b'", "folder + '/'", "folder + '/' + 'x' * 300",
]  # fmt: skip


@pytest.mark.parametrize("target", NO_PLACES)
def test_places_where_nothing_can_be_saved(both: Both, target: str) -> None:
    ours = both(f"sn.save_file({{'x': np.zeros(2)}}, {target})", better="save-errors")
    assert not isinstance(ours, Returned)


FILES: dict[str, bytes] = {
    "empty": b"",
    "seven bytes": b"1234567",
    "zeros": bytes(8),
    "all ones": b"\xff" * 8,
    "all ones and more": b"\xff" * 64,
    "a header of no bytes": bytes(16),
    "a header too large": struct.pack("<Q", 100_000_001) + b"{}",
    "a header larger than the file": struct.pack("<Q", 3) + b"{}",
    "no JSON": raw(b"hello"),
    "an array": raw(b"[]"),
    "half an object": raw(b'{"a":'),
    "behind the object": raw(b"{} {}"),
    "not UTF-8": raw(b'{"\xff": 1}'),
    "no dtype": raw({"a": {"shape": [], "data_offsets": [0, 0]}}),
    "no shape": raw({"a": {"dtype": "F32", "data_offsets": [0, 0]}}),
    "no offsets": raw({"a": {"dtype": "F32", "shape": [0]}}),
    "an unknown dtype": raw({"a": {"dtype": "F33", "shape": [0], "data_offsets": [0, 0]}}),
    "a negative side": raw({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}),
    "three offsets": raw({"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0, 0]}}),
    "metadata of numbers": raw({"__metadata__": {"a": 1}}),
    "a hole": raw({"a": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}}, bytes(3)),
    "trailing data": raw({}, b"x"),
    "truncated": encode({"a": numbers((3,))})[:-1],
    "one byte more": encode({"a": numbers((3,))}) + b"x",
    "the wrong size": raw({"a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 2]}}, bytes(2)),
    "offsets reversed": raw({"a": {"dtype": "U8", "shape": [2], "data_offsets": [2, 0]}}, bytes(2)),
    "an overflow": raw(
        {"a": {"dtype": "U8", "shape": [2**63, 4], "data_offsets": [0, 2]}}, bytes(2)
    ),
    "half a byte": raw({"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}}, bytes(2)),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
@pytest.mark.parametrize("backend", ["mmap", "pread"])
def test_damaged_files(both: Both, tmp_path: Path, content: bytes, backend: str) -> None:
    """The same defect, told in the same sentence, with its kind behind it."""
    path = tmp_path / "x"
    path.write_bytes(content)
    for framework in ("np", "pt"):
        ours = both(
            f"safe_open(path, {framework!r}, backend={backend!r})",
            path=str(path),
            better="defect-wording",
        )
        assert isinstance(ours, Raised)
        assert ours.kind == "SafetensorError"
        assert ours.text.startswith("Error while deserializing header: ")
        assert ours.text.endswith(")"), "the kind stands in parentheses behind the sentence"


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_damaged_bytes(both: Both, content: bytes) -> None:
    for call in ("deserialize(data)", "sn.load(data)", "st.load(data)"):
        ours = both(call, data=content, better="defect-wording")
        assert isinstance(ours, Raised)
        assert ours.text.startswith("Error while deserializing: ")


def test_the_exception_itself(both: Both) -> None:
    """A plain Exception, made from any arguments, that pickles and copies."""
    both("isinstance(SafetensorError('x'), Exception), SafetensorError.__mro__[1] is Exception")
    both("e = pickle.loads(pickle.dumps(SafetensorError('x', 1)))\ntype(e).__name__, e.args")
    both("copy.copy(SafetensorError('x')).args, str(SafetensorError())")
    both("repr(SafetensorError('a', 1)), SafetensorError.__name__, SafetensorError.__qualname__")
    both("class Mine(SafetensorError): pass\nraise Mine('x')")
    both("vars(__import__('sys').modules[SafetensorError.__module__])['SafetensorError'].__name__")
    both(
        "try:\n    safe_open(folder + '/x', 'np')\nexcept FileNotFoundError as error:\n"
        "    out = type(pickle.loads(pickle.dumps(error))), str(error)\nout"
    )


def test_a_raised_error_pickles(both: Both) -> None:
    """What a worker process of a data loader raises reaches its parent."""
    both(
        "try:\n    deserialize(b'')\nexcept SafetensorError as error:\n"
        "    copied = pickle.loads(pickle.dumps(error))\n"
        "    out = (type(copied) is SafetensorError, str(copied) == str(error))\nout"
    )
