"""Opening a file by its path: arguments, errors, closing, and numpy's arrays."""

from __future__ import annotations

import inspect
import os
import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from samples import Tensor, encode, numbers

BACKENDS = (None, "mmap", "pread")
TENSORS = {"b": numbers((2, 3)), "a": numbers((4,)), "none": numbers((0, 3)), "one": numbers(())}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file with metadata."""
    file = tmp_path / "x.safetensors"
    file.write_bytes(encode(TENSORS, {"k": "v", "z": "\u00e4"}))
    return file


def assert_equal(array: np.ndarray, tensor: Tensor) -> None:
    """An array is this tensor of plain type."""
    assert array.dtype == np.dtype(tensor.dtype.numpy)
    assert array.shape == tensor.shape
    assert array.tobytes() == tensor.data


# ---- what is opened ----


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_text_or_path_like(path: Path, kind: type) -> None:
    with safe_open(kind(path), "np") as f:
        assert f.keys() == sorted(TENSORS)


def test_a_path_like_may_give_bytes(path: Path) -> None:
    class Named:
        def __fspath__(self) -> bytes:
            return os.fsencode(path)

    with safe_open(Named(), "np") as f:
        assert f.keys() == sorted(TENSORS)


@pytest.mark.parametrize("wrong", [3, None, b"x.safetensors", 1.5, object(), ["x"]])
def test_what_is_no_path_is_a_type_error(wrong: object) -> None:
    with pytest.raises(TypeError, match="filename"):
        safe_open(wrong, "np")


@pytest.mark.parametrize("name", ["", "nothing", "a\0b", "\udcff", "nothing/x"])
def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        safe_open(name, "np")
    assert str(caught.value) == f"No such file or directory: {name}"


def test_arguments_by_name(path: Path) -> None:
    with safe_open(filename=path, framework="np", device="cpu", backend="pread") as f:
        assert_equal(f.get_tensor(name="b"), TENSORS["b"])
        assert f.get_slice(name="b").get_shape() == [2, 3]


def test_wrong_counts_and_names_are_type_errors(path: Path) -> None:
    for wrong in (
        lambda: safe_open(),
        lambda: safe_open(path),
        lambda: safe_open(path, "np", "cpu", "mmap"),
        lambda: safe_open(path, "np", mode="r"),
        lambda: safe_open(path, "np").get_tensor(),
        lambda: safe_open(path, "np").get_tensor("b", "a"),
        lambda: safe_open(path, "np").get_tensor(key="b"),
        lambda: safe_open(path, "np").get_tensors("b"),
        lambda: safe_open(path, "np").get_slice(),
        lambda: safe_open(path, "np").keys(1),
        lambda: safe_open(path, "np").__exit__(),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_the_signature() -> None:
    assert (
        str(inspect.signature(safe_open)) == "(filename, framework, device='cpu', *, backend=None)"
    )
    for name in ("keys", "offset_keys", "metadata", "get_tensor", "get_tensors", "get_slice"):
        method = getattr(safe_open, name)
        assert next(iter(inspect.signature(method).parameters)) == "self"
        assert method.__doc__


# ---- framework, device, backend ----


@pytest.mark.parametrize("framework", ["NP", "", "x", "np\0", "pt "])
def test_an_unknown_framework(path: Path, framework: str) -> None:
    with pytest.raises(SafetensorError) as caught:
        safe_open(path, framework)
    assert str(caught.value) == f"framework {framework} is invalid"


@pytest.mark.parametrize("argument", ["framework", "backend"])
@pytest.mark.parametrize("wrong", [3, b"np", 1.5])
def test_names_are_text(path: Path, argument: str, wrong: object) -> None:
    with pytest.raises(TypeError, match=argument):
        safe_open(path, **{"framework": "np", argument: wrong})


@pytest.mark.parametrize("backend", ["MMAP", "", "read", "mmap\0"])
def test_an_unknown_backend(path: Path, backend: str) -> None:
    with pytest.raises(SafetensorError) as caught:
        safe_open(path, "np", backend=backend)
    assert str(caught.value) == (
        f'backend "{backend}" is invalid (expected one of: "mmap", "pread")'
    )


@pytest.mark.parametrize(
    "device", ["CPU", "cpu:0", "meta", "disk", "cuda:1:2", "cpu\0", "", -1, 1.5, b"cpu", 2**64, ()]
)
def test_an_unknown_device(path: Path, device: object) -> None:
    with pytest.raises(SafetensorError) as caught:
        safe_open(path, "np", device=device)
    shown = device if isinstance(device, str) else repr(device)
    assert str(caught.value) == f"device {shown} is invalid"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda:", "cannot parse integer from empty string"),
        ("cuda:x", "invalid digit found in string"),
        ("xpu:-1", "invalid digit found in string"),
        ("mps:x", "invalid digit found in string"),
        ("cuda:18446744073709551616", "number too large to fit in target type"),
    ],
)
def test_a_device_with_no_number(path: Path, device: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        safe_open(path, "np", device=device)
    assert str(caught.value) == message


def test_mps_is_one(path: Path) -> None:
    with pytest.raises(SafetensorError, match="mps:3 is invalid: only mps or mps:0 is supported"):
        safe_open(path, "np", device="mps:3")


@pytest.mark.parametrize(
    ("device", "shown"),
    [
        ("cuda", "cuda:0"),
        ("cuda:007", "cuda:7"),
        ("mps:0", "mps"),
        ("musa", "musa:0"),
        ("npu:2", "npu:2"),
        ("xpu", "xpu:0"),
        ("xla", "xla:0"),
        ("mlu", "mlu:0"),
        ("hpu", "hpu:0"),
        (5, "5"),
        (True, "1"),
    ],
)
def test_numpy_lives_on_the_cpu(path: Path, device: object, shown: str) -> None:
    with pytest.raises(SafetensorError) as caught:
        safe_open(path, "np", device=device)
    assert str(caught.value) == f"Device {shown} is not supported for framework numpy"


@pytest.mark.parametrize("device", ["cpu", None])
def test_the_cpu_has_two_names(path: Path, device: str | None) -> None:
    with safe_open(path, "np", device=device) as f:
        assert_equal(f.get_tensor("a"), TENSORS["a"])


def test_arguments_are_checked_before_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(SafetensorError, match="framework"):
        safe_open(missing, "x", device="y", backend="z")
    with pytest.raises(SafetensorError, match="device"):
        safe_open(missing, "np", device="y", backend="z")
    with pytest.raises(SafetensorError, match="backend"):
        safe_open(missing, "np", backend="z")
    with pytest.raises(FileNotFoundError):
        safe_open(missing, "np", device="cuda")


# ---- names and metadata ----


def test_names(path: Path) -> None:
    with safe_open(path, "np") as f:
        assert f.keys() == ["a", "b", "none", "one"]
        assert f.offset_keys() == ["b", "a", "none", "one"]
        assert f.keys() is not f.keys()


def test_names_of_every_kind(tmp_path: Path) -> None:
    names = ["", "\0", "a\0b", "\u00e4", "\U0001f642", "~", "\x7f", "Z", "a" * 5000]
    path = tmp_path / "x"
    path.write_bytes(encode({name: numbers((1,)) for name in names}))
    with safe_open(path, "np") as f:
        assert f.keys() == sorted(names)
        assert f.offset_keys() == names
        assert list(f.get_tensors()) == names
        for name in names:
            assert f.get_tensor(name).tolist() == [0.0]


@pytest.mark.parametrize("metadata", [None, {}, {"a": "b"}, {"": "", "\0": "\u00e4"}])
def test_metadata(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode({}, metadata))
    with safe_open(path, "np") as f:
        assert f.metadata() == metadata
        assert f.keys() == []
        assert f.get_tensors() == {}


def test_the_metadata_is_the_callers_own(path: Path) -> None:
    with safe_open(path, "np") as f:
        f.metadata()["k"] = "changed"
        assert f.metadata() == {"k": "v", "z": "\u00e4"}


@pytest.mark.parametrize("name", ["", "zz", "B", "b\0"])
def test_a_missing_tensor(path: Path, name: str) -> None:
    with safe_open(path, "np") as f:
        for method in (f.get_tensor, f.get_slice):
            with pytest.raises(SafetensorError) as caught:
                method(name)
            assert str(caught.value) == f"File does not contain tensor {name}"
            assert (caught.value.code, caught.value.tensor) == ("NOT_FOUND", name)


def test_a_name_is_text(path: Path) -> None:
    with safe_open(path, "np") as f:
        for wrong in (3, b"b", None, ["b"]):
            with pytest.raises(TypeError, match="name"):
                f.get_tensor(wrong)
        with pytest.raises(UnicodeEncodeError):
            f.get_tensor("\udc00")


# ---- closing ----


def test_a_closed_file(path: Path) -> None:
    with safe_open(path, "np") as f:
        pass
    for work in (
        f.keys,
        f.offset_keys,
        f.metadata,
        f.get_tensors,
        lambda: f.get_tensor("b"),
        lambda: f.get_tensor("zz"),
        lambda: f.get_slice("b"),
    ):
        with pytest.raises(SafetensorError) as caught:
            work()
        assert str(caught.value) == "File is closed"


def test_closing_twice_and_bare(path: Path) -> None:
    f = safe_open(path, "np")
    assert f.__enter__() is f
    assert f.__exit__(None, None, None) is None
    assert f.__exit__(None, None, None) is None
    assert f.__enter__() is f


def test_exceptions_leave_the_block(path: Path) -> None:
    with pytest.raises(KeyError, match="mine"), safe_open(path, "np") as f:
        raise KeyError("mine")
    with pytest.raises(SafetensorError, match="closed"):
        f.keys()


def test_init_again_changes_nothing(path: Path) -> None:
    f = safe_open(path, "np")
    f.__init__(1, 2, 3)
    assert f.keys() == sorted(TENSORS)


def test_files_are_hashable_and_equal_to_themselves_alone(path: Path) -> None:
    first, second = safe_open(path, "np"), safe_open(path, "np")
    assert {first, second, first} == {first, second}
    assert first == first and first != second


def test_files_do_not_travel(path: Path) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(safe_open(path, "np"))
    with pytest.raises(TypeError):
        type("Mine", (safe_open,), {})


def read_until_closed(f: safe_open, failures: list[BaseException]) -> None:
    """Reads all tensors of 2000 numbers, again and again, until that fails."""
    expected = np.arange(2000, dtype=np.float32)
    try:
        while True:
            assert all((array == expected).all() for array in f.get_tensors().values())
    except BaseException as error:
        failures.append(error)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_thread_closes_while_others_read(tmp_path: Path, backend: str | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode({str(n): numbers((2000,)) for n in range(50)}))
    f = safe_open(path, "np", backend=backend)
    failures: list[BaseException] = []
    arguments = (f, failures)
    threads = [threading.Thread(target=read_until_closed, args=arguments) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    f.__exit__(None, None, None)
    for thread in threads:
        thread.join()
    assert [str(error) for error in failures] == ["File is closed"] * 3
