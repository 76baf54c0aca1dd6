"""Saves and loads dicts of PaddlePaddle tensors.

    from safetensors.paddle import load_file, save_file

    save_file({"weight": paddle.zeros((1024, 1024))}, "model.safetensors")
    weight = load_file("model.safetensors")["weight"]

Paddle has no 16-bit unsigned integers, what it calls uint16 is bfloat16: files with them are
refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from . import _convert, numpy
from ._errors import cannot_load, cannot_save, not_a_tensor, not_contiguous
from ._sft import TensorSpec, open_bytes, safe_open, serialize, serialize_file

if TYPE_CHECKING:
    from typing_extensions import Buffer

# The format's code, Paddle's name, bytes of one element. Releases that lack a name do without the
# type. What Paddle calls uint16 is bfloat16, so that U16 has no counterpart.
_ROWS = (
    ("F64", "float64", 8),
    ("F32", "float32", 4),
    ("F16", "float16", 2),
    ("BF16", "bfloat16", 2),
    ("I64", "int64", 8),
    ("I32", "int32", 4),
    ("I16", "int16", 2),
    ("I8", "int8", 1),
    ("U64", "uint64", 8),
    ("U32", "uint32", 4),
    ("U8", "uint8", 1),
    ("BOOL", "bool", 1),
    ("C64", "complex64", 8),
    ("F8_E4M3", "float8_e4m3fn", 1),
    ("F8_E5M2", "float8_e5m2", 1),
)

_TYPES: dict[str, paddle.dtype] = {
    code: getattr(paddle, name) for code, name, _ in _ROWS if hasattr(paddle, name)
}

_SIZE: dict[paddle.dtype, int] = {
    getattr(paddle, name): size for _, name, size in _ROWS if hasattr(paddle, name)
}


def save(tensors: dict[str, paddle.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file that holds the tensors.

    Args:
        tensors: by name; contiguous, on any device. The dict is not changed. Another thread must
            not change the tensors meanwhile.
        metadata: text to keep in the header, by key.

    Raises:
        ValueError: `tensors` is no dict, or holds what is not a tensor or is not contiguous.
        DtypeError: the format lacks a tensor's type.
        TypeError: a name, or a key or value of the metadata, is not a string.
        SafetensorError: the header would break a rule of the format.
    """
    keep_alive: list[Any] = []
    return serialize(_flatten(tensors, keep_alive), metadata=metadata)


