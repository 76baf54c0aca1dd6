"""What is saved is the peer's file byte for byte, and what cannot be saved is refused in its words.

With no or one entry of metadata: the peer's order of several is by chance, ours is sorted.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from conftest import Both
from operations import Returned
from samples import DTYPE, DTYPES, PLAIN, Dtype, Tensor, random_tensor, random_tensors

METADATA = [None, {}, {"k": "v"}, {"": ""}, {"format": "pt"}, {'"\\\n\0': "漢🙂\u2028\x7f"}]
NUMPY = """
built = {name: ndarray(dtype, shape, data) for name, dtype, shape, data in tensors}
sn.save_file(built, folder + '/x', metadata)
(sn.save(built, metadata), open(folder + '/x', 'rb').read())
"""
TORCH = """
torch
built = {name: tensor(dtype, shape, data) for name, dtype, shape, data in tensors}
st.save_file(built, folder + '/x', metadata)
(st.save(built, metadata), open(folder + '/x', 'rb').read())
"""
FLAX = """
built = {name: jnp.asarray(ndarray(dtype, shape, data)) for name, dtype, shape, data in tensors}
sf.save_file(dict(built), folder + '/x', metadata)
(sf.save(dict(built), metadata), open(folder + '/x', 'rb').read())
"""
SERIALIZE = """
buffers = {name: Buffer(data) for name, dtype, shape, data in tensors}
specs = {name: buffers[name].spec(dtype, shape) for name, dtype, shape, data in tensors}
serialize_file(specs, folder + '/x', metadata)
(serialize(specs, metadata), open(folder + '/x', 'rb').read())
"""


def arguments(tensors: dict[str, Tensor], names: str) -> list[tuple[str, str, Any, bytes]]:
    """Tensors in the form that the pieces build theirs from; `names` is the field of Dtype."""
    return [(n, getattr(t.dtype, names), t.shape, t.data) for n, t in tensors.items()]


@pytest.mark.parametrize("metadata", METADATA, ids=repr)
def test_random_numpy_dicts(both: Both, metadata: dict[str, str] | None) -> None:
    rng = Random(repr(metadata))
    for _ in range(15):
        tensors = random_tensors(rng, PLAIN, rng.randint(metadata == {}, 12))
        both(NUMPY, tensors=arguments(tensors, "numpy"), metadata=metadata)


@pytest.mark.parametrize("metadata", METADATA, ids=repr)
def test_random_torch_dicts(both: Both, metadata: dict[str, str] | None) -> None:
    rng = Random(repr(metadata))
    dtypes = tuple(dtype for dtype in DTYPES if dtype.torch and dtype.name != "F4")
    for _ in range(15):
        tensors = random_tensors(rng, dtypes, rng.randint(metadata == {}, 12))
        both(TORCH, tensors=arguments(tensors, "torch"), metadata=metadata)


@pytest.mark.parametrize("metadata", METADATA, ids=repr)
def test_random_flax_dicts(both: Both, metadata: dict[str, str] | None) -> None:
    rng = Random(repr(metadata))
    narrow = tuple(dtype for dtype in PLAIN if dtype.bits <= 32)
    for _ in range(5):
        tensors = random_tensors(rng, narrow, rng.randint(metadata == {}, 8))
        both(FLAX, tensors=arguments(tensors, "numpy"), metadata=metadata)


@pytest.mark.parametrize("metadata", METADATA, ids=repr)
def test_random_specs(both: Both, metadata: dict[str, str] | None) -> None:
    rng = Random(repr(metadata))
    dtypes = tuple(dtype for dtype in DTYPES if dtype.serialized and dtype.name != "F4")
    for _ in range(15):
        tensors = random_tensors(rng, dtypes, rng.randint(metadata == {}, 12))
        both(SERIALIZE, tensors=arguments(tensors, "serialized"), metadata=metadata)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_every_dtype(both: Both, dtype: Dtype) -> None:
    """Alone, so that a type that one side lacks hides no other."""
    if dtype.name.startswith("F6_"):
        pytest.skip("neither framework nor TensorSpec has six-bit floats")
    shape = (3, 2)
    sample = {"x": Tensor(dtype, shape, Random(5).randbytes(6 * max(dtype.bits, 8) // 8))}
    both(SERIALIZE, tensors=arguments(sample, "serialized"), metadata=None)
    both(TORCH, tensors=arguments(sample, "torch"), metadata=None)
    if dtype.numpy:
        both(
            "ml_dtypes\n" * dtype.extension + NUMPY,
            tensors=arguments(sample, "numpy"),
            metadata=None,
        )


def test_the_order_of_the_dict_does_not_matter(both: Both) -> None:
    rng = Random(6)
    tensors = list(random_tensors(rng, PLAIN, 12).items())
    files = set()
    for _ in range(5):
        rng.shuffle(tensors)
        outcome = both(NUMPY, tensors=arguments(dict(tensors), "numpy"), metadata=None)
        assert isinstance(outcome, Returned)
        files.add(repr(outcome.value))
    assert len(files) == 1


def test_nothing_at_all(both: Both) -> None:
    both("sn.save({})")
    ours = both("sn.save({}, {})", better="empty-metadata")
    assert ours == Returned(("bytes", b"\x18" + bytes(7) + b'{"__metadata__":{}}     '))


def test_metadata_is_sorted(both: Both) -> None:
    """The peer's order changes from run to run; the headers mean the same."""
    piece = """
    data = sn.save({'x': np.arange(3)}, metadata)
    size = int.from_bytes(data[:8], 'little')
    (sorted(json.loads(data[8:8 + size])['__metadata__'].items()), data[8 + size:])
    """
    metadata = {chr(letter): str(letter) for letter in range(0x7A, 0x60, -1)}
    both(piece, metadata=metadata)
    header = both("sn.save({}, metadata)", metadata=dict(list(metadata.items())[:1]))
    assert isinstance(header, Returned)


