"""Saving for PyTorch: what is written, what is refused, models with tied weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors

torch = pytest.importorskip("torch")
st = pytest.importorskip("safetensors.torch")


def metadata_of(path: Path) -> dict[str, str] | None:
    """The file's own text."""
    with safetensors.safe_open(path, "pt") as file:
        found: dict[str, str] | None = file.metadata()
    return found


def test_neither_dict_is_changed(tmp_path: Path) -> None:
    tensors = {"b": torch.zeros(2), "a": torch.ones(2)}
    metadata = {"k": "v"}
    held = list(tensors.items())
    st.save(tensors, metadata)
    st.save_file(tensors, tmp_path / "x", metadata=metadata)
    assert [(name, id(tensor)) for name, tensor in tensors.items()] == [
        (name, id(tensor)) for name, tensor in held
    ]
    assert metadata == {"k": "v"}
    assert metadata_of(tmp_path / "x") == {"k": "v"}


def test_durable_and_aligned_files(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6), "b": torch.ones(3, dtype=torch.int8)}
    st.save_file(tensors, tmp_path / "x", durable=True, alignment=4096)
    data = (tmp_path / "x").read_bytes()
    assert (8 + int.from_bytes(data[:8], "little")) % 4096 == 0
    assert torch.equal(st.load(data)["a"], tensors["a"])


def test_parameters_and_tensors_that_want_gradients() -> None:
    weight = torch.nn.Parameter(torch.arange(3.0))
    grad = torch.arange(3.0, requires_grad=True)
    loaded = st.load(st.save({"weight": weight, "grad": grad}))
    assert loaded["weight"].tolist() == [0, 1, 2]
    assert not loaded["grad"].requires_grad


def test_views_that_are_conjugated_or_negated_only_when_read() -> None:
    """The peer saves the memory beneath them, which has other values."""
    value = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)
    negated = torch._neg_view(torch.ones(3))
    loaded = st.load(st.save({"conj": value.conj(), "neg": negated}))
    assert loaded["conj"].tolist() == [1 - 2j, 3 + 4j]
    assert loaded["neg"].tolist() == [-1, -1, -1]
    assert value.tolist() == [1 + 2j, 3 - 4j]


def test_subclasses_are_saved_as_what_they_hold() -> None:
    class Marked(torch.Tensor):  # type: ignore[misc,name-defined]
        pass

    marked = torch.arange(3.0).as_subclass(Marked)
    assert st.load(st.save({"m": marked}))["m"].tolist() == [0, 1, 2]


def test_a_part_of_a_larger_tensor_is_saved_alone() -> None:
    base = torch.arange(1000)
    data = st.save({"part": base[10:12]})
    assert len(data) < 200
    assert st.load(data)["part"].tolist() == [10, 11]


def test_what_is_not_a_dict_of_tensors() -> None:
    with pytest.raises(ValueError, match=r"Expected a dict of \[str, torch\.Tensor\]"):
        st.save([torch.zeros(1)])
    with pytest.raises(ValueError, match=r"Key `a` is invalid, expected torch\.Tensor"):
        st.save({"a": 1.0})
    with pytest.raises(TypeError, match="tensor_dict"):
        st.save({1: torch.zeros(1)})


def test_sparse_tensors_are_named() -> None:
    with pytest.raises(ValueError, match=r"sparse tensors: `\['a', 'c'\]`"):
        st.save({"a": torch.eye(2).to_sparse(), "b": torch.eye(2), "c": torch.eye(3).to_sparse()})


