"""Models of several files, opened as one: by their index, or by their folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from samples import encode, numbers

SHARDS = {
    "model-00001-of-00002.safetensors": {"a": numbers((3,)), "c": numbers((2, 2))},
    "model-00002-of-00002.safetensors": {"b": numbers((5,)), "d": numbers((0,))},
}
INDEX = "model.safetensors.index.json"
BACKENDS = (None, "mmap", "pread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards and their index."""
    weights = {}
    for number, (file, tensors) in enumerate(SHARDS.items()):
        metadata = {"format": "np", "shard": str(number), f"only{number}": "x"}
        (tmp_path / file).write_bytes(encode(tensors, metadata))
        weights |= dict.fromkeys(tensors, file)
    total = sum(len(t.data) for tensors in SHARDS.values() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weights}
    (tmp_path / INDEX).write_text(json.dumps(index))
    return tmp_path


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [INDEX, "."])
def test_all_shards_are_one_file(folder: Path, name: str, backend: str | None) -> None:
    with safe_open(folder / name, "np", backend=backend) as f:
        assert f.keys() == ["a", "b", "c", "d"]
        assert f.offset_keys() == ["a", "c", "b", "d"]
        every = f.get_tensors()
        for tensors in SHARDS.values():
            for key, tensor in tensors.items():
                assert every[key].shape == tensor.shape
                assert every[key].tobytes() == tensor.data
                assert f.get_tensor(key).tobytes() == tensor.data
        part = f.get_slice("b")
        with pytest.raises(SafetensorError, match="File does not contain tensor zz"):
            f.get_tensor("zz")
    assert part[1:3].tolist() == [1.0, 2.0]


def test_the_first_files_metadata_counts(folder: Path) -> None:
    with safe_open(folder, "np") as f:
        assert f.metadata() == {"format": "np", "shard": "0", "only0": "x", "only1": "x"}


def test_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(encode({"a": numbers((1,))}))
    with safe_open(tmp_path, "np") as f:
        assert f.metadata() is None


def test_load_file_takes_a_folder(folder: Path) -> None:
    assert np.array_equal(load_file(folder)["b"], np.arange(5))


def test_a_folder_without_shards(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        safe_open(tmp_path, "np")


def test_a_missing_index(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        safe_open(tmp_path / INDEX, "np")


def test_a_missing_shard(folder: Path) -> None:
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(SafetensorError) as caught:
        safe_open(folder, "np")
    assert caught.value.code == "MISSING_SHARD"


def test_an_index_that_leads_out_of_its_folder(folder: Path) -> None:
    index = {"weight_map": {"a": "../model.safetensors"}}
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(SafetensorError) as caught:
        safe_open(folder, "np")
    assert caught.value.code == "UNSAFE_SHARD_NAME"