def test_saving_replaces_what_is_there(both: Both) -> None:
    both(
        "open(folder + '/x', 'wb').write(b'old' * 1000)\n"
        "sn.save_file({'x': np.arange(3)}, folder + '/x')\n"
        "(open(folder + '/x', 'rb').read(), os.listdir(folder))"
    )


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_of_a_new_file(both: Both, umask: int) -> None:
    """0666 without what the umask forbids; the peer's files are their owner's alone."""
    piece = """
    was = os.umask(umask)
    try:
        sn.save_file({'x': np.arange(3)}, folder + '/x')
    finally:
        os.umask(was)
    oct(os.stat(folder + '/x').st_mode)
    """
    ours = both(piece, umask=umask, better="file-mode")
    assert ours == Returned(("str", oct(0o100666 & ~umask)))


@pytest.mark.parametrize("module", ["sn", "st", "sf"])
def test_the_names_of_arguments(both: Both, module: str) -> None:
    first = "tensor_dict" if module == "sn" else "tensors"
    make = {"sn": "np", "st": "torch", "sf": "jnp"}[module] + ".arange(3)"
    both(f"{module}.save({first}={{'x': {make}}}, metadata={{'k': 'v'}})")
    both(
        f"{module}.save_file({first}={{'x': {make}}}, filename=folder + '/x', metadata=None)\n"
        "open(folder + '/x', 'rb').read()"
    )
    both(f"{module}.save_file({{'x': {make}}}, pathlib.Path(folder) / 'x')\nos.listdir(folder)")


TORCH_REFUSED = {
    "not a dict": "[torch.zeros(2)]",
    "pairs": "[('a', torch.zeros(2))]",
    "none": "None",
    "not a tensor": "{'a': [1.0]}",
    "an array": "{'a': np.zeros(2)}",
    "none within": "{'a': torch.zeros(2), 'b': None}",
    "sparse": "{'a': torch.eye(3).to_sparse()}",
    "two sparse": "{'a': torch.eye(3).to_sparse(), 'b': torch.eye(3).to_sparse_csr()}",
    "non-contiguous": "{'a': torch.zeros(3, 4).t()}",
    "strided": "{'a': torch.zeros(8)[::2]}",
    "expanded": "{'a': torch.zeros(1).expand(4)}",
    "complex128": "{'a': torch.zeros(2, dtype=torch.complex128)}",
    "a name that is no string": "{1: torch.zeros(2)}",
    "quantized": "{'a': torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8)}",
}


@pytest.mark.parametrize("tensors", TORCH_REFUSED.values(), ids=TORCH_REFUSED)
def test_what_torch_cannot_save(both: Both, tensors: str) -> None:
    """The refusal comes before anything is written."""
    better = {
        "complex128": "clearer-type",
        "a name that is no string": "argument-wording",
        "quantized": "clearer-type",
    }.get(next(key for key, value in TORCH_REFUSED.items() if value == tensors))
    both(f"torch\nst.save({tensors})", better=better)
    both(f"torch\nst.save_file({tensors}, folder + '/x')", better=better)