def test_non_contiguous_tensors_are_named(tmp_path: Path) -> None:
    for tensor in (torch.zeros(2, 3).t(), torch.zeros(6)[::2], torch.zeros(1).expand(3)):
        with pytest.raises(ValueError, match="non contiguous tensor: `a`"):
            st.save_file({"a": tensor}, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_shared_memory_is_refused_with_the_way_out() -> None:
    base = torch.zeros(10)
    for tensors in (
        {"a": base, "b": base},
        {"a": base[:6], "b": base[5:]},
        {"a": base, "b": base.view(2, 5)},
        {"a": base, "b": base.view(2, 5).t()},
        {"a": torch.nn.Parameter(base), "b": base.detach()},
    ):
        with pytest.raises(RuntimeError, match="share memory") as caught:
            st.save(tensors)
        assert "`save_model`" in str(caught.value)
        assert "{'a', 'b'}" in str(caught.value) or "{'b', 'a'}" in str(caught.value)


def test_halves_of_one_memory_are_no_sharing() -> None:
    base = torch.arange(10)
    loaded = st.load(st.save({"low": base[:5], "high": base[5:], "none": base[3:3]}))
    assert loaded["low"].tolist() + loaded["high"].tolist() == list(range(10))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("name", ["complex128", "quint8"])
def test_types_that_the_format_lacks(name: str) -> None:
    if name == "quint8":
        tensor = torch._empty_affine_quantized([2], scale=1.0, zero_point=0, dtype=torch.quint8)
    else:
        tensor = torch.zeros(2, dtype=torch.complex128)
    with pytest.raises(KeyError):
        st.save({"ok": torch.zeros(1), "bad one": tensor})
    with pytest.raises(safetensors.SafetensorError, match=f"tensor `bad one`.*torch.{name}"):
        st.save({"ok": torch.zeros(1), "bad one": tensor})


def test_tensors_without_memory() -> None:
    with pytest.raises(NotImplementedError, match="meta"):
        st.save({"a": torch.zeros(2, device="meta")})


def test_names_of_all_kinds_and_an_empty_dict() -> None:
    names = ["", "a.b/c", "漢字🙂", "with\0nul", '"quoted\\"', "x" * 5000]
    tensors = {name: torch.full((1,), float(i)) for i, name in enumerate(names)}
    loaded = st.load(st.save(tensors))
    assert {name: tensor.item() for name, tensor in loaded.items()} == {
        name: float(i) for i, name in enumerate(names)
    }
    assert st.load(st.save({})) == {}


class Tied(torch.nn.Module):  # type: ignore[misc,name-defined]
    """A model whose two layers have one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, 4, bias=False)
        self.second = torch.nn.Linear(4, 4, bias=True)
        self.second.weight = self.first.weight


def test_save_model_keeps_one_name_and_notes_the_others(tmp_path: Path) -> None:
    model = Tied()
    path = tmp_path / "model.safetensors"
    metadata = {"k": "v"}
    st.save_model(model, path, metadata=metadata)
    assert metadata == {"k": "v"}
    assert metadata_of(path) == {"k": "v", "second.weight": "first.weight"}
    assert set(st.load_file(path)) == {"first.weight", "second.bias"}
    other = Tied()
    assert st.load_model(other, path) == (set(), [])
    assert torch.equal(other.second.weight, model.first.weight)
    assert other.second.weight is other.first.weight


def test_save_model_leaves_a_note_of_the_same_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    st.save_model(Tied(), path, metadata={"second.weight": "mine"})
    assert metadata_of(path) == {"second.weight": "mine"}


def test_save_model_without_tied_weights_writes_no_metadata(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    st.save_model(torch.nn.Linear(2, 2), path)
    assert metadata_of(path) is None
    assert b"__metadata__" not in path.read_bytes()


def test_load_model_takes_the_other_name_too(tmp_path: Path) -> None:
    """A file that another program saved may keep the name that this one would drop."""
    model = Tied()
    path = tmp_path / "model.safetensors"
    st.save_file({"second.weight": model.first.weight, "second.bias": model.second.bias}, path)
    other = Tied()
    assert st.load_model(other, path) == (set(), [])
    assert torch.equal(other.first.weight, model.first.weight)


def test_load_model_strict_or_not(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    st.save_file({"weight": torch.ones(2, 2), "extra": torch.ones(1)}, path)
    model = torch.nn.Linear(2, 2)
    with pytest.raises(RuntimeError) as caught:
        st.load_model(model, path)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Linear:\n"
        '    Missing key(s) in state_dict: "bias"\n'
        '    Unexpected key(s) in state_dict: "extra"'
    )
    assert st.load_model(model, path, strict=False) == ({"bias"}, ["extra"])
    assert torch.equal(model.weight, torch.ones(2, 2))


def test_a_file_with_both_tied_names_has_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    state = {name: tensor.clone() for name, tensor in Tied().state_dict().items()}
    st.save_file(state, path)
    assert st.load_model(Tied(), path, strict=False) == (set(), ["second.weight"])
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"second.weight"'):
        st.load_model(Tied(), path)


def test_save_model_makes_tensors_contiguous_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = torch.nn.Linear(3, 2, bias=False)
    model.weight = torch.nn.Parameter(torch.arange(6.0).reshape(3, 2).t())
    with pytest.raises(ValueError, match=r"non contiguous.*force_contiguous=True"):
        st.save_model(model, path, force_contiguous=False)
    assert not path.exists()
    st.save_model(model, path)
    assert torch.equal(st.load_file(path)["weight"], model.weight)
    other = torch.nn.Linear(3, 2, bias=False)
    st.load_model(other, path)
    assert torch.equal(other.weight, model.weight)


def test_save_model_refuses_memory_that_no_name_fills(tmp_path: Path) -> None:
    base = torch.zeros(10)
    model = torch.nn.Module()
    model.low = torch.nn.Parameter(base[:6])
    model.high = torch.nn.Parameter(base[5:])
    with pytest.raises(RuntimeError, match="None is covering the entire storage"):
        st.save_model(model, tmp_path / "x")
    assert not list(tmp_path.iterdir())
