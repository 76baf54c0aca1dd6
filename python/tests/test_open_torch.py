"""PyTorch's tensors from an open file: each with a storage of its own, copy-on-write or read."""

from __future__ import annotations

import gc
import io
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest
from safetensors import SafetensorError, _safe_open_handle, safe_open
from safetensors._sft import open_bytes
from samples import DTYPE, DTYPES, Tensor, encode, numbers, random_tensor, raw

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

BACKENDS = (None, "mmap", "pread")
TENSORS = {"b": numbers((2, 3)), "a": numbers((40,)), "none": numbers((0, 3)), "one": numbers(())}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file."""
    file = tmp_path / "x.safetensors"
    file.write_bytes(encode(TENSORS))
    return file


def bytes_of(tensor: Any) -> bytes:
    """A tensor's bytes, whatever its type."""
    return bytes(tensor.untyped_storage())


@pytest.mark.parametrize("framework", ["pt", "torch", "pytorch"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_values(path: Path, framework: str, backend: str | None) -> None:
    with safe_open(path, framework, backend=backend) as f:
        every = f.get_tensors()
        for name, tensor in TENSORS.items():
            for made in (every[name], f.get_tensor(name)):
                assert made.shape == tensor.shape
                assert made.dtype == torch.float32
                assert made.numpy().tobytes() == tensor.data


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "dtype", [d for d in DTYPES if d.torch and d.bits >= 8], ids=lambda dtype: dtype.name
)
def test_every_type(tmp_path: Path, dtype: Any, backend: str | None) -> None:
    if not hasattr(torch, dtype.torch):
        pytest.skip(f"torch {torch.__version__} has no {dtype.torch}")
    rng = Random(dtype.name)
    tensors = {str(s): random_tensor(rng, dtype, s) for s in ((), (3,), (2, 0), (2, 3, 4))}
    path = tmp_path / "x"
    path.write_bytes(encode(tensors))
    with safe_open(path, "pt", backend=backend) as f:
        every = f.get_tensors()
        for name, tensor in tensors.items():
            for made in (every[name], f.get_tensor(name)):
                assert made.dtype == getattr(torch, dtype.torch)
                assert made.shape == tensor.shape
                assert bytes_of(made) == tensor.data


@pytest.mark.parametrize("backend", BACKENDS)
def test_packed_four_bits(tmp_path: Path, backend: str | None) -> None:
    if not hasattr(torch, "float4_e2m1fn_x2"):
        pytest.skip(f"torch {torch.__version__} has no float4_e2m1fn_x2")
    path = tmp_path / "x"
    tensor = random_tensor(Random(1), DTYPE["F4"], (3, 4))
    path.write_bytes(encode({"even": tensor, "odd": random_tensor(Random(2), DTYPE["F4"], (4, 3))}))
    with safe_open(path, "pt", backend=backend) as f:
        made = f.get_tensor("even")
        assert (made.dtype, made.shape) == (torch.float4_e2m1fn_x2, (3, 2))
        assert bytes_of(made) == tensor.data
        with pytest.raises(SafetensorError) as caught:
            f.get_tensor("odd")
        assert str(caught.value) == (
            "f4_x2 dtype requires that the last dim be divisible by 2 in torch: got [4, 3]"
        )


@pytest.mark.parametrize("name", ["F6_E2M3", "F6_E3M2"])
def test_a_type_that_torch_lacks(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode({"w": random_tensor(Random(1), DTYPE[name], (4,))}))
    with safe_open(path, "pt") as f:
        for work in (f.get_tensors, lambda: f.get_tensor("w")):
            with pytest.raises(SafetensorError) as caught:
                work()
            assert "`w`" in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_types_that_others_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str | None
) -> None:
    """A type without a counterpart is what safetensors.torch._TYPES says, when it is needed."""
    import safetensors.torch

    tensor = random_tensor(Random(1), DTYPE["F6_E2M3"], (3, 8))
    path = tmp_path / "x"
    path.write_bytes(encode({"w": tensor}))
    with safe_open(path, "pt", backend=backend) as f:
        with pytest.raises(SafetensorError, match="F6_E2M3"):
            f.get_tensor("w")
        monkeypatch.setitem(safetensors.torch._TYPES, "F6_E2M3", torch.uint8)
        made = f.get_tensor("w")
    assert (made.dtype, made.shape) == (torch.uint8, (3, 6))
    assert bytes_of(made) == tensor.data
    assert made._base is None
    monkeypatch.setitem(safetensors.torch._TYPES, "F6_E2M3", torch.int32)
    with safe_open(path, "pt", backend=backend) as f:
        with pytest.raises(SafetensorError, match=r"`w`.*whole elements of torch\.int32"):
            f.get_tensor("w")


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_tensor_stands_alone(path: Path, backend: str | None) -> None:
    """A storage of exactly its size, no view, no counter of changes shared with another."""
    with safe_open(path, "pt", backend=backend) as f:
        every = f.get_tensors()
        made = [*every.values(), f.get_tensor("a")]
    for tensor in made:
        assert tensor.untyped_storage().nbytes() == tensor.numel() * 4
        assert tensor.storage_offset() == 0
        assert tensor._base is None and tensor.is_leaf and not tensor.requires_grad
        assert tensor.is_contiguous() and tensor.device.type == "cpu"
    every["a"].add_(1)
    assert (every["a"]._version, every["b"]._version) == (1, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_are_writable_and_the_file_is_safe(path: Path, backend: str | None) -> None:
    before = path.read_bytes()
    with safe_open(path, "pt", backend=backend) as f:
        one, every = f.get_tensor("b"), f.get_tensors()
    one.fill_(-1)
    every["a"].fill_(-2)
    assert every["one"].item() == 0
    assert one.tolist() == [[-1.0] * 3] * 2
    assert path.read_bytes() == before


def test_tensors_keep_the_mapping_alone(path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("this system shows no process its mappings")
    with safe_open(path, "pt", backend="mmap") as f:
        tensor = f.get_tensor("a")
    assert str(path) in maps.read_text()
    assert tensor.tolist() == list(range(40))
    del tensor, f
    gc.collect()
    assert str(path) not in maps.read_text()


def test_tensors_die_in_other_threads(path: Path) -> None:
    with safe_open(path, "pt") as f:
        tensors = [list(f.get_tensors().values()) for _ in range(8)]
    threads = [threading.Thread(target=tensors.pop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tensors == []


def test_a_tensor_outlives_everything_in_autograd(path: Path) -> None:
    """The last hold on a tensor's bytes is dropped by autograd, in whatever thread it runs."""
    with open_bytes(bytearray(path.read_bytes()), "pt", copy=False) as f:
        weight = f.get_tensor("a").requires_grad_()
    loss = (weight * weight).sum()
    del weight, f
    loss.backward()
    del loss
    gc.collect()


def test_a_hostile_shape(tmp_path: Path) -> None:
    header = {"x": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}
    path = tmp_path / "x"
    path.write_bytes(raw(header))
    with safe_open(path, "pt") as f, pytest.raises(OverflowError, match="9223372036854775808"):
        f.get_tensor("x")


# ---- bytes and file objects ----


def test_bytes_that_are_read_only_are_copied(path: Path) -> None:
    data = path.read_bytes()
    before = bytes(bytearray(data))
    with open_bytes(data, "pt", copy=False) as f:
        one, every = f.get_tensor("a"), f.get_tensors()
    one.fill_(-1)
    every["b"].fill_(-1)
    assert data == before
    assert every["a"].tolist() == list(range(40))


def test_bytes_that_are_writable_are_shared(path: Path) -> None:
    data = bytearray(path.read_bytes())
    with open_bytes(data, "pt", copy=False) as f:
        one = f.get_tensor("a")
    one[0] = 77
    with open_bytes(data, "pt") as f:
        assert f.get_tensor("a")[0].item() == 77
    with pytest.raises(BufferError):
        data.append(0)
    del one
    data.append(0)


def test_a_file_object(path: Path) -> None:
    with path.open("rb") as file:
        described = _safe_open_handle(file, "pt")
    far = _safe_open_handle(io.BytesIO(path.read_bytes()), "pt")
    for handle in (described, far):
        assert handle.get_tensor("a").tolist() == list(range(40))
        assert handle.get_tensors()["b"].shape == (2, 3)


# ---- devices ----


@pytest.mark.parametrize("device", ["cpu", None, torch.device("cpu"), torch.device("cpu", 0)])
def test_the_cpu(path: Path, device: Any) -> None:
    with safe_open(path, "pt", device=device) as f:
        assert f.get_tensor("a").device == torch.device("cpu")


@pytest.mark.parametrize("device", ["meta", torch.device("meta")])
def test_a_device_without_values(path: Path, device: Any) -> None:
    with pytest.raises(SafetensorError, match="device meta is invalid"):
        safe_open(path, "pt", device=device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", 0, torch.device("cuda"), "mps", "xpu:0"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_devices(path: Path, device: Any, backend: str | None) -> None:
    """Where the device is, tensors land on it; elsewhere torch says that it is not."""
    if device == 0:
        accelerator = getattr(torch, "accelerator", None)
        there = accelerator is not None and accelerator.is_available()
        kind = accelerator.current_accelerator().type if there else "cuda"
    else:
        kind = torch.device(device).type
    module = getattr(torch, kind)
    with safe_open(path, "pt", device=device, backend=backend) as f:
        if not module.is_available():
            with pytest.raises((RuntimeError, AssertionError)):
                f.get_tensor("a")
            return
        every = f.get_tensors()
        for name, tensor in TENSORS.items():
            for made in (every[name], f.get_tensor(name)):
                assert made.device.type == kind
                assert made.device.index in (0, None)
                assert made.cpu().numpy().tobytes() == tensor.data


@pytest.mark.parametrize("backend", BACKENDS)
def test_sizes_about_the_blocks(tmp_path: Path, backend: str | None) -> None:
    rng = Random(3)
    sizes = [1, 63, 65537, (256 << 10) - 1, 256 << 10, 5 << 20] + [100_000] * 45 + [0]
    tensors = {str(n): Tensor(DTYPE["U8"], (s,), rng.randbytes(s)) for n, s in enumerate(sizes)}
    path = tmp_path / "x"
    path.write_bytes(encode(tensors))
    with safe_open(path, "pt", backend=backend) as f:
        every = f.get_tensors()
    for name, tensor in tensors.items():
        assert every[name].numpy().tobytes() == tensor.data
        every[name].fill_(7)
    assert all((tensor == 7).all() for tensor in every.values())
