"""Many threads at once, with torch tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_threads import THREADS, together

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load, load_file, save, save_file  # noqa: E402

BACKENDS = (None, "mmap", "pread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A file of forty tensors."""
    tensors = {str(n): torch.full((50, 7), n) for n in range(40)}
    path = tmp_path_factory.mktemp("threads") / "x.safetensors"
    save_file(tensors, path)
    return path, tensors


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_handle_many_readers(model: tuple[Path, dict[str, Any]], backend: str | None) -> None:
    path, tensors = model
    with safe_open(path, "pt", backend=backend) as f:

        def read(number: int) -> None:
            for turn in range(60):
                name = str((number * 7 + turn) % 40)
                tensor = f.get_tensor(name)
                assert torch.equal(tensor, tensors[name])
                assert torch.equal(f.get_slice(name)[1:3, ::2], tensors[name][1:3, ::2])
            assert all(torch.equal(t, tensors[name]) for name, t in f.get_tensors().items())

        together(read)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_die_in_other_threads(
    model: tuple[Path, dict[str, Any]], backend: str | None
) -> None:
    path, _ = model
    loaded = [load_file(path, backend=backend) for _ in range(THREADS)]

    def drop(number: int) -> None:
        for turn in range(40):
            for own in (number, (number + 1) % THREADS):
                tensor = loaded[own].pop(str(turn), None)
                assert tensor is None or int(tensor[0, 0]) == turn

    together(drop)


def test_loading_and_saving_bytes(model: tuple[Path, dict[str, Any]]) -> None:
    path, tensors = model
    data = path.read_bytes()

    def work(number: int) -> None:
        for _ in range(20):
            assert all(torch.equal(t, tensors[name]) for name, t in load(data).items())
            assert save(tensors) == data

    together(work)
