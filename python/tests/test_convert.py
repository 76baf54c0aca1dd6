"""convert(): the tensors that come out, what is told, what is refused, and what is left behind."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from conftest import ROOT
from safetensors import Conversion, Dropped, RefusedError, SafetensorError
from safetensors.numpy import load_file

DIGITS = ROOT / "examples" / "digits"
POISONED = ROOT / "examples" / "attacks" / "poisoned.pt"
STRANGER = b"\x80\x02}X\x01\x00\x00\x00acstranger\nThing\n)Rs."


def saved(path: Path, value: object) -> Path:
    """A plain pickle."""
    path.write_bytes(pickle.dumps(value))
    return path


def arrays(*names: str, size: int = 5) -> dict[str, Any]:
    """Arrays of distinct numbers."""
    return {name: np.arange(size, dtype=np.float32) + i for i, name in enumerate(names)}


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether two dicts hold the same arrays."""
    return found.keys() == wanted.keys() and all(
        found[n].dtype == wanted[n].dtype and np.array_equal(found[n], wanted[n]) for n in wanted
    )


# ---- what comes out ----


@pytest.mark.parametrize(
    ("name", "kind"), [("digits.pt", "torch_zip"), ("digits-legacy.pt", "torch_legacy")]
)
def test_what_torch_saved(tmp_path: Path, name: str, kind: str) -> None:
    target = tmp_path / "x.safetensors"
    done = safetensors.convert(DIGITS / name, target)
    wanted = load_file(DIGITS / "digits.safetensors")
    assert same(load_file(target), wanted)
    assert os.listdir(tmp_path) == ["x.safetensors"]
    assert done.files == (str(target),)
    assert done.index is None
    assert (done.format, done.wrapper) == (kind, "state_dict")
    assert done.bytes == sum(array.nbytes for array in wanted.values())
    assert done.metadata == {"format": "pt"}
    assert {dropped.name: dropped.kind for dropped in done.dropped} == {
        "epoch": "int",
        "correct": "str",
    }
    assert done.dropped_total == 2
    assert done.ties == {}
    (scan,) = done.scans
    assert scan.clean and scan.path == str(DIGITS / name)
    assert [tensor.name for tensor in done.tensors] == sorted(wanted)
    for tensor in done.tensors:
        array = wanted[tensor.name]
        assert (tensor.dtype, tensor.shape, tensor.size) == ("F32", array.shape, array.nbytes)
        assert tensor.source_name == "state_dict." + tensor.name
        assert tensor.source_file == str(DIGITS / name)
        assert tensor.file == str(target)
        assert tensor.strides is None