SHARED = {
    "the same": "{'a': t, 'b': t}",
    "a view": "{'a': t, 'b': t.view(2, 4)}",
    "an overlap": "{'a': t[:5], 'b': t[3:]}",
    "three": "{'a': t, 'b': t, 'c': t}",
}


@pytest.mark.parametrize("tensors", SHARED.values(), ids=SHARED)
def test_tensors_that_share_memory(both: Both, tensors: str) -> None:
    """The same RuntimeError; the names in its set come in any order, so letters are compared."""
    both(
        f"t = torch.arange(8)\ntry:\n    st.save({tensors})\nexcept RuntimeError as error:\n"
        "    out = ('share memory' in str(error), sorted(str(error)))\nout"
    )


@pytest.mark.parametrize(
    "tensors",
    ["{'a': t[:4], 'b': t[4:]}", "{'a': t[4:], 'b': t[:4]}", "{'a': t[:0], 'b': t[0:]}"],
)
def test_tensors_that_only_neighbour(both: Both, tensors: str) -> None:
    both(f"t = torch.arange(8)\nst.save({tensors})")


NUMPY_REFUSED = {
    "complex128": "{'a': np.zeros(2, np.complex128)}",
    "strings": "{'a': np.array(['x'])}",
    "bytes": "{'a': np.array([b'x'])}",
    "objects": "{'a': np.array([None])}",
    "dates": "{'a': np.array(['2026-01-01'], 'datetime64[D]')}",
    "records": "{'a': np.zeros(2, [('x', 'f4')])}",
    "wide floats": "{'a': np.zeros(2, np.longdouble)}",
}


@pytest.mark.parametrize("tensors", NUMPY_REFUSED.values(), ids=NUMPY_REFUSED)
def test_what_numpy_cannot_save(both: Both, tensors: str) -> None:
    """A SafetensorError for a type that the format lacks."""
    both(f"sn.save({tensors})", better="names-the-tensor")
    both(f"sn.save_file({tensors}, folder + '/x')", better="names-the-tensor")


@pytest.mark.parametrize("value", ["[1.0]", "None", "1.0", "'text'", "b'bytes'", "object()"])
def test_what_is_no_array(both: Both, value: str) -> None:
    both(f"sn.save({{'a': {value}}})", better="clearer-type")


@pytest.mark.parametrize("value", ["None", "[]", "[('a', np.zeros(2))]", "1", "'text'"])
def test_what_is_no_dict_of_arrays(both: Both, value: str) -> None:
    both(f"sn.save({value})", better="clearer-type")


def test_a_name_that_is_reserved(both: Both) -> None:
    both("sn.save({'__metadata__': np.zeros(2)})", better="metadata-name")
    both("st.save({'__metadata__': torch.zeros(2)})", better="metadata-name")


def test_arrays_in_any_memory_order(both: Both) -> None:
    """What the peer writes wrong without a word, ours writes as the array reads."""
    for array in ("np.arange(6).reshape(2, 3).T", "np.arange(8)[::2]", "np.arange(8)[::-1]"):
        ours = both(
            f"a = {array}\nsn.load(sn.save({{'a': a}}))['a'].tolist() == a.tolist()",
            better="memory-order",
        )
        assert ours == Returned(("bool", True))


def test_big_endian_arrays(both: Both) -> None:
    both("sn.save({'a': np.arange(6, dtype='>i4'), 'b': np.arange(3, dtype='>f8')})")


def test_round_trips_through_every_loader(both: Both) -> None:
    """What one framework saves another loads."""
    tensors = random_tensors(Random(7), (DTYPE["F32"], DTYPE["I32"], DTYPE["U8"]), 10)
    sample = arguments(tensors, "numpy")
    for load in ("st", "sn", "sf"):
        both(
            "built = {name: ndarray(dtype, shape, data) for name, dtype, shape, data in tensors}\n"
            f"sn.save_file(built, folder + '/x')\nsorted({load}.load_file(folder + '/x').items())",
            tensors=sample,
        )


def test_empty_tensors(both: Both) -> None:
    rng = Random(8)
    shapes: list[tuple[int, ...]] = [(0,), (0, 3), (3, 0), (2, 0, 5), (0, 0)]
    tensors = {str(s): random_tensor(rng, DTYPE["F32"], s) for s in shapes}
    both(NUMPY, tensors=arguments(tensors, "numpy"), metadata=None)
    both(TORCH, tensors=arguments(tensors, "torch"), metadata=None)
