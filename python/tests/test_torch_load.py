"""Loading for PyTorch: every type, memory that may be written to, shards, devices, errors."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import pytest
import safetensors
from samples import DTYPES, Dtype

torch = pytest.importorskip("torch")
st = pytest.importorskip("safetensors.torch")

TYPES = [dtype for dtype in DTYPES if dtype.torch and hasattr(torch, dtype.torch)]
BACKENDS = [None, "mmap", "pread"]


def bits(tensor: Any) -> bytes:
    """The tensor's bytes."""
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


def sample(dtype: Dtype) -> dict[str, Any]:
    """Tensors of a type: a matrix, a scalar, and none at all in two ways."""
    kind = getattr(torch, dtype.torch)
    data = torch.arange(96, dtype=torch.uint8)
    if kind is torch.bool:
        data = data % 2
    width = torch.empty(0, dtype=kind).element_size()
    full = data[: 12 * width].clone().view(kind)
    return {
        "matrix": full.reshape(3, 4),
        "one": full[:1].clone(),
        "empty": torch.empty(0, dtype=kind),
        "no rows": torch.empty(0, 4, dtype=kind),
    } | ({"scalar": full[5].clone()} if dtype.name != "F4" else {})


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_type_both_ways(dtype: Dtype, backend: str | None, tmp_path: Path) -> None:
    tensors = sample(dtype)
    path = tmp_path / "model.safetensors"
    st.save_file(tensors, path)
    assert path.read_bytes() == st.save(tensors)
    for loaded in (
        st.load_file(path, backend=backend),
        st.load(path.read_bytes()),
        st.load(bytearray(path.read_bytes()), copy=False),
    ):
        assert loaded.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert loaded[name].dtype is tensor.dtype
            assert loaded[name].shape == tensor.shape
            assert bits(loaded[name]) == bits(tensor)
    with safetensors.safe_open(path, "pt", backend=backend) as file:
        assert file.get_slice("matrix").get_dtype() == dtype.name
        assert bits(file.get_tensor("matrix")) == bits(tensors["matrix"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_writing_to_a_loaded_tensor_never_changes_the_file(
    backend: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    st.save_file({"w": torch.zeros(5000)}, path)
    before = path.read_bytes()
    first = st.load_file(path, backend=backend)["w"]
    first += 1
    assert path.read_bytes() == before
    assert torch.equal(st.load_file(path, backend=backend)["w"], torch.zeros(5000))
    assert torch.equal(first, torch.ones(5000))


def test_saving_over_the_file_that_is_mapped(tmp_path: Path) -> None:
    """Training does so: load a checkpoint, change it, save it under the same name."""
    path = tmp_path / "model.safetensors"
    st.save_file({"w": torch.arange(5000.0)}, path)
    mapped = st.load_file(path, backend="mmap")
    st.save_file({"w": mapped["w"] * 2, "more": torch.ones(3)}, path)
    assert torch.equal(mapped["w"], torch.arange(5000.0))
    st.save_file(mapped, path)
    assert torch.equal(st.load_file(path)["w"], torch.arange(5000.0))


def test_load_takes_any_buffer(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    st.save_file({"w": torch.arange(10)}, path)
    data = path.read_bytes()
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for buffer in (data, bytearray(data), memoryview(data), mapped):
            loaded = st.load(buffer)["w"]
            assert torch.equal(loaded, torch.arange(10))
            loaded.zero_()
    assert path.read_bytes() == data
    with pytest.raises(TypeError):
        st.load("text")


def test_load_without_a_copy_shows_changes_of_the_buffer() -> None:
    data = bytearray(st.save({"w": torch.zeros(4, dtype=torch.int32)}))
    views = st.load(data, copy=False)["w"]
    copies = st.load(data)["w"]
    data[-16:] = b"\1\0\0\0" * 4
    assert views.tolist() == [1] * 4
    assert copies.tolist() == [0] * 4
    views.zero_()
    assert data[-16:] == bytes(16)


def test_load_never_lets_a_read_only_buffer_be_written_to() -> None:
    data = st.save({"w": torch.zeros(4)})
    kept = bytes(bytearray(data))
    st.load(data, copy=False)["w"].fill_(1)
    assert data == kept


def test_each_tensor_has_memory_of_its_own(tmp_path: Path) -> None:
    """So that a model whose layers are loaded, changed and saved finds no sharing."""
    path = tmp_path / "model.safetensors"
    st.save_file({"a": torch.zeros(3), "b": torch.ones(4)}, path)
    for loaded in (st.load_file(path), st.load(path.read_bytes())):
        assert st._is_complete(loaded["a"])
        assert st._is_complete(loaded["b"])
        assert st.save(loaded) == path.read_bytes()


def shards(folder: Path) -> dict[str, Any]:
    """Writes a model of two shards with its index; returns the tensors."""
    tensors = {f"layer.{i}": torch.full((3,), float(i)) for i in range(4)}
    names = sorted(tensors)
    where: dict[str, str] = {}
    for number, part in enumerate((names[:2], names[2:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        st.save_file({name: tensors[name] for name in part}, folder / file)
        where |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 48}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return tensors


@pytest.mark.parametrize("backend", BACKENDS)
def test_load_file_takes_an_index_or_a_folder(backend: str | None, tmp_path: Path) -> None:
    tensors = shards(tmp_path)
    for path in (tmp_path, tmp_path / "model.safetensors.index.json"):
        loaded = st.load_file(path, backend=backend)
        assert loaded.keys() == tensors.keys()
        assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_load_model_takes_an_index(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    state = model.state_dict()
    names = list(state)
    st.save_file({name: state[name] for name in names[:1]}, tmp_path / "a.safetensors")
    st.save_file({name: state[name] for name in names[1:]}, tmp_path / "b.safetensors")
    other = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    assert st.load_model(other, tmp_path) == (set(), [])
    assert all(torch.equal(other.state_dict()[name], state[name]) for name in names)


def test_a_missing_file_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*absent"):
        st.load_file(tmp_path / "absent")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\xff" * 100)
    with pytest.raises(safetensors.SafetensorError, match="HeaderTooLarge"):
        st.load_file(broken)
    with pytest.raises(safetensors.SafetensorError, match="header too small"):
        st.load(b"")


def test_six_bit_floats_are_refused_by_name(tmp_path: Path) -> None:
    header = {"odd": {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [0, 3]}}
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + bytes(3)
    (tmp_path / "six.safetensors").write_bytes(data)
    for load, given in ((st.load, data), (st.load_file, tmp_path / "six.safetensors")):
        with pytest.raises(safetensors.SafetensorError, match="odd") as caught:
            load(given)
        assert "F6_E2M3" in str(caught.value)


@pytest.mark.parametrize("device", ["cpu", None, torch.device("cpu")])
def test_ways_to_name_the_cpu(device: object, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    st.save_file({"w": torch.ones(3)}, path)
    loaded = st.load_file(path, device=device)["w"]
    assert loaded.device == torch.device("cpu")


def test_a_device_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    st.save_file({"w": torch.ones(3)}, path)
    with pytest.raises(safetensors.SafetensorError, match="device nowhere is invalid"):
        st.load_file(path, device="nowhere")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device here")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", 0])
@pytest.mark.parametrize("backend", BACKENDS)
def test_to_a_gpu_and_back(device: str | int, backend: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {"w": torch.randn(1000, 100), "b": torch.arange(3), "h": torch.ones(2).half()}
    st.save_file(tensors, path)
    before = path.read_bytes()
    loaded = st.load_file(path, device=device, backend=backend)
    assert {tensor.device for tensor in loaded.values()} == {torch.device("cuda:0")}
    assert all(torch.equal(loaded[name].cpu(), tensors[name]) for name in tensors)
    st.save_file(loaded, path)
    assert path.read_bytes() == before
    with safetensors.safe_open(path, "pt", device=device, backend=backend) as file:
        part = file.get_slice("w")[10:20, ::2]
    assert part.device == torch.device("cuda:0")
    assert torch.equal(part.cpu(), tensors["w"][10:20, ::2])