def test_numpy_s_own_files(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    np.save(tmp_path / "one.npy", array)
    done = safetensors.convert(tmp_path / "one.npy")
    assert done.files == (str(tmp_path / "one.safetensors"),)
    assert done.metadata == {}
    assert same(load_file(tmp_path / "one.safetensors"), {"one": array})
    many = {"a": array, "b": np.asfortranarray(array.T.astype(np.float64))}
    np.savez_compressed(tmp_path / "many.npz", **many)
    safetensors.convert(tmp_path / "many.npz", tmp_path / "x")
    assert same(load_file(tmp_path / "x"), many)


def test_nested_keys_and_what_is_no_tensor(tmp_path: Path) -> None:
    inner = arrays("w", "v")
    source = saved(tmp_path / "x", {"a": inner, "b": [inner["w"] + 9, {7: inner["v"] - 9}], "c": 1})
    done = safetensors.convert(source, tmp_path / "y")
    assert same(
        load_file(tmp_path / "y"),
        {"a.w": inner["w"], "a.v": inner["v"], "b.0": inner["w"] + 9, "b.1.7": inner["v"] - 9},
    )
    assert done.dropped == (Dropped("c", "int"),)


def test_a_part_of_it(tmp_path: Path) -> None:
    inner = arrays("model.w", "model.v", "other")
    source = saved(tmp_path / "x", {"weights": inner, "optimizer": arrays("w")})
    done = safetensors.convert(source, tmp_path / "y", key="weights", drop_prefix="model.")
    assert same(
        load_file(tmp_path / "y"),
        {"w": inner["model.w"], "v": inner["model.v"], "other": inner["other"]},
    )
    names = {tensor.name: tensor.source_name for tensor in done.tensors}
    assert names["w"] == "weights.model.w"
    with pytest.raises(SafetensorError) as caught:
        safetensors.convert(source, tmp_path / "z", key="nothing")
    assert caught.value.code == "NOT_FOUND"


def test_shards(tmp_path: Path) -> None:
    wanted = arrays("a", "b", "c", size=1000)
    source = saved(tmp_path / "x", wanted)
    folder = tmp_path / "shards"
    done = safetensors.convert(source, folder, max_shard_size="8kB")
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    assert done.files == tuple(str(folder / name) for name in names)
    assert done.index == str(folder / "model.safetensors.index.json")
    index = json.loads(Path(done.index).read_text())
    assert index["metadata"]["total_size"] == done.bytes == 12000
    found: dict[str, Any] = {}
    for tensor in done.tensors:
        assert index["weight_map"][tensor.name] == Path(tensor.file).name
        found |= {tensor.name: load_file(tensor.file)[tensor.name]}
    assert same(found, wanted)


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ("x", ValueError),
        ("", ValueError),
        ("0", ValueError),
        ("-1", ValueError),
        ("5GBB", ValueError),
        ("5XB", ValueError),
        ("1.5GB", ValueError),
        (-1, OverflowError),
        (2**64, OverflowError),
        (f"{2**64}", OverflowError),
        (None, TypeError),
        (1.5, TypeError),
    ],
)
def test_what_is_no_size(tmp_path: Path, size: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        safetensors.convert(DIGITS / "digits.pt", tmp_path / "x", max_shard_size=size)
    assert os.listdir(tmp_path) == []


def test_ties(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="tied tensors are PyTorch's")
    weight = torch.arange(6.0).reshape(2, 3)
    torch.save({"b": weight, "a": weight, "turned": weight.t()}, tmp_path / "x.pt")
    done = safetensors.convert(tmp_path / "x.pt")
    assert done.ties == {"b": "a"}
    assert done.metadata == {"format": "pt", "b": "a"}
    found = load_file(tmp_path / "x.safetensors")
    assert same(found, {"a": weight.numpy(), "turned": weight.numpy().T})
    (turned,) = (tensor for tensor in done.tensors if tensor.name == "turned")
    assert (turned.shape, turned.strides) == ((3, 2), (1, 3))


# ---- what is refused ----


def test_an_attack_is_refused(tmp_path: Path) -> None:
    for wishes in ({}, {"allow_unknown": True}, {"dry_run": True}):
        with pytest.raises(RefusedError) as caught:
            safetensors.convert(POISONED, tmp_path / "x", **wishes)
        error = caught.value
        assert error.code == "DANGEROUS_SOURCE"
        assert error.file == str(POISONED)
        assert error.scan == safetensors.scan(POISONED)
        assert error.scans == (error.scan,)
        assert isinstance(error, SafetensorError)
        assert os.listdir(tmp_path) == []


def test_what_nobody_knows(tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_bytes(STRANGER)
    with pytest.raises(RefusedError) as caught:
        safetensors.convert(source, tmp_path / "y")
    assert caught.value.code == "UNVOUCHED_SOURCE"
    assert caught.value.scan is not None
    assert caught.value.scan.verdict == "unknown"
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert type(again) is RefusedError
    assert (str(again), again.code) == (str(caught.value), "UNVOUCHED_SOURCE")
    assert again.scan == caught.value.scan
    assert os.listdir(tmp_path) == ["x"]
    for wishes in ({"allow_unknown": True}, {"allow": ["stranger.Thing"]}):
        done = safetensors.convert(source, tmp_path / "y", overwrite=True, **wishes)
        assert [dropped.name for dropped in done.dropped] == ["a"]
        assert load_file(tmp_path / "y") == {}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a.b": np.zeros(2), "a": {"b": np.zeros(2)}}, "DUPLICATE_NAME"),
        ({"__metadata__": np.zeros(2)}, "RESERVED_NAME"),
        ({"a": np.zeros(2, np.complex128)}, "UNSUPPORTED_TENSOR"),
    ],
)
def test_what_the_format_cannot_hold(tmp_path: Path, value: Any, code: str) -> None:
    source = saved(tmp_path / "x", value)
    with pytest.raises(SafetensorError) as caught:
        safetensors.convert(source, tmp_path / "y")
    assert caught.value.code == code
    assert not isinstance(caught.value, RefusedError)
    assert "_scans" not in vars(caught.value)
    assert os.listdir(tmp_path) == ["x"]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        safetensors.convert(tmp_path / "none", tmp_path / "x")
    broken = tmp_path / "x.pt"
    broken.write_bytes((DIGITS / "digits.pt").read_bytes()[:-30])
    with pytest.raises(SafetensorError) as caught:
        safetensors.convert(broken)
    assert caught.value.code is not None
    assert os.listdir(tmp_path) == ["x.pt"]


