"""Slices give what the peer gives, and refuse what it refuses with its words.

For torch, torch's own indexing is the rule with either backend; the peer's `mmap` follows it, so
both of our backends are compared with that one.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from conftest import Both
from samples import DTYPE, encode, numbers, random_tensor

BACKENDS = ("mmap", "pread")
SHAPES: dict[str, tuple[int, ...]] = {
    "m": (10, 5),
    "v": (7,),
    "s": (),
    "c": (3, 4, 5),
    "h": (2, 3, 2, 2),
    "z": (0, 3),
    "one": (1, 1),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of tensors that count from zero, of every rank that matters."""
    path = tmp_path_factory.mktemp("slices") / "model.safetensors"
    path.write_bytes(encode({name: numbers(shape) for name, shape in SHAPES.items()}))
    return str(path)


def slicing(framework: str, backend: str, name: str, index: str) -> str:
    """A piece that takes one slice."""
    need = {"pt": "torch", "flax": "jax", "np": "np"}[framework]
    opened = f"safe_open(path, {framework!r}, backend={backend!r})"
    return f"{need}\nnp\nwith {opened} as f: out = f.get_slice({name!r})[{index}]\nout"


VALID = [
    "...", ":", "()", "1", "-1", "0", "9", "-10", "1:3", ":2", "2:", "2:2", "::2", "1::3", ":10",
    "0:10:10", "::100", "1, 2", "-1, -1", "..., 1", "1, ...", "..., 1:3", "2:4, 1:3", ":, 0",
    "::2, ::2", "3, ::2", ":, 4", "..., ::3", "[]", "True", "False", "np.int64(1)", "np.uint8(2)",
    "np.int64(1):np.int64(3)", "np.array(1)", "slice(None, None, None)", "slice(1, None), 2",
    "0, 0, ...", "..., 0, 0", "1:2, 1:2", "9:10, 4:5", "0:1:1", "::2**40",
]  # fmt: skip

