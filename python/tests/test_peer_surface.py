"""The names, signatures and properties that programs find on the package are the peer's."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
import safetensors
from conftest import Both

# What the peer's modules import for themselves.
IMPORTED = [
    "Any", "Array", "Dict", "List", "Optional", "Set", "Tuple", "Union", "defaultdict", "jnp", "np",
    "os", "sys", "torch",
]  # fmt: skip
MODULES = {
    "safetensors": "",
    "safetensors._safetensors_rust": "",
    "safetensors.numpy": "",
    "safetensors.torch": "torch",
    "safetensors.flax": "jax",
}


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there(both: Both, module: str) -> None:
    """All of the peer's, also the private ones; not what it imports for itself."""
    both(f"{MODULES[module]}\n1")
    listed = both.peer.run(
        "import importlib\nm = importlib.import_module(module)\n"
        "[n for n in vars(m) if not n.startswith(('__', '_float')) and n not in imported]",
        module=module,
        imported=IMPORTED,
    )
    names = [name for _, name in listed.value[1]]
    assert len(names) > 5
    both(
        "import importlib\nm = importlib.import_module(module)\n"
        "[n for n in names if not hasattr(m, n)]",
        module=module,
        names=names,
    )


SIGNATURES = """
import importlib
m = importlib.import_module(module)
out = {}
for name, value in sorted(vars(m).items()):
    if inspect.isfunction(value) and value.__module__ == module:
        signature = inspect.signature(value)
        parameters = signature.parameters.values()
        out[name] = [(p.name, str(p.kind), p.default is p.empty) for p in parameters]
{name: out.get(name) for name in names}
"""
FUNCTIONS = {
    "safetensors.numpy": "save save_file load load_file",
    "safetensors.torch": "save save_file load load_file save_model load_model",
    "safetensors.flax": "save save_file load load_file",
}


@pytest.mark.parametrize("module", FUNCTIONS)
def test_signatures(both: Both, module: str) -> None:
    """Every argument of the peer's is there, of the same kind; ours may have more, by name only."""
    both(f"{MODULES[module]}\n1")
    for name in FUNCTIONS[module].split():
        theirs = both.peer.run(SIGNATURES, module=module, names=[name])
        assert theirs.value[1][0][1][0] == "list", f"the peer has no {name}"
        known = [parameter[1][0][1] for parameter in theirs.value[1][0][1][1]]
        both(
            SIGNATURES.replace("in parameters]", "in parameters if p.name in known]"),
            module=module,
            names=[name],
            known=known,
        )
        both(
            "import importlib\nf = vars(importlib.import_module(module))[name]\n"
            "[p.name for p in inspect.signature(f).parameters.values()"
            " if p.name not in known and p.kind is not p.KEYWORD_ONLY]",
            module=module,
            name=name,
            known=known,
        )


@pytest.mark.parametrize(
    "question",
    [
        "isinstance(safe_open, type)",
        "isinstance(open_handle, type) or callable(open_handle)",
        "isinstance(TensorSpec, type)",
        "issubclass(SafetensorError, Exception)",
        "SafetensorError.__name__",
        "safe_open.__name__",
        "TensorSpec.__name__",
        "serialize.__name__, serialize_file.__name__, deserialize.__name__",
        "safetensors._safetensors_rust.safe_open is safe_open",
        "safetensors._safetensors_rust.SafetensorError is SafetensorError",
        "st.safe_open is safe_open, st.TensorSpec is TensorSpec, st.serialize is serialize",
        "sn.safe_open is safe_open, sn.TensorSpec is TensorSpec, sn.serialize is serialize",
        "sn.deserialize is deserialize, st.serialize_file is safetensors.serialize_file",
        "safetensors._safe_open_handle is open_handle",
        "(pathlib.Path(safetensors.__file__).parent / 'py.typed').exists()",
    ],
)
def test_what_the_names_are(both: Both, question: str) -> None:
    both(question)


def test_the_version_compares(both: Both) -> None:
    """As packages that depend on safetensors compare it."""
    both(
        "try:\n    from packaging.version import Version\nexcept ImportError:\n    out = True\n"
        "else:\n    v = Version(safetensors.__version__)\n"
        "    out = v >= Version('0.8.0') and v < Version('0.9') and not v.is_prerelease\nout"
    )


