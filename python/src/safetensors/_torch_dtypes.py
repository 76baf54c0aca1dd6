"""PyTorch's element types beside the format's, and tensors from what deserialize() returns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ._errors import cannot_load

# The format's code, PyTorch's name. Releases of PyTorch that lack a name do without the type.
_ROWS = (
    ("F64", "float64"),
    ("F32", "float32"),
    ("F16", "float16"),
    ("BF16", "bfloat16"),
    ("I64", "int64"),
    ("I32", "int32"),
    ("I16", "int16"),
    ("I8", "int8"),
    ("U64", "uint64"),
    ("U32", "uint32"),
    ("U16", "uint16"),
    ("U8", "uint8"),
    ("BOOL", "bool"),
    ("C64", "complex64"),
    ("F8_E4M3", "float8_e4m3fn"),
    ("F8_E4M3FNUZ", "float8_e4m3fnuz"),
    ("F8_E5M2", "float8_e5m2"),
    ("F8_E5M2FNUZ", "float8_e5m2fnuz"),
    ("F8_E8M0", "float8_e8m0fnu"),
    ("F4", "float4_e2m1fn_x2"),
)

# Programs add types of their own to this dict: what it holds when a file is loaded is what counts.
_TYPES: dict[str, torch.dtype] = {
    code: getattr(torch, name) for code, name in _ROWS if hasattr(torch, name)
}
_OWN_TYPES = dict(_TYPES)

# Bytes that one element takes in PyTorch.
_SIZE: dict[torch.dtype, int] = {dtype: dtype.itemsize for dtype in _TYPES.values()}

# What TensorSpec calls each type.
NAMES: dict[torch.dtype, str] = {dtype: str(dtype).rpartition(".")[2] for dtype in _SIZE}


def types_changed() -> bool:
    """Whether a program has changed _TYPES."""
    return _TYPES != _OWN_TYPES


def _getdtype(dtype_str: str) -> torch.dtype:
    """PyTorch's type for a code of the format. DtypeError, a KeyError too, if there is none."""
    try:
        return _TYPES[dtype_str]
    except KeyError:
        raise cannot_load(dtype_str, "PyTorch") from None


def _view2torch(safeview: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, torch.Tensor]:
    """Tensors over the bytes that deserialize() returned, of the types that _TYPES has now."""
    return {
        name: _from_bytes(name, entry["dtype"], entry["shape"], entry["data"])
        for name, entry in safeview
    }


def _from_bytes(name: str, code: str, shape: list[int], data: Any) -> torch.Tensor:
    dtype = _TYPES.get(code)
    if dtype is None:
        raise cannot_load(code, "PyTorch", name)
    if code == "F4" and shape:
        # The format counts elements, PyTorch bytes of two.
        shape = [*shape[:-1], shape[-1] // 2]
    if len(data) == 0:
        return torch.empty(shape, dtype=dtype)
    tensor = torch.frombuffer(data, dtype=dtype).reshape(shape)
    return swap_bytes(tensor) if sys.byteorder == "big" else tensor


def swap_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with the bytes of every number reversed, both numbers of a complex one."""
    width = tensor.element_size() // (2 if tensor.is_complex() else 1)
    rows = tensor.detach().contiguous().reshape(-1).view(torch.uint8).reshape(-1, width)
    return rows.flip(1).reshape(-1).view(tensor.dtype).reshape(tensor.shape)
