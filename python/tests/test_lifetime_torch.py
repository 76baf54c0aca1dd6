"""What lives how long, with torch: nothing grows with use, tensors outlive files."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_proc
from operations import Returned
from process import Process
from test_lifetime import BACKENDS, assert_nothing_grows, held

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load, load_file, save, save_file  # noqa: E402


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file with a type that DLPack has no name for."""
    tensors: dict[str, Any] = {str(n): torch.full((4, 3), float(n)) for n in range(5)}
    tensors |= {"empty": torch.zeros(0, 2), "narrow": torch.ones(4).to(torch.float8_e4m3fn)}
    file = tmp_path / "x.safetensors"
    save_file(tensors, file, {"k": "v"})
    return file


@needs_proc
@pytest.mark.parametrize("backend", BACKENDS)
def test_opening_reading_closing(path: Path, backend: str | None) -> None:
    def work() -> None:
        with safe_open(path, "pt", backend=backend) as f:
            f.get_tensors()
            f.get_tensor("narrow")
            part = f.get_slice("2")
            part[1:, 2], part[[0, 1]], part[...]

    assert_nothing_grows(work)


@needs_proc
def test_loading_and_saving(path: Path) -> None:
    data = path.read_bytes()
    tensors = load(data)

    def work() -> None:
        load(data)
        save(tensors, {"k": "v"})

    assert_nothing_grows(work)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_outlive_everything(path: Path, backend: str | None) -> None:
    f = safe_open(path, "pt", backend=backend)
    tensor, part = f.get_tensor("3"), f.get_slice("2")
    row = part[1]
    f.__exit__(None, None, None)
    del f, part
    path.unlink()
    path.write_bytes(b"something else")
    gc.collect()
    assert bool((tensor == 3).all())
    assert bool((row == 2).all())
    storage = tensor.untyped_storage()
    array = tensor.numpy()
    del tensor
    gc.collect()
    assert bytes(storage[:4]) == b"\0\0\x40\x40"
    assert (array == 3).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_writing_to_tensors_changes_no_file(path: Path, backend: str | None) -> None:
    """Copy-on-write: neither the file nor whoever loads it later sees it."""
    before = path.read_bytes()
    tensors = load_file(path, backend=backend)
    for tensor in tensors.values():
        tensor.view(torch.uint8).fill_(99)
    assert path.read_bytes() == before
    assert bool((load_file(path, backend=backend)["1"] == 1).all())
    assert all(bool((t.view(torch.uint8) == 99).all()) for t in tensors.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_saving_over_a_file_that_is_loaded(path: Path, backend: str | None) -> None:
    """Also with the very tensors that came from it, which are mapped."""
    tensors = load_file(path, backend=backend)
    save_file({name: torch.full_like(t.float(), 7) for name, t in tensors.items()}, path)
    assert bool((tensors["1"] == 1).all())
    assert bool((load_file(path)["1"] == 7).all())
    save_file(tensors, path)
    assert bool((tensors["1"] == 1).all())
    assert bool((load_file(path)["1"] == 1).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_are_plain(path: Path, backend: str | None) -> None:
    """As any other: they can be trained, turned, shared, and given other memory."""
    tensors = load_file(path, backend=backend)
    one = tensors["1"].requires_grad_()
    (one * 2).sum().backward()
    assert bool((one.grad == 2).all())
    two = tensors["2"]
    two.transpose_(0, 1).fill_(1)
    three = tensors["3"].share_memory_()
    assert three.is_shared()
    four = tensors["4"]
    four.set_(torch.zeros(1))
    tensors["0"].data = torch.ones(2)
    assert not tensors["narrow"].requires_grad
    del tensors, one, two, three, four
    gc.collect()


@needs_proc
def test_loaded_tensors_keep_no_descriptor(path: Path) -> None:
    """A program may keep tensors of more files than it may have open."""
    before = held()["descriptors"]
    files = [safe_open(path, "pt") for _ in range(20)]
    tensors = [load_file(path) for _ in range(20)]
    assert held()["descriptors"] == before
    assert all(bool((file.get_slice("4")[1:] == 4).all()) for file in files)
    assert all(bool((loaded["4"] == 4).all()) for loaded in tensors)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_interpreter_ends_with_everything_open(
    child: Process, path: Path, backend: str | None
) -> None:
    outcome = child.run(
        "import builtins\ntorch\nf = safe_open(path, 'pt', backend=backend)\n"
        "builtins.kept = [f, f.get_slice('1'), f.get_tensors(), st.load_file(path)]\n1",
        path=str(path),
        backend=backend,
    )
    assert outcome == Returned(("int", 1))
    process = child.process
    child.close()
    assert process is not None
    assert process.returncode == 0, child.said()
