"""What the format's public documentation shows, step by step, runs as it says there."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors import SafetensorError, safe_open

torch = pytest.importorskip("torch")


def test_the_first_example(tmp_path: Path) -> None:
    """Save two tensors, open the file, take them one by one."""
    from safetensors.torch import save_file

    path = str(tmp_path / "model.safetensors")
    save_file({"weight1": torch.zeros((1024, 1024)), "weight2": torch.ones((4, 8))}, path)
    tensors = {}
    with safe_open(path, framework="pt", device="cpu") as f:
        for key in f.keys():  # noqa: SIM118 - a handle is no dict
            tensors[key] = f.get_tensor(key)
    assert list(tensors) == ["weight1", "weight2"]
    assert torch.equal(tensors["weight2"], torch.ones((4, 8)))


def test_a_part_of_a_tensor_for_one_of_several_machines(tmp_path: Path) -> None:
    """Each of four ranks reads its columns, by the shape that the slice tells."""
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    embedding = torch.arange(12 * 16).reshape(12, 16)
    save_file({"embedding": embedding}, path)
    parts = []
    with safe_open(path, framework="pt") as f:
        tensor_slice = f.get_slice("embedding")
        _, hidden = tensor_slice.get_shape()
        for rank in range(4):
            start, stop = rank * hidden // 4, (rank + 1) * hidden // 4
            parts.append(tensor_slice[:, start:stop])
    assert all(part.shape == (12, 4) for part in parts)
    assert torch.equal(torch.cat(parts, dim=1), embedding)


def test_the_layout_that_the_format_describes(tmp_path: Path) -> None:
    """Eight bytes of length, JSON, then the data to which the offsets are relative."""
    safetensors.numpy.save_file(
        {"TEST": np.arange(16, dtype=np.float16).reshape(1, 16)},
        tmp_path / "x",
        metadata={"made by": "a test"},
    )
    data = (tmp_path / "x").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert data[8:9] == b"{"
    assert header["__metadata__"] == {"made by": "a test"}
    info = header["TEST"]
    assert info["dtype"] == "F16"
    assert info["shape"] == [1, 16]
    begin, end = info["data_offsets"]
    body = data[8 + length :]
    assert (begin, end) == (0, 32) == (0, len(body))
    assert np.frombuffer(body[begin:end], "<f2").tolist() == list(range(16))


def test_the_header_from_a_range_of_bytes(tmp_path: Path) -> None:
    """Over HTTP: the first 8 bytes, then as many as they say. The data is never fetched."""
    tensors: dict[str, Any] = {"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.int8)}
    safetensors.numpy.save_file(tensors, tmp_path / "x")
    fetched: list[tuple[int, int]] = []

    def fetch(first: int, last: int) -> bytes:
        """What a server answers to `Range: bytes=first-last`."""
        fetched.append((first, last))
        return (tmp_path / "x").read_bytes()[first : last + 1]

    (length,) = struct.unpack("<Q", fetch(0, 7))
    header = json.loads(fetch(8, 7 + length))
    assert {name: info["shape"] for name, info in header.items()} == {"a": [3, 4], "b": [5]}
    parameters = sum(int(np.prod(info["shape"])) for info in header.values())
    assert parameters == 17
    assert fetched[-1][1] < (tmp_path / "x").stat().st_size - 53 + 1


def test_bytes_to_store_elsewhere() -> None:
    """save() and load() for those who keep models in a database or send them on."""
    from safetensors.torch import load, save

    tensors = {"embedding": torch.rand(5, 4), "attention": torch.rand(3, 3)}
    stored = io.BytesIO(save(tensors))
    loaded = load(stored.getvalue())
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_an_open_handle_on_a_file_object(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"a": np.arange(3)}, tmp_path / "x")
    with (tmp_path / "x").open("rb") as file:
        with safetensors._safe_open_handle(file, framework="np") as f:
            assert f.get_tensor("a").tolist() == [0, 1, 2]


def test_shared_tensors_and_their_way_out(tmp_path: Path) -> None:
    """Two names, one weight: save_file refuses, save_model does it."""
    from safetensors.torch import load_model, save_file, save_model

    class Model(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Linear(100, 100)
            self.b = self.a

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x))

    model = Model()
    state = model.state_dict()
    assert sorted(state) == ["a.bias", "a.weight", "b.bias", "b.weight"]
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        save_file(state, tmp_path / "model.safetensors")
    save_model(model, str(tmp_path / "model.safetensors"))
    other = Model()
    load_model(other, str(tmp_path / "model.safetensors"))
    sample = torch.randn(2, 100)
    with torch.no_grad():
        assert torch.equal(model(sample), other(sample))


def test_a_slice_of_a_large_tensor_is_cloned_before_it_is_saved(tmp_path: Path) -> None:
    """Columns of a matrix are not contiguous; a part of its rows is."""
    from safetensors.torch import load_file, save_file

    large = torch.arange(100.0).reshape(10, 10)
    with pytest.raises(ValueError, match="non contiguous"):
        save_file({"columns": large[:, :2]}, tmp_path / "x")
    save_file({"columns": large[:, :2].contiguous(), "rows": large[:2]}, tmp_path / "x")
    loaded = load_file(tmp_path / "x")
    assert torch.equal(loaded["columns"], large[:, :2])
    assert torch.equal(loaded["rows"], large[:2])


def test_weights_converted_from_a_pickle(tmp_path: Path) -> None:
    """torch.load, undo the sharing, save_file; and the two agree."""
    from safetensors.torch import load_file, save_file

    weight = torch.randn(4, 4)
    torch.save({"a": weight, "b": weight, "t": weight.t()}, tmp_path / "model.bin")
    loaded = torch.load(tmp_path / "model.bin", weights_only=True)
    unshared = {name: tensor.clone().contiguous() for name, tensor in loaded.items()}
    save_file(unshared, tmp_path / "model.safetensors", metadata={"format": "pt"})
    again = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(again[name], loaded[name]) for name in loaded)


def test_a_pickle_is_no_safetensors_file(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "model.bin")
    with pytest.raises(SafetensorError, match="Error while deserializing header"):
        safe_open(tmp_path / "model.bin", framework="pt")


def test_one_file_for_every_framework(tmp_path: Path) -> None:
    """What PyTorch saves, numpy and JAX load, bfloat16 included."""
    pytest.importorskip("ml_dtypes")
    from safetensors.torch import save_file

    save_file({"w": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}, tmp_path / "x")
    loaded = safetensors.numpy.load_file(tmp_path / "x")["w"]
    assert loaded.dtype.name == "bfloat16"
    assert loaded.astype(np.float32).tolist() == [1.5, -2.0]
    pytest.importorskip("jax")
    from safetensors import flax

    assert flax.load_file(tmp_path / "x")["w"].tolist() == [1.5, -2.0]


def test_the_example_of_speed_gives_equal_tensors(tmp_path: Path) -> None:
    """The documentation times these two against each other; here only the results count."""
    from safetensors.torch import load_file, save_file

    weights = {f"h.{i}.weight": torch.randn(64, 64) for i in range(20)}
    save_file(weights, tmp_path / "model.safetensors")
    torch.save(weights, tmp_path / "pytorch_model.bin")
    ours = load_file(tmp_path / "model.safetensors", device="cpu")
    theirs = torch.load(tmp_path / "pytorch_model.bin", map_location="cpu", weights_only=True)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_metadata_is_text_to_text(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        safetensors.numpy.save({"a": np.zeros(1)}, metadata={"epoch": 3})  # type: ignore[dict-item]
    safetensors.numpy.save_file({"a": np.zeros(1)}, tmp_path / "x", metadata={"epoch": "3"})
    with safe_open(tmp_path / "x", "np") as f:
        assert f.metadata() == {"epoch": "3"}
    safetensors.numpy.save_file({"a": np.zeros(1)}, tmp_path / "x")
    with safe_open(tmp_path / "x", "np") as f:
        assert f.metadata() is None


def test_a_model_written_as_it_is_made(tmp_path: Path) -> None:
    """The streaming writer: one layer in memory at a time, of several frameworks if need be."""
    specs = {
        "torch": (torch.float16, (2, 3)),
        "torch, by example": torch.empty(4, dtype=torch.bfloat16, device="meta"),
        "numpy": (np.dtype(">i4"), (3,)),
        "by name": ("float32", [2, 2]),
        "by code": ("F64", ()),
        "in pieces": ("U8", (6,)),
        "packed": ("F4", (4,)),
    }
    values = {
        "torch": torch.arange(6).reshape(3, 2).t().half(),
        "torch, by example": torch.ones(4, dtype=torch.bfloat16),
        "numpy": np.array([1, 2, 3], ">i4"),
        "by name": np.ones((2, 2), np.float32, order="F"),
        "by code": np.float64(2.5),
    }
    with safetensors.stream_file(tmp_path / "x", specs, {"k": "v"}, alignment=64) as writer:
        for name in reversed(list(values)):
            writer.write(name, values[name])
        writer.write_bytes("in pieces", b"\3\4\5\6", offset=2)
        writer.write_bytes("in pieces", memoryview(b"\1\2"))
        writer.write("packed", torch.tensor([1, 2], dtype=torch.uint8).view(torch.float4_e2m1fn_x2))
        assert not (tmp_path / "x").exists()
    with safe_open(tmp_path / "x", "pt") as f:
        assert f.metadata() == {"k": "v"}
        assert torch.equal(f.get_tensor("torch"), values["torch"])
        assert torch.equal(f.get_tensor("torch, by example"), values["torch, by example"])
        assert f.get_tensor("numpy").tolist() == [1, 2, 3]
        assert f.get_tensor("by name").tolist() == [[1, 1], [1, 1]]
        assert f.get_tensor("by code").item() == 2.5
        assert f.get_tensor("in pieces").tolist() == [1, 2, 3, 4, 5, 6]
        assert f.get_slice("packed").get_shape() == [4]


def test_a_stream_has_the_bytes_of_save_file(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "b": np.arange(5, dtype=np.int8),
        "a": np.ones((2, 2)),
        "c": np.zeros((0, 3)),
    }
    with safetensors.stream_file(tmp_path / "x", arrays) as writer:
        for name, array in arrays.items():
            writer.write(name, array)
    assert (tmp_path / "x").read_bytes() == safetensors.numpy.save(arrays)


def test_a_stream_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"before")
    specs = {"a": ("F32", (2,)), "b": ("I64", (1,))}
    with pytest.raises(KeyError), safetensors.stream_file(path, specs) as writer:
        writer.write("a", {"b": np.zeros(2, np.float32)}["a"])
    with pytest.raises(SafetensorError, match="b"), safetensors.stream_file(path, specs) as writer:
        writer.write("a", np.zeros(2, np.float32))
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_stream_refuses_what_was_not_declared(tmp_path: Path) -> None:
    with pytest.raises(safetensors.DtypeError, match=r"`a` has the type torch\.complex128"):
        safetensors.stream_file(tmp_path / "x", {"a": (torch.complex128, (1,))})
    with pytest.raises(ValueError, match="spec of tensor `a`"):
        safetensors.stream_file(tmp_path / "x", {"a": 3})
    with pytest.raises(ValueError, match="Expected a dict"):
        safetensors.stream_file(tmp_path / "x", [("a", "F32", (2,))])  # type: ignore[arg-type]
    with pytest.raises(SafetensorError, match="alignment"):
        safetensors.stream_file(tmp_path / "x", {}, alignment=3)
    writer = safetensors.stream_file(tmp_path / "x", {"a": ("F32", (2,))})
    with pytest.raises(ValueError, match=r"declared as F32 \[2\], not as F64 \[2\]"):
        writer.write("a", np.zeros(2))
    with pytest.raises(ValueError, match=r"declared as F32 \[2\], not as F32 \[3\]"):
        writer.write("a", torch.zeros(3))
    with pytest.raises(ValueError, match="`a` is sparse"):
        writer.write("a", torch.zeros(2).to_sparse())
    with pytest.raises(ValueError, match="`b` was not declared"):
        writer.write("b", np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="expected a tensor"):
        writer.write("a", [0.0, 0.0])
    with pytest.raises(SafetensorError):
        writer.write_bytes("a", bytes(9))
    writer.abort()
    writer.abort()
    assert not list(tmp_path.iterdir())