def save_file(
    tensors: dict[str, paddle.Tensor],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> None:
    """Writes the tensors to a safetensors file, straight from their memory.

    The file appears under its name only when it is whole; one that was there is replaced in one
    step. After an error it is as it was.

    Args:
        tensors: as for `save`.
        filename: the file to write or replace.
        metadata: text to keep in the header, by key.
        durable: return only when the file and its folder have reached the disk.
        alignment: the data starts at a multiple of so many bytes: a power of two, from 8 to 2**20.
            0 means 8.

    Raises:
        What `save` raises, and SafetensorError or OSError if the file cannot be written.
    """
    keep_alive: list[Any] = []
    serialize_file(
        _flatten(tensors, keep_alive),
        filename,
        metadata=metadata,
        durable=durable,
        alignment=alignment,
    )


def load(data: Buffer, device: str | int = "cpu", *, copy: bool = True) -> dict[str, paddle.Tensor]:
    """The tensors of a safetensors file that is in memory.

    Args:
        data: the file's bytes: any contiguous buffer, such as bytes, bytearray or mmap.
        device: where the tensors shall be: `"cpu"`, `"gpu:1"` or, the same, `"cuda:1"`.
        copy: True: the tensors have memory of their own. False: on the CPU they are views of
            `data`, where it is writable, and keep it alive.

    Raises:
        SafetensorError: the bytes break a rule of the format.
        DtypeError: Paddle lacks a tensor's type.
        TypeError: `data` is no buffer.
    """
    return open_bytes(data, "paddle", _device(device), copy=copy).get_tensors()


def load_file(
    filename: str | os.PathLike[str],
    device: str | int = "cpu",
    *,
    backend: str | None = None,
) -> dict[str, paddle.Tensor]:
    """The tensors of a safetensors file, by name.

    Args:
        filename: a file; or, for a model in shards, its index (`*.safetensors.index.json`) or the
            folder with them.
        device: where the tensors shall be: `"cpu"`, `"gpu:1"` or, the same, `"cuda:1"` or 1.
        backend: how bytes are read. None, the default, and `"pread"`: into memory of their own.
            `"mmap"`: tensors on the CPU are a writable copy-on-write mapping of the file; a file
            that is cut short while it is mapped ends the process with SIGBUS.

    Raises:
        FileNotFoundError: there is no such file. Other OSErrors: it cannot be read.
        SafetensorError: it breaks a rule of the format.
        DtypeError: Paddle lacks a tensor's type.
    """
    with safe_open(filename, framework="paddle", device=_device(device), backend=backend) as file:
        return file.get_tensors()


def _device(device: str | int) -> str | int:
    """The device as safe_open knows it."""
    return device.replace("gpu", "cuda") if isinstance(device, str) else device


def _flatten(
    tensors: dict[str, paddle.Tensor], keep_alive_buffer: list[Any]
) -> dict[str, TensorSpec]:
    """What `serialize` takes, as addresses. They are good while `keep_alive_buffer` is.

    Raises what `save` says.
    """
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, paddle.Tensor] but received {type(tensors)}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, paddle.Tensor):
            raise not_a_tensor(name, "paddle.Tensor", tensor)
    specs = {}
    for name, tensor in tensors.items():
        dense = _dense(name, tensor)
        keep_alive_buffer.append(dense)
        specs[name] = spec_of(dense)
    return specs


def spec_of(tensor: paddle.Tensor) -> TensorSpec:
    """Where a tensor on the CPU lies, and what it is."""
    return TensorSpec(
        dtype=str(tensor.dtype).rpartition(".")[2],
        shape=tensor.shape,
        data_ptr=tensor.data_ptr(),
        data_len=tensor.size * _SIZE[tensor.dtype],
    )


def _dense(name: str, tensor: paddle.Tensor) -> paddle.Tensor:
    """The tensor as the file shall have it, in memory: itself, where that is so already."""
    if not tensor.is_contiguous():
        raise not_contiguous(name)
    if tensor.dtype not in _SIZE:
        raise cannot_save(name, tensor.dtype, "convert it before saving, with `.astype(dtype)`")
    if not tensor.place.is_cpu_place():
        tensor = tensor.cpu()
    return tensor


def _to_ndarray(tensor: paddle.Tensor, name: str) -> tuple[numpy.Array, paddle.Tensor]:
    """A copy of the bytes of a contiguous tensor as a numpy array, and the tensor."""
    tensor = _dense(name, tensor).detach()
    return tensor.numpy().reshape(-1).view(np.uint8), tensor


def _getdtype(dtype_str: str) -> paddle.dtype:
    """Paddle's type for a code of the format. DtypeError, a KeyError too, if there is none."""
    try:
        return _TYPES[dtype_str]
    except KeyError:
        raise cannot_load(dtype_str, "Paddle") from None


def _view2paddle(
    safeview: Iterable[tuple[str, Mapping[str, Any]]], device: str | int
) -> dict[str, paddle.Tensor]:
    """Tensors of the bytes that deserialize() returned."""
    return _np2paddle(numpy._view2np(safeview), device)


def _np2paddle(
    numpy_dict: Mapping[str, numpy.Array], device: str | int = "cpu"
) -> dict[str, paddle.Tensor]:
    """Paddle's tensors of numpy's arrays, in a new dict."""
    return {name: _convert.paddle(array, device) for name, array in numpy_dict.items()}


def _paddle2np(paddle_dict: Mapping[str, paddle.Tensor]) -> dict[str, numpy.Array]:
    """numpy arrays of Paddle's tensors, in a new dict; on the CPU they share memory."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in paddle_dict.items()}