def test_files_that_are_there(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError) as caught:
        safetensors.convert(DIGITS / "digits.pt", target)
    assert str(target) in str(caught.value)
    assert target.read_bytes() == b"mine"
    safetensors.convert(DIGITS / "digits.pt", target, overwrite=True, durable=True)
    assert same(load_file(target), load_file(DIGITS / "digits.safetensors"))
    assert os.listdir(tmp_path) == ["x"]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x"
    planned = safetensors.convert(DIGITS / "digits.pt", target, dry_run=True)
    assert os.listdir(tmp_path) == []
    assert planned == safetensors.convert(DIGITS / "digits.pt", target)


@pytest.mark.parametrize(
    "wishes",
    [
        {"key": 3},
        {"drop_prefix": b"x"},
        {"dst": 5},
        {"src": None},
        {"progress": 5},
    ],
)
def test_arguments_of_the_wrong_type(tmp_path: Path, wishes: dict[str, Any]) -> None:
    given = {"src": DIGITS / "digits.pt", "dst": tmp_path / "x"} | wishes
    with pytest.raises(TypeError):
        safetensors.convert(**given)
    assert os.listdir(tmp_path) == []


def test_nul_in_an_argument(tmp_path: Path) -> None:
    for name in ("src", "dst", "key", "drop_prefix"):
        given = {"src": DIGITS / "digits.pt", "dst": tmp_path / "x"} | {name: "a\0b"}
        with pytest.raises(ValueError, match="null"):
            safetensors.convert(**given)
    assert os.listdir(tmp_path) == []


# ---- how long it takes ----


def huge(path: Path) -> Path:
    """An .npy of 4 GB, all of it a hole: long enough to be interrupted."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 30,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + (4 << 30))
    return path


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    safetensors.convert(
        DIGITS / "digits.pt",
        tmp_path / "x",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_an_exception_in_progress_ends_it(tmp_path: Path) -> None:
    source = huge(tmp_path / "x.npy")

    def stop(done: int, total: int) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        safetensors.convert(source, progress=stop)
    assert os.listdir(tmp_path) == ["x.npy"]


def test_a_signal_ends_it(tmp_path: Path) -> None:
    """As Ctrl-C does."""
    source = huge(tmp_path / "x.npy")
    # Python leaves the signal alone where it was started to ignore it, as shells start what is to
    # run in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            safetensors.convert(source)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert os.listdir(tmp_path) == ["x.npy"]


def test_many_threads_at_once(tmp_path: Path) -> None:
    wanted = (DIGITS / "digits.pt", tmp_path / "0")
    first = safetensors.convert(*wanted).tensors
    found: list[Conversion] = []

    def work(number: int) -> None:
        for turn in range(10):
            found.append(safetensors.convert(DIGITS / "digits.pt", tmp_path / f"{number}-{turn}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 60
    content = (tmp_path / "0").read_bytes()
    for done in found:
        assert [tensor.name for tensor in done.tensors] == [tensor.name for tensor in first]
        assert Path(done.files[0]).read_bytes() == content
