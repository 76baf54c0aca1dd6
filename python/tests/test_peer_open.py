"""Opening, listing and reading a file gives what the peer gives: every type, framework, backend."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from conftest import Both
from samples import DTYPE, DTYPES, PLAIN, Dtype, encode, numbers, random_tensor, random_tensors

FRAMEWORKS = ("np", "pt", "flax")
BACKENDS = ("mmap", "pread")
NEEDS = {"np": "", "pt": "torch", "flax": "jax"}
# The peer's order is by chance for tensors without bytes, for several metadata keys, and in load().
LIST = """
with safe_open(path, {framework!r}, backend={backend!r}) as f:
    full = [name for name in f.offset_keys() if 0 not in f.get_slice(name).get_shape()]
    out = (f.keys(), full, sorted(f.offset_keys()), sorted((f.metadata() or {{}}).items()),
           f.metadata() is None, sorted(f.get_tensors().items()),
           [name for name in f.get_tensors() if name in full],
           [f.get_tensor(name) for name in f.keys()],
           [(f.get_slice(name).get_shape(), f.get_slice(name).get_dtype()) for name in f.keys()])
out
"""


def listing(framework: str, backend: str) -> str:
    """A piece that asks a file for all that a handle tells."""
    return f"{NEEDS[framework]}\n" + LIST.format(framework=framework, backend=backend)


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A file with the usual and the unusual: ranks, zeros, a scalar, an empty name, metadata."""
    rng = Random(1)
    f32, i8, u16 = DTYPE["F32"], DTYPE["I8"], DTYPE["U16"]
    tensors = {
        "b": numbers((3, 4)),
        "a": random_tensor(rng, i8, (5,)),
        "empty": random_tensor(rng, u16, (0, 3)),
        "scalar": random_tensor(rng, f32, ()),
        "": random_tensor(rng, i8, (1, 1, 1, 1)),
        "deep": random_tensor(rng, f32, (1, 2, 1, 3, 2)),
        "漢\0🙂": random_tensor(rng, u16, (2,)),
    }
    path = tmp_path / "model.safetensors"
    path.write_bytes(encode(tensors, {"format": "pt"}))
    return str(path)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_everything_a_handle_tells(both: Both, model: str, framework: str, backend: str) -> None:
    both(listing(framework, backend), path=model)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_random_files(both: Both, tmp_path: Path, framework: str, backend: str) -> None:
    rng = Random(f"{framework} {backend}")
    dtypes = PLAIN if framework != "pt" else tuple(d for d in DTYPES if d.torch and d.name != "F4")
    for count in range(40):
        metadata = rng.choice([None, {}, {"k": "v"}, {"a": "1", "b": "漢", "": '"\\\n'}])
        path = tmp_path / f"{count}.safetensors"
        path.write_bytes(encode(random_tensors(rng, dtypes, rng.randint(0, 8)), metadata))
        both(listing(framework, backend), path=str(path))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_every_dtype(
    both: Both, tmp_path: Path, dtype: Dtype, framework: str, backend: str
) -> None:
    """What a framework's environment has is read; what it has not is refused."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({"x": random_tensor(Random(2), dtype, (2, 4))}))
    better = None
    if dtype.name.startswith("F6_"):
        better = "no-such-dtype"
    elif dtype.name == "F4":
        better = "packed-four-bits" if (framework, backend) == ("pt", "pread") else None
        better = "no-such-dtype" if framework != "pt" else better
    elif dtype.extension and framework != "pt":
        better = "extension-dtypes"
    piece = f"safe_open(path, {framework!r}, backend={backend!r}).get_tensor('x')"
    both(f"{NEEDS[framework]}\n{piece}", better=better, path=str(path))
    if framework == "np" and not better:
        both("sn.load_file(path)", path=str(path))
        both("sn.load(open(path, 'rb').read())", path=str(path), better="layout", layout=True)


@pytest.mark.parametrize("framework", ["pt", "torch", "pytorch", "np", "numpy", "jax", "flax"])
def test_names_of_frameworks(both: Both, model: str, framework: str) -> None:
    need = "torch" if "t" in framework and framework != "np" else ""
    need = "jax" if framework in ("jax", "flax") else need
    both(f"{need}\nsafe_open(path, {framework!r}).get_tensor('b')", path=model)


@pytest.mark.parametrize(
    "device",
    [
        "None",
        "'cpu'",
        "0",
        "'cuda'",
        "'cuda:1'",
        "'mps'",
        "'npu'",
        "'npu:3'",
        "'xpu'",
        "'xpu:0'",
        "'xla'",
        "'xla:1'",
        "'mlu'",
        "'mlu:1'",
        "'hpu'",
        "'hpu:2'",
        "'musa'",
        "'musa:1'",
        "True",
        "'CPU'",
        "'cpu:0'",
        "'cuda:'",
        "'cuda:x'",
        "'cuda:-1'",
        "'cuda:99999999999999999999'",
        "''",
        "'meta'",
        "-1",
        "1.5",
        "2**70",
        "'cuda:+1'",
        "'cuda: 1'",
        "'mps:0'",
        "'tpu'",
    ],
)
@pytest.mark.parametrize("framework", ["np", "pt", "jax"])
def test_devices(both: Both, model: str, framework: str, device: str) -> None:
    """Opening takes or refuses a device by its name alone."""
    need = {"pt": "torch", "jax": "jax", "np": ""}[framework]
    both(f"{need}\nsafe_open(path, {framework!r}, {device}).keys()", path=model)
    both(f"{need}\nsafe_open(path, {framework!r}, device={device}).metadata()", path=model)


def test_torch_device_objects(both: Both, model: str) -> None:
    both("safe_open(path, 'pt', torch.device('cpu')).get_tensor('b')", path=model, better="devices")


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_device_that_is_not_there(both: Both, model: str, device: str) -> None:
    """The tensor is asked of torch, whose refusal the user sees."""
    piece = f"safe_open(path, 'pt', {device!r}).get_tensor('b')"
    both(f"torch.cuda.is_available() or {piece}", path=model, better="device-refusal")


@pytest.mark.parametrize("backend", BACKENDS)
def test_torch_tensors_lie_as_the_peers(both: Both, model: str, backend: str) -> None:
    """Strides, storage of their own and of the exact size, gradients not asked for."""
    both(f"sorted(st.load_file(path, backend={backend!r}).items())", path=model, layout=True)
    both(f"st.load_file(path, backend={backend!r})['b']", path=model, layout=True)


def test_numpy_arrays_lie_as_the_peers(both: Both, model: str) -> None:
    both("sorted(sn.load_file(path).items())", path=model, layout=True)


def test_load_from_bytes(both: Both, model: str) -> None:
    data = Path(model).read_bytes()
    both("sorted(st.load(data).items())", data=data)
    both("sorted(sn.load(data).items())", data=data, better="layout", layout=True)
    both("sorted(sf.load(data).items())", data=data)


def test_paths(both: Both, model: str) -> None:
    both("safe_open(pathlib.Path(path), 'np').keys()", path=model)
    both("sorted(sn.load_file(pathlib.Path(path)))", path=model)
    both("sorted(sn.load_file(filename=path, backend='pread').items())", path=model)
    both("sorted(st.load_file(path, 'cpu', backend='mmap').items())", path=model)
    both("sorted(st.load_file(filename=path, device='cpu', backend='pread').items())", path=model)
    both(
        """
        class Path:
            def __fspath__(self):
                return path
        safe_open(Path(), 'np').keys()
        """,
        path=model,
    )


def test_a_link_and_a_relative_path(both: Both, model: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(model)
    both("safe_open(path, 'np').keys()", path=str(link))
    both(
        "was = os.getcwd()\nos.chdir(where)\ntry:\n    out = safe_open('link', 'np').keys()\n"
        "finally:\n    os.chdir(was)\nout",
        where=str(tmp_path),
    )


def test_the_context_manager(both: Both, model: str) -> None:
    both("f = safe_open(path, 'np')\nf.__enter__() is f", path=model)
    both("f = safe_open(path, 'np')\nf.__exit__(None, None, None)", path=model)
    both("f = safe_open(path, 'np')\nf.__exit__(None, None, None)\nf.__enter__() is f", path=model)
    both("f = safe_open(path, 'np')\nfor _ in '12': f.__exit__(None, None, None)", path=model)
    both("with safe_open(path, 'np') as f: raise KeyError('through')", path=model)


@pytest.mark.parametrize(
    "call",
    [
        "keys()",
        "offset_keys()",
        "metadata()",
        "get_tensors()",
        "get_tensor('b')",
        "get_slice('b')",
        "get_tensor('absent')",
    ],
)
def test_a_closed_handle(both: Both, model: str, call: str) -> None:
    both(f"f = safe_open(path, 'np')\nf.__exit__(None, None, None)\nf.{call}", path=model)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_slice_outlives_its_file(both: Both, model: str, framework: str) -> None:
    both(
        f"{NEEDS[framework]}\nwith safe_open(path, {framework!r}) as f: s = f.get_slice('b')\n"
        "(s.get_shape(), s.get_dtype(), s[1:], s[...])",
        path=model,
    )


def test_handles_hash_and_compare_by_identity(both: Both, model: str) -> None:
    both(
        "f, g = safe_open(path, 'np'), safe_open(path, 'np')\n"
        "(len({f, g, f}), f == f, f == g, isinstance(hash(f), int), f != g)",
        path=model,
    )
    both("s = safe_open(path, 'np').get_slice('b')\n(s == s, len({s}))", path=model)


@pytest.mark.parametrize("mode", ["rb", "r", "r+b"])
def test_handles_on_files(both: Both, model: str, mode: str) -> None:
    """Any object with a descriptor; the file's own position and state stay."""
    both(
        f"f = open(path, {mode!r})\nh = open_handle(f, 'np')\n"
        "out = (h.keys(), sorted(h.get_tensors().items()), h.metadata(), f.closed)\n"
        "f.close()\n(out, h.get_tensor('b'), h.get_slice('b')[1])",
        path=model,
    )
    both(f"open_handle(f=open(path, {mode!r}), framework='np', device='cpu').keys()", path=model)
    both(f"open_handle(open(path, {mode!r}), 'pt', backend='pread').get_tensor('b')", path=model)


def test_a_handle_does_not_care_where_the_file_stands(both: Both, model: str) -> None:
    both("f = open(path, 'rb')\nf.seek(20)\n(open_handle(f, 'np').keys(), f.tell())", path=model)
    both("f = open(path, 'rb', buffering=0)\nf.seek(20)\nopen_handle(f, 'np').keys()", path=model)


def test_file_likes_without_a_descriptor(both: Both, model: str) -> None:
    piece = "open_handle(io.BytesIO(open(path, 'rb').read()), 'np').get_tensor('b')"
    both(piece, path=model, better="file-likes")
