"""Names that the package does not promise, but that programs import from it all the same."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import safetensors

torch = pytest.importorskip("torch", reason="these are names of the module for PyTorch")
st = pytest.importorskip("safetensors.torch")


def test_the_module_of_the_rust_extension() -> None:
    """Programs catch `safetensors._safetensors_rust.SafetensorError`."""
    from safetensors import _safetensors_rust as rust

    for name in (
        "SafetensorError",
        "TensorSpec",
        "__version__",
        "_safe_open_handle",
        "deserialize",
        "safe_open",
        "serialize",
        "serialize_file",
    ):
        assert getattr(rust, name) is getattr(safetensors, name)


def test_importing_the_package_brings_that_module_along() -> None:
    code = "import safetensors; print(safetensors._safetensors_rust.SafetensorError.__name__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "SafetensorError"


def test_the_error_can_be_found_and_pickled() -> None:
    error = safetensors.SafetensorError
    assert getattr(sys.modules[error.__module__], error.__name__) is error
    with pytest.raises(error) as caught:
        st.load(b"short")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert type(again) is error
    assert str(again) == str(caught.value)


def test_the_dtype_error_can_be_pickled_and_reads_as_a_sentence() -> None:
    with pytest.raises(safetensors.DtypeError) as caught:
        st.save({"wide": torch.zeros(2, dtype=torch.complex128)})
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert type(again) is safetensors.DtypeError
    assert type(again).__module__ == "safetensors"
    assert str(again) == str(caught.value)
    assert str(again).startswith("tensor `wide` has the type torch.complex128")
    assert again.tensor == "wide"
    assert isinstance(again, KeyError)
    assert isinstance(again, safetensors.SafetensorError)


def test_importing_the_package_imports_no_framework() -> None:
    code = "import safetensors, sys; print(*{'numpy', 'torch', 'jax'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


def test_the_version_passes_for_the_peers() -> None:
    """Programs compare it with `packaging`; transformers wants at least 0.4.3, others 0.8."""
    version = pytest.importorskip("packaging.version", reason="it is what programs compare with")
    parsed = version.parse(safetensors.__version__)
    assert parsed >= version.parse("0.8.0")
    assert parsed.local.startswith("sft.")


def test_the_package_says_that_it_is_typed() -> None:
    from importlib import resources

    files = {entry.name for entry in resources.files(safetensors).iterdir()}
    assert {"py.typed", "_sft.pyi"} <= files


def test_safe_open_is_in_the_module_for_torch() -> None:
    assert st.safe_open is safetensors.safe_open


def test_types_and_sizes_are_dicts_of_every_type() -> None:
    assert st._TYPES["BF16"] is torch.bfloat16
    assert st._TYPES["F8_E4M3"] is torch.float8_e4m3fn
    assert {st._SIZE[dtype] for dtype in st._TYPES.values()} == {1, 2, 4, 8}
    for dtype in st._TYPES.values():
        assert st._SIZE[dtype] == torch.empty(1, dtype=dtype).element_size()


def test_getdtype_knows_what_types_holds_now(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match="MINE"):
        st._getdtype("MINE")
    monkeypatch.setitem(st._TYPES, "MINE", torch.int8)
    assert st._getdtype("MINE") is torch.int8


@pytest.mark.parametrize("from_file", [False, True])
def test_a_type_that_a_program_sets_counts_at_the_next_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, from_file: bool
) -> None:
    """Programs add types to the dict, or change those that are there, after the import."""
    path = f"{tmp_path}/model.safetensors"
    scale = torch.tensor([[1.0, 2.0], [0.5, 4.0]]).to(torch.float8_e8m0fnu)
    st.save_file({"scale": scale, "weight": torch.ones(2)}, path)
    with open(path, "rb") as file:
        data = file.read()
    assert st.load(data)["scale"].dtype is torch.float8_e8m0fnu
    monkeypatch.setitem(st._TYPES, "F8_E8M0", torch.uint8)
    loaded = st.load_file(path) if from_file else st.load(data)
    assert loaded["scale"].dtype is torch.uint8
    assert torch.equal(loaded["scale"], scale.view(torch.uint8))
    assert torch.equal(loaded["weight"], torch.ones(2))


def test_view2torch_takes_what_deserialize_returns() -> None:
    tensors = {
        "matrix": torch.arange(6).reshape(2, 3),
        "scalar": torch.tensor(2.5),
        "nothing": torch.empty(0, 4, dtype=torch.bfloat16),
        "packed": torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
    }
    loaded = st._view2torch(safetensors.deserialize(st.save(tensors)))
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype is tensor.dtype
        assert loaded[name].shape == tensor.shape
        assert st._tobytes(loaded[name]) == st._tobytes(tensor)


def test_swapped_bytes_are_what_a_big_endian_machine_has() -> None:
    from safetensors._torch_dtypes import swap_bytes

    value = torch.tensor([1, 256], dtype=torch.int16)
    assert swap_bytes(value).tolist() == [256, 1]
    value = torch.tensor([[1.5 - 2j]], dtype=torch.complex64)
    swapped = swap_bytes(value)
    assert swapped.shape == value.shape
    assert swapped.numpy().tobytes() == value.numpy().byteswap().tobytes()


def test_tobytes_is_the_tensors_memory() -> None:
    assert st._tobytes(torch.tensor([1, 2], dtype=torch.int16)) == b"\1\0\2\0"
    assert st._tobytes(torch.tensor(1, dtype=torch.uint8), "scalar") == b"\1"
    assert st._tobytes(torch.empty(0)) == b""
    with pytest.raises(ValueError, match="non contiguous tensor: `w`"):
        st._tobytes(torch.zeros(2, 3).t(), "w")


def test_to_ndarray_shares_the_tensors_memory() -> None:
    tensor = torch.tensor([[1, 2]], dtype=torch.int16)
    array, owner = st._to_ndarray(tensor)
    assert array.tobytes() == b"\1\0\2\0"
    assert array.ctypes.data == tensor.data_ptr()
    assert owner.data_ptr() == tensor.data_ptr()


def test_flatten_makes_what_serialize_took_and_takes() -> None:
    """The mappings of the releases up to 0.7, which 0.8 refuses."""
    tensors = {"a": torch.tensor([1, 2], dtype=torch.int16), "b": torch.zeros(2, 0)}
    flat = st._flatten(tensors)
    assert flat["a"]["dtype"] == "int16"
    assert list(flat["a"]["shape"]) == [2]
    assert flat["a"]["data"] == b"\1\0\2\0"
    assert safetensors.serialize(flat) == st.save(tensors)


def test_a_mapping_without_data_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        safetensors.serialize({"a": {"dtype": "int16", "shape": [2]}})


def test_flatten_as_ptr_keeps_what_it_points_at() -> None:
    keep: list[object] = []
    tensor = torch.tensor([1, 2], dtype=torch.int16)
    specs = st._flatten_as_ptr({"a": tensor}, keep)
    assert specs["a"].dtype == "I16"
    assert specs["a"].shape == [2]
    assert specs["a"].data_ptr == tensor.data_ptr()
    assert specs["a"].data_len == 4
    assert keep
    assert safetensors.serialize(specs) == st.save({"a": tensor})


def test_storage_of_a_view_and_of_none() -> None:
    base = torch.zeros(10)
    part = base[2:4]
    assert st.storage_ptr(part) == base.data_ptr()
    assert st.storage_size(part) == 40
    assert st._end_ptr(part) == base.data_ptr() + 16
    assert st._end_ptr(base[:0]) == base[:0].data_ptr()
    assert st.storage_ptr(torch.zeros(2, device="meta")) == 0
    assert st.storage_ptr(torch.eye(2).to_sparse()) == 0


def test_a_tensor_is_complete_if_it_fills_its_memory() -> None:
    base = torch.zeros(2, 5)
    assert st._is_complete(base)
    assert st._is_complete(base.t())
    assert not st._is_complete(base[0])
    assert not st._is_complete(base[1])


def test_shared_tensors_come_in_groups_in_the_order_of_the_dict() -> None:
    base = torch.zeros(10)
    found = st._find_shared_tensors(
        {
            "alone": torch.zeros(1),
            "low": base[:6],
            "high": base[5:],
            "empty": torch.zeros(0),
            "nowhere": torch.zeros(3, device="meta"),
        }
    )
    assert found == [{"alone"}, {"low", "high"}]


def test_parts_of_one_memory_that_do_not_overlap_share_nothing() -> None:
    base = torch.zeros(10)
    parts = {"low": base[:5], "high": base[5:]}
    assert st._find_shared_tensors(parts) == [{"low"}, {"high"}]
    assert st._filter_shared_not_shared([{"low", "high"}], parts) == [{"low"}, {"high"}]


def test_views_in_another_order_overlap_too() -> None:
    """The peer cannot tell how far a transposed view reaches, and fails."""
    base = torch.zeros(2, 5)
    assert st._find_shared_tensors({"a": base, "b": base.t()}) == [{"a", "b"}]
    assert st._find_shared_tensors({"left": base[:, :2], "right": base[:, 2:]}) == [
        {"left", "right"}
    ]


@pytest.mark.parametrize(
    ("preferred", "discarded", "kept"),
    [
        (None, None, "a"),
        (["b"], None, "b"),
        (None, ["a"], "b"),
        (["c", "b"], ["b"], "b"),
        (["part"], None, "a"),
        (None, ["a", "b", "c"], "a"),
    ],
)
def test_the_name_that_is_kept(
    preferred: list[str] | None, discarded: list[str] | None, kept: str
) -> None:
    """Complete ones only; preferred ones first, discarded ones last, else in sorted order."""
    base = torch.zeros(10)
    removed = st._remove_duplicate_names(
        {"part": base[1:], "c": base, "b": base, "a": base, "other": torch.zeros(1)},
        preferred_names=preferred,
        discard_names=discarded,
    )
    assert removed == {kept: sorted({"part", "a", "b", "c"} - {kept})}


def test_nothing_can_be_kept_if_no_name_is_complete() -> None:
    base = torch.zeros(10)
    with pytest.raises(RuntimeError, match="found no suitable name to keep"):
        st._remove_duplicate_names({"low": base[:6], "high": base[5:]})