REFUSED = [
    "10", "-11", "0, 5", "0, -6", "2:, 20", ":20", "3:20", "1, 0:20", "20:", "10:", "11:", "5:2",
    "20:30", "None", "None, 1", "1, None", "..., None", "[0]", "[0, 1]", "[True]", "[[]]", "[], 1",
    "1, []", "[], []", "1, 2, 3", ":, :, :", "0, 0, 0, ...", "..., ..., 1", "..., ...", "::-1",
    "::0", "1:3:-2", "-1:", ":-1", "-3:-1", ":-20", "2**70", "-2**70", ":2**70", "::2**70", "2**63",
    "2**63:", ":2**64", "-2**63", "1.5", "'a'", "1.5:", ":'a'", "::'a'", "b'a'", "{}", "object()",
    "np.array([0, 1])", "np.float32(1)", "1j", "range(2)", "(0,), 1", "((),)", "0, 'a'",
    "np.array([True])", "lambda: 1", "0:1, [0]", "(x for x in '1')", "{1}", "slice", "Ellipsis, 7",
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", ["np", "flax"])
@pytest.mark.parametrize("index", VALID)
def test_what_is_taken(both: Both, model: str, framework: str, backend: str, index: str) -> None:
    both(slicing(framework, backend, "m", index), path=model)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", ["np", "flax"])
@pytest.mark.parametrize("index", REFUSED)
def test_what_is_refused(both: Both, model: str, framework: str, backend: str, index: str) -> None:
    better = "no-rows" if index == "5:2" else None
    both(slicing(framework, backend, "m", index), path=model, better=better)


@pytest.mark.parametrize(
    "index", ["0", ":", "None", "[]", "0:0", "...", "()", "-1", "True", "..., 0"]
)
@pytest.mark.parametrize("name", ["s", "z", "one", "v"])
def test_small_shapes(both: Both, model: str, name: str, index: str) -> None:
    both(slicing("np", "mmap", name, index), path=model)
    both(slicing("np", "pread", name, index), path=model)


@pytest.mark.parametrize("index", ["1:0", "2:1", "0, 3:1", "3:2:2", "1:0, 2", "True:False"])
def test_a_stop_before_the_start(both: Both, model: str, index: str) -> None:
    """Nothing, as numpy says, where the peer raises a SystemError or worse."""
    both(slicing("np", "mmap", "m", index), path=model, better="no-rows")
    both(slicing("np", "pread", "m", index), path=model, better="no-rows")


@pytest.mark.parametrize("index", VALID + REFUSED)
def test_torch_indexes_as_torch_does(both: Both, model: str, index: str) -> None:
    """Also the words of a refusal are torch's, and the layout is that of an indexed tensor."""
    both(slicing("pt", "mmap", "m", index), path=model)


@pytest.mark.parametrize("index", VALID + REFUSED)
def test_torch_with_pread(both: Both, model: str, index: str) -> None:
    """The same values and refusals as with a mapping: the peer's mapping, for its pread differs."""
    source = slicing("pt", "pread", "m", index)
    both(source, path=model, instead=source.replace("'pread'", "'mmap'"))


TORCH_ONLY = [
    "[0, 2]", "[0, -1], 1", "[True, False, True]", "torch.tensor([0, 1])", "torch.tensor(1)",
    "None, 1, None", ":, None", "[[0, 1], [1, 2]]", "[0, 1], [1, 2]", "..., torch.tensor([0, 0])",
    "torch.tensor([True, False, True])", "np.array([1, 0])", "2:1", "-2:", ":-1", "100:", "[[]]",
    "-100:100", "slice(None), torch.tensor(2)", "torch.tensor(0), 1, 1", "1, None, [0, 1]",
]  # fmt: skip


@pytest.mark.parametrize("index", TORCH_ONLY)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_only_torch_takes(both: Both, model: str, backend: str, index: str) -> None:
    source = "torch\n" + slicing("pt", backend, "c", index)
    both(source, path=model, instead=source.replace("'pread'", "'mmap'"))


def random_index(rng: Random, shape: tuple[int, ...], wild: bool) -> str:
    """An index expression, mostly within the shape; `wild` ones stray."""
    parts = []
    for size in shape[: rng.randint(0, len(shape))]:
        kind = rng.random()
        stray = rng.randint(1, 4) if wild and rng.random() < 0.3 else 0
        if kind < 0.35 and size:
            parts.append(str(rng.randint(-size - stray, size - 1 + stray)))
        elif kind < 0.85:
            start = rng.randint(0, max(size - 1, 0))
            stop = rng.randint(start, size) + stray
            step = rng.choice(["", "", f":{rng.randint(1, size + 2)}"])
            first = str(start) if rng.random() < 0.7 else ""
            parts.append(f"{first}:{stop if rng.random() < 0.7 else ''}{step}")
        else:
            parts.append(":")
    if rng.random() < 0.25:
        # What stands behind the dots belongs to the last dimensions: keep to what fits them all.
        parts = [part if part == ":" else rng.choice(["0", ":", ":1"]) for part in parts]
        parts.insert(rng.randint(0, len(parts)), "...")
    return ", ".join(parts) or "..."


@pytest.mark.parametrize("wild", [False, True], ids=["tame", "wild"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", ["np", "pt", "flax"])
def test_random_slices(both: Both, model: str, framework: str, backend: str, wild: bool) -> None:
    rng = Random(f"{framework} {backend} {wild}")
    for _ in range(150 if framework != "flax" else 40):
        name = rng.choice(list(SHAPES))
        source = slicing(framework, backend, name, random_index(rng, SHAPES[name], wild))
        instead = source.replace("'pread'", "'mmap'") if framework == "pt" else None
        both(source, path=model, instead=instead)


def test_every_dtype(both: Both, tmp_path: Path) -> None:
    """Elements of one to eight bytes are cut where they should be."""
    rng = Random(3)
    names = ["BOOL", "I8", "U16", "F16", "I32", "F32", "F64", "C64", "U64"]
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({name: random_tensor(rng, DTYPE[name], (4, 6)) for name in names}))
    for name in names:
        for index in ("1", "1:3", "..., 2", "::2, 1::3", "3, 5"):
            for backend in BACKENDS:
                both(slicing("np", backend, name, index), path=str(path))
                both(slicing("pt", backend, name, index), path=str(path))


def test_bytes_halved(both: Both, tmp_path: Path) -> None:
    """A cut through a byte of packed elements is refused, whatever the framework has."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({"x": random_tensor(Random(4), DTYPE["F6_E2M3"], (4, 4))}))
    both(slicing("np", "mmap", "x", "1:, 2:3"), path=str(path))
    both(slicing("np", "pread", "x", "1:, 2:3"), path=str(path))


def test_slice_objects(both: Both, model: str) -> None:
    opened = "s = safe_open(path, 'np').get_slice('m')\n"
    both(opened + "(s.get_shape(), s.get_dtype())", path=model)
    both(opened + "type(s).__name__", path=model)
    both(opened + "len(s)", path=model, better="argument-wording")
    both(opened + "s[0] = 1", path=model, better="argument-wording")
    both(opened + "s.get_shape(1)", path=model, better="argument-wording")
    both(opened + "type(s)()", path=model, better="argument-wording")
    both("safe_open(path, 'np').get_slice(name='m').get_shape()", path=model)
    both("safe_open(path, 'np').get_slice('absent')", path=model)
