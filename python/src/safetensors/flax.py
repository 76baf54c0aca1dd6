"""Saves and loads dicts of JAX arrays, such as the flattened parameters of a Flax model.

    from safetensors.flax import load_file, save_file

    save_file({"kernel": jnp.zeros((1024, 1024))}, "model.safetensors")
    kernel = load_file("model.safetensors")["kernel"]

JAX decides the rest as always: arrays come to its default device, and 64-bit types become 32-bit
ones unless `jax_enable_x64` is set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jax import Array

from . import _convert, numpy
from ._sft import open_bytes, safe_open

if TYPE_CHECKING:
    from typing_extensions import Buffer


def save(tensors: Mapping[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file that holds the arrays.

    Args:
        tensors: arrays by name, on any device. The mapping is not changed.
        metadata: text to keep in the header, by key.

    Raises:
        ValueError: `tensors` is no mapping.
        DtypeError: the format lacks an array's type.
        TypeError: a name, or a key or value of the metadata, is not a string.
        SafetensorError: the header would break a rule of the format.
    """
    return numpy.save(_jnp2np(tensors), metadata=metadata)


def save_file(
    tensors: Mapping[str, Array],
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
        _jnp2np(tensors), filename, metadata=metadata, durable=durable, alignment=alignment
    )


def load(data: Buffer, *, copy: bool = True) -> dict[str, Array]:
    """The arrays of a safetensors file that is in memory.

    Args:
        data: the file's bytes: any contiguous buffer, such as bytes, bytearray or mmap.
        copy: True: the arrays have memory of their own. False: on the CPU, JAX may use `data` as
            their memory. It is kept alive, and must not be changed.

    Raises:
        SafetensorError: the bytes break a rule of the format.
        DtypeError: numpy and ml_dtypes lack an array's type.
        TypeError: `data` is no buffer.
    """
    return open_bytes(data, "flax", copy=copy).get_tensors()


def load_file(filename: str | os.PathLike[str], *, backend: str | None = None) -> dict[str, Array]:
    """The arrays of a safetensors file, by name.

    Args:
        filename: a file; or, for a model in shards, its index (`*.safetensors.index.json`) or the
            folder with them.
        backend: how bytes are read. None, the default, and `"pread"`: into memory of their own,
            which on the CPU becomes that of the arrays. `"mmap"`: from a mapping, which arrays on
            the CPU may keep as their memory; a file that is cut short while it is mapped ends the
            process with SIGBUS.

    Raises:
        FileNotFoundError: there is no such file. Other OSErrors: it cannot be read.
        SafetensorError: it breaks a rule of the format.
        DtypeError: numpy and ml_dtypes lack an array's type.
    """
    with safe_open(filename, framework="flax", backend=backend) as file:
        return file.get_tensors()


def _np2jnp(numpy_dict: Mapping[str, numpy.Array]) -> dict[str, Array]:
    """JAX arrays of numpy's, in a new dict."""
    return {name: _convert.jax(array, "cpu") for name, array in numpy_dict.items()}


def _jnp2np(jnp_dict: Mapping[str, Array]) -> dict[str, numpy.Array]:
    """numpy arrays of JAX's, in a new dict; on the CPU they share memory."""
    return {name: np.asarray(array) for name, array in numpy.items_of(jnp_dict, "jax.Array")}
