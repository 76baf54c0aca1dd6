"""Saves and loads dicts of MLX arrays.

    from safetensors.mlx import load_file, save_file

    save_file({"weight": mx.zeros((1024, 1024))}, "model.safetensors")
    weight = load_file("model.safetensors")["weight"]

Arrays come to MLX's default device; it decides the rest, such as to turn float64 into float32.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from . import _convert, numpy
from ._errors import not_a_tensor
from ._sft import open_bytes, safe_open

if TYPE_CHECKING:
    from typing_extensions import Buffer


def save(tensors: Mapping[str, mx.array], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file that holds the arrays.

    Args:
        tensors: arrays by name; they are evaluated. The mapping is not changed.
        metadata: text to keep in the header, by key.

    Raises:
        ValueError: `tensors` is no mapping, or holds what is not an array.
        DtypeError: the format lacks an array's type.
        TypeError: a name, or a key or value of the metadata, is not a string.
        SafetensorError: the header would break a rule of the format.
    """
    return numpy.save(_mx2np(tensors), metadata=metadata)


def save_file(
    tensors: Mapping[str, mx.array],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> None:
    """Writes the arrays to a safetensors file.

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
    numpy.save_file(
        _mx2np(tensors), filename, metadata=metadata, durable=durable, alignment=alignment
    )


def load(data: Buffer, *, copy: bool = True) -> dict[str, mx.array]:
    """The arrays of a safetensors file that is in memory.

    Args:
        data: the file's bytes: any contiguous buffer, such as bytes, bytearray or mmap.
        copy: False spares a copy on the way; MLX's arrays have memory of their own in any case.

    Raises:
        SafetensorError: the bytes break a rule of the format.
        DtypeError: MLX lacks an array's type.
        TypeError: `data` is no buffer.
    """
    return open_bytes(data, "mlx", copy=copy).get_tensors()


def load_file(
    filename: str | os.PathLike[str], *, backend: str | None = None
) -> dict[str, mx.array]:
    """The arrays of a safetensors file, by name.

    Args:
        filename: a file; or, for a model in shards, its index (`*.safetensors.index.json`) or the
            folder with them.
        backend: how bytes are read. None, the default, and `"pread"`: into memory. `"mmap"`: from a
            mapping; a file that is cut short meanwhile ends the process with SIGBUS.

    Raises:
        FileNotFoundError: there is no such file. Other OSErrors: it cannot be read.
        SafetensorError: it breaks a rule of the format.
        DtypeError: MLX lacks an array's type.
    """
    with safe_open(filename, framework="mlx", backend=backend) as file:
        return file.get_tensors()


def _np2mx(numpy_dict: Mapping[str, numpy.Array]) -> dict[str, mx.array]:
    """MLX's arrays of numpy's, in a new dict."""
    return {name: _convert.mlx(array, "cpu") for name, array in numpy_dict.items()}


def _mx2np(mx_dict: Mapping[str, mx.array]) -> dict[str, numpy.Array]:
    """numpy arrays of MLX's, in a new dict."""
    return {name: _array(name, array) for name, array in numpy.items_of(mx_dict, "mx.array")}


def _array(name: str, array: mx.array) -> numpy.Array:
    if not isinstance(array, mx.array):
        raise not_a_tensor(name, "mx.array", array)
    if array.dtype == mx.bfloat16:
        # Buffers have no name for bfloat16: its bits go as those of an integer.
        import ml_dtypes

        return np.asarray(array.view(mx.uint16)).view(ml_dtypes.bfloat16)
    return np.asarray(array)
