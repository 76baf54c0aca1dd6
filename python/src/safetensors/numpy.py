"""Saves and loads dicts of numpy arrays.

    from safetensors.numpy import load_file, save_file

    save_file({"weight": np.zeros((1024, 1024))}, "model.safetensors")
    weight = load_file("model.safetensors")["weight"]

Arrays of any memory order and byte order are saved right. The types of ml_dtypes, bfloat16 and the
8-bit floats, are saved and loaded where that package is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import ItemsView, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import cannot_load, cannot_save, not_a_tensor
from ._sft import (
    SafetensorError,
    TensorSpec,
    open_bytes,
    safe_open,
    serialize,
    serialize_file,
)
from ._sft import (
    deserialize as deserialize,  # also looked up here
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

Array = np.ndarray[Any, Any]

_TYPES: dict[str, type] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "U64": np.uint64,
    "I32": np.int32,
    "U32": np.uint32,
    "I16": np.int16,
    "U16": np.uint16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": bool,
    "C64": np.complex64,
}

# What ml_dtypes has beside them.
_ML_TYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}

# More than this is not copied at once to be saved, but array by array.
_COPY_LIMIT = 32 << 20

# The names of numpy's own types, little-endian as in a file. To ask numpy for one costs more than
# all else that is done for a small array.
_NAMES = {np.dtype(kind).newbyteorder("<"): np.dtype(kind).name for kind in _TYPES.values()}


def save(tensor_dict: Mapping[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file that holds the arrays.

    Args:
        tensor_dict: arrays by name, in any memory order and byte order: a dict, or what is like
            one. Neither it nor the arrays are changed. Another thread must not change them
            meanwhile.
        metadata: text to keep in the header, by key.

    Raises:
        ValueError: `tensor_dict` is no dict, or holds what is not an array.
        DtypeError: the format lacks an array's type.
        TypeError: a name, or a key or value of the metadata, is not a string.
        SafetensorError: the header would break a rule of the format.
    """
    return serialize(_entries(_arrays(tensor_dict)), metadata=metadata)