def test_the_version_installed() -> None:
    """What pip and packages that ask for a version see is the version of the package."""
    try:
        found = importlib.metadata.distribution("safetensors")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package under test is not installed, only on the path")
    if Path(str(found.locate_file("safetensors"))) != Path(safetensors.__file__).parent:
        pytest.skip("the package under test is not installed, only on the path")
    assert found.version == safetensors.__version__


def test_specs(both: Both) -> None:
    made = "b = Buffer(bytes(16))\ns = b.spec('float32', [4])\n"
    both(made + "(s.dtype, s.shape, s.data_len, s.data_ptr == ctypes.addressof(b.memory))")
    both(made + "repr(s).replace(str(s.data_ptr), 'PTR'), str(s) == repr(s)")
    both(made + "s == s, s == b.spec('float32', [4]), s != b.spec('float32', [4]), s == 1")
    both(made + "len({s, s}), isinstance(hash(s), int), bool(s)")
    both(made + "[n for n in dir(s) if not n.startswith('_')]")
    both(made + "pickle.dumps(s)", better="argument-wording")
    both("Buffer(bytes(16)).spec('float4_e2m1fn_x2', [2, 8]).shape")
    both("repr(Buffer(b'').spec('bool', [])).split(', data_ptr')[0]")
    both("repr(Buffer(bytes(12)).spec('uint8', (3, 4))).split(', data_ptr')[0]")


@pytest.mark.parametrize("shape", ["[]", "[1]", "[2, 4]", "[0]", "[3, 0]", "[2**62]", "[2**63]"])
def test_packed_shapes(both: Both, shape: str) -> None:
    """torch counts the bytes of the last dimension, the header the elements."""
    piece = f"s = Buffer(bytes(8)).spec('float4_e2m1fn_x2', {shape})\n"
    both(piece + "s.shape", better="packed-overflow" if "**" in shape else None)
    if "**" not in shape:
        both(piece + "serialize({'a': s})")


def test_deserialize(both: Both) -> None:
    piece = "out = deserialize(data)\n"
    data = (
        "data = sn.save({'b': np.arange(3), 'a': np.zeros((0, 2)), '': np.ones(())}, {'k': 'v'})\n"
    )
    both(data + piece + "type(out), [type(item) for item in out], len(out)")
    both(data + piece + "sorted((name, sorted(view.items())) for name, view in out)")
    both(data + piece + "[sorted(view) for name, view in out]")
    both(data + "deserialize(bytes=data)[0][1].keys() == {'dtype', 'shape', 'data'}")
    both(data + piece + "out[0][1]['data'][:1] = b''\nlen(out)")


@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "np.frombuffer", "mmap"])
def test_deserialize_takes_any_bytes(both: Both, kind: str) -> None:
    make = {
        "bytearray": "bytearray(data)",
        "memoryview": "memoryview(data)",
        "np.frombuffer": "np.frombuffer(data, np.uint8)",
        "mmap": "mmap.mmap(-1, len(data))\nthing[:] = data",
    }[kind]
    piece = f"data = sn.save({{'a': np.arange(3)}})\nthing = {make}\n"
    both(piece + "deserialize(thing)", better="any-buffer")
    both(piece + "sn.load(thing)['a']", better="any-buffer")
    both("torch\n" + piece + "st.load(thing)['a']", better="any-buffer")


def test_both_generations_of_serialize(both: Both) -> None:
    """The mappings of 0.7 make the file that a TensorSpec makes."""
    old = "{'a': {'dtype': 'float32', 'shape': [4], 'data': bytes(range(16))}}"
    new = "{'a': Buffer(bytes(range(16))).spec('float32', [4])}"
    both(f"serialize({old})", better="both-generations")
    both(f"serialize({old}, {{'k': 'v'}})", instead=f"serialize({new}, {{'k': 'v'}})")
    both(f"serialize({old})", instead=f"serialize({new})")
    save = "serialize_file({}, folder + '/x', None)\nopen(folder + '/x', 'rb').read()"
    both(save.replace("{}", old, 1), instead=save.replace("{}", new, 1))