def save_file(
    tensor_dict: Mapping[str, Array],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> None:
    """Writes the arrays to a safetensors file, straight from their memory.

    Arrays that are not in C order, or not little-endian, are copied; one at a time if they are
    large. The file appears under its name only when it is whole; one that was there is replaced in
    one step. After an error it is as it was.

    Args:
        tensor_dict: as for `save`.
        filename: the file to write or replace.
        metadata: text to keep in the header, by key.
        durable: return only when the file and its folder have reached the disk.
        alignment: the data starts at a multiple of so many bytes: a power of two, from 8 to 2**20.
            0 means 8.

    Raises:
        What `save` raises, and SafetensorError or OSError if the file cannot be written.
    """
    arrays = _arrays(tensor_dict)
    if sum(array.nbytes for array in arrays.values() if not _is_plain(array)) > _COPY_LIMIT:
        _write_one_by_one(arrays, filename, metadata, durable, alignment)
        return
    serialize_file(
        _entries(arrays), filename, metadata=metadata, durable=durable, alignment=alignment
    )


def load(data: Buffer, *, copy: bool = True) -> dict[str, Array]:
    """The arrays of a safetensors file that is in memory.

    Args:
        data: the file's bytes: any contiguous buffer, such as bytes, bytearray or mmap.
        copy: True: the arrays have memory of their own. False: they are views of `data`, read-only
            if it is, and keep it alive.

    Raises:
        SafetensorError: the bytes break a rule of the format.
        DtypeError: numpy, and ml_dtypes if it is installed, lack an array's type.
        TypeError: `data` is no buffer.
    """
    return open_bytes(data, "np", copy=copy).get_tensors()


def load_file(filename: str | os.PathLike[str], *, backend: str | None = None) -> dict[str, Array]:
    """The arrays of a safetensors file, by name.

    Args:
        filename: a file; or, for a model in shards, its index (`*.safetensors.index.json`) or the
            folder with them.
        backend: how bytes are read. None, the default, and `"pread"`: into memory of their own.
            `"mmap"`: nothing is read at first, the arrays are a writable copy-on-write mapping of
            the file. A file that is cut short while it is mapped ends the process with SIGBUS.

    Raises:
        FileNotFoundError: there is no such file. Other OSErrors: it cannot be read.
        SafetensorError: it breaks a rule of the format.
        DtypeError: numpy, and ml_dtypes if it is installed, lack an array's type.
    """
    with safe_open(filename, framework="np", backend=backend) as file:
        return file.get_tensors()


def _entries(arrays: dict[str, Array]) -> dict[str, dict[str, Any]]:
    """What `serialize` takes, as buffers: of all ways to an array's memory the quickest."""
    entries = {}
    for name, array in arrays.items():
        dtype = _dtype_name(name, array)
        plain = _plain(array)
        entries[name] = {
            "dtype": dtype,
            "shape": plain.shape,
            # Buffers have no name for the types of ml_dtypes: these go as bytes.
            "data": plain if array.dtype in _NAMES else plain.reshape(-1).view(np.uint8),
        }
    return entries


def _flatten(
    tensor_dict: Mapping[str, Array], keep_alive_buffer: list[Any] | None = None
) -> dict[str, TensorSpec]:
    """What `serialize` takes too, as addresses. They are good while `keep_alive_buffer` is; where
    nothing was copied, also while the arrays are.
    """
    kept = [] if keep_alive_buffer is None else keep_alive_buffer
    specs = {}
    for name, array in _arrays(tensor_dict).items():
        dtype = _dtype_name(name, array)
        plain = _plain(array)
        kept.append(plain)
        specs[name] = TensorSpec(
            dtype=dtype,
            shape=plain.shape,
            data_ptr=plain.__array_interface__["data"][0],
            data_len=plain.nbytes,
        )
    return specs


def _write_one_by_one(
    arrays: dict[str, Array],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None,
    durable: bool,
    alignment: int,
) -> None:
    """Writes arrays of which several must be copied, with one copy at a time in memory."""
    from ._stream import stream_file

    specs = {name: (_dtype_name(name, array), array.shape) for name, array in arrays.items()}
    with stream_file(filename, specs, metadata, durable=durable, alignment=alignment) as writer:
        for name, array in arrays.items():
            writer.write(name, array)


def items_of(tensors: Any, kind: str) -> ItemsView[str, Any]:
    """The items of a dict, or of what is like one. ValueError for anything else."""
    if not hasattr(tensors, "items"):
        raise ValueError(f"Expected a dict of [str, {kind}] but received {type(tensors)}")
    items: ItemsView[str, Any] = tensors.items()
    return items


def _arrays(tensor_dict: Any) -> dict[str, Array]:
    """The dict, checked to hold arrays; numpy's scalars become arrays without dimensions."""
    arrays = {}
    for name, array in items_of(tensor_dict, "np.ndarray"):
        if not isinstance(array, np.ndarray | np.generic):
            raise not_a_tensor(name, "np.ndarray", array)
        arrays[name] = np.asarray(array)
    return arrays


def _dtype_name(name: str, array: Array) -> str:
    """What TensorSpec calls the array's type. DtypeError if the format lacks it."""
    known = _NAMES.get(array.dtype)
    if known is not None:
        return known
    kind: str = array.dtype.name
    try:
        TensorSpec(dtype=kind, shape=(0,), data_ptr=0, data_len=0)
    except SafetensorError:
        hint = "convert it before saving, with `.astype(dtype)`"
        raise cannot_save(name, array.dtype, hint) from None
    return kind


def _is_plain(array: Array) -> bool:
    """Whether the array's memory is what a file holds."""
    return array.flags.c_contiguous and (array.dtype in _NAMES or _is_little_endian(array))


def _plain(array: Array) -> Array:
    """The array in C order and little-endian: itself, where it is so already."""
    if _is_plain(array):
        return array
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _is_little_endian(tensor: Array) -> bool:
    """Whether each number's lowest byte comes first in memory, or there is only one byte."""
    order = tensor.dtype.byteorder
    return order in "<|" or (order == "=" and sys.byteorder == "little")


def _getdtype(dtype_str: str) -> Any:
    """numpy's type, or ml_dtypes', for a code of the format. DtypeError, a KeyError too, if there
    is none.
    """
    if dtype_str in _TYPES:
        return _TYPES[dtype_str]
    try:
        import ml_dtypes

        return getattr(ml_dtypes, _ML_TYPES[dtype_str])
    except (ImportError, KeyError, AttributeError):
        raise cannot_load(dtype_str, "numpy, with ml_dtypes if that is installed,") from None


def _view2np(safeview: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Array]:
    """Arrays over the bytes that deserialize() returned."""
    return {
        name: np.frombuffer(entry["data"], dtype=_getdtype(entry["dtype"])).reshape(entry["shape"])
        for name, entry in safeview
    }


def _tobytes(tensor: Array) -> bytes:
    """The bytes of an array as a file has them."""
    return _plain(tensor).tobytes()