def test_dtype_codes_of_handles(both: Both) -> None:
    both(
        "sn.save_file({'a': np.zeros(2, np.float16), 'b': np.zeros((), bool)}, folder + '/x')\n"
        "f = safe_open(folder + '/x', 'np')\n[f.get_slice(n).get_dtype() for n in f.keys()]"
    )


def test_the_private_names_of_torch(both: Both) -> None:
    """What transformers, accelerate and others import, with what it answers."""
    t = "t = torch.arange(8.0)\n"
    both(t + "st.storage_ptr(t) == t.data_ptr(), st.storage_size(t), st._end_ptr(t) - t.data_ptr()")
    t += "shared = {'a': t, 'b': t, 'c': t[:2], 'd': torch.ones(1)}\n"
    both(t + "[sorted(s) for s in st._find_shared_tensors(shared)]")
    both(t + "dict(st._remove_duplicate_names(shared))")
    both(t + "dict(st._remove_duplicate_names({'a': t, 'b': t}, preferred_names=['b']))")
    both(t + "dict(st._remove_duplicate_names({'a': t, 'b': t}, discard_names=['a']))")
    parts = "{'a': t[:3], 'b': t[2:]}"
    both(
        t + f"try:\n    out = st._remove_duplicate_names({parts})\n"
        "except RuntimeError as error:\n    out = sorted(str(error))\nout"
    )
    both(t + "st._is_complete(t), st._is_complete(t[1:])")
    both(t + "sorted((str(k), v) for k, v in st._SIZE.items() if k)")
    both("torch\nsorted((k, str(v)) for k, v in st._TYPES.items())", better="more-types")
    both("torch\nstr(st._getdtype('BF16'))")
    both("torch\nst._getdtype('absent')", better="clearer-key")
    both("sorted((k, v.__name__) for k, v in sn._TYPES.items())", better="more-types")
    both("sn._getdtype('F32').__name__")
    both("sn._is_little_endian(np.zeros(1)), sn._is_little_endian(np.zeros(1, '>f4'))")
    both(
        "data = st.save({'a': torch.arange(3)})\nst._view2torch(deserialize(data))['a'],"
        " sn._view2np(deserialize(data))['a']"
    )
    pair = "array, kept = st._to_ndarray(t)\n"
    both(t + pair + "(array.tobytes(), kept.data_ptr() == t.data_ptr(), type(array).__name__)")
    flat = "keep = []\nf = st._flatten_as_ptr({'a': t}, keep)\n"
    both(t + flat + "(f['a'].dtype, f['a'].shape, len(keep))")


NET = """
torch.manual_seed(0)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(3, 3)
        self.b = torch.nn.Linear(3, 3)
        self.b.weight = self.a.weight

path = folder + '/x'
zeros = torch.zeros
"""
MODELS = [
    "st.save_model(Net(), path, {'k': 'v'}); f = safe_open(path, 'pt')\n"
    "f.keys(), sorted(f.metadata().items()), sorted(f.get_tensors().items())",
    "st.save_model(Net(), path); st.load_model(Net(), path)",
    "st.save_file({'a.bias': zeros(3)}, path); st.load_model(Net(), path)",
    "st.save_file({'a.bias': zeros(4)}, path); st.load_model(Net(), path)",
    "st.save_file({'a.bias': zeros(3), 'more': zeros(1)}, path)\n"
    "[sorted(names) for names in st.load_model(Net(), path, strict=False)]",
    "n = Net(); n.a.weight.data = zeros(3, 3).t(); n.b.weight = n.a.weight\n"
    "st.save_model(n, path, force_contiguous=False)",
    "n = Net(); n.a.weight.data = torch.arange(6.0).reshape(2, 3).t(); n.b.weight = n.a.weight\n"
    "st.save_model(n, path); sorted(st.load_file(path).items())",
]


@pytest.mark.parametrize("lines", MODELS)
def test_models(both: Both, lines: str) -> None:
    """save_model and load_model, with tied weights, and with weights that are missing."""
    both(NET + lines, better="tied-views" if ".t()" in lines else None)
