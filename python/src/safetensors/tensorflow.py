"""Saves and loads dicts of TensorFlow tensors.

    from safetensors.tensorflow import load_file, save_file

    save_file({"kernel": tf.zeros((1024, 1024))}, "model.safetensors")
    kernel = load_file("model.safetensors")["kernel"]

Tensors come to the device that TensorFlow chooses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from . import _convert, numpy
from ._errors import not_a_tensor
from ._sft import open_bytes, safe_open

if TYPE_CHECKING:
    from typing_extensions import Buffer


def save(tensors: Mapping[str, tf.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file that holds the tensors.

    Args:
        tensors: eager tensors, or variables, by name; on any device. The mapping is not changed.
        metadata: text to keep in the header, by key.

    Raises:
        ValueError: `tensors` is no mapping, or holds what is not a tensor.
        DtypeError: the format lacks a tensor's type.
        TypeError: a name, or a key or value of the metadata, is not a string.
        SafetensorError: the header would break a rule of the format.
    """
    return numpy.save(_tf2np(tensors), metadata=metadata)


def save_file(
    tensors: Mapping[str, tf.Tensor],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> None:
    """Writes the tensors to a safetensors file.

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
        _tf2np(tensors), filename, metadata=metadata, durable=durable, alignment=alignment
    )


def load(data: Buffer, *, copy: bool = True) -> dict[str, tf.Tensor]:
    """The tensors of a safetensors file that is in memory.

    Args:
        data: the file's bytes: any contiguous buffer, such as bytes, bytearray or mmap.
        copy: False spares a copy: TensorFlow is handed views of `data`, which must not be changed
            while tensors made from it are in use.

    Raises:
        SafetensorError: the bytes break a rule of the format.
        DtypeError: TensorFlow lacks a tensor's type.
        TypeError: `data` is no buffer.
    """
    return open_bytes(data, "tf", copy=copy).get_tensors()


def load_file(
    filename: str | os.PathLike[str], *, backend: str | None = None
) -> dict[str, tf.Tensor]:
    """The tensors of a safetensors file, by name.

    Args:
        filename: a file; or, for a model in shards, its index (`*.safetensors.index.json`) or the
            folder with them.
        backend: how bytes are read. None, the default, and `"pread"`: into memory of their own.
            `"mmap"`: from a mapping; a file that is cut short while it is mapped ends the process
            with SIGBUS.

    Raises:
        FileNotFoundError: there is no such file. Other OSErrors: it cannot be read.
        SafetensorError: it breaks a rule of the format.
        DtypeError: TensorFlow lacks a tensor's type.
    """
    with safe_open(filename, framework="tf", backend=backend) as file:
        return file.get_tensors()


def _np2tf(numpy_dict: Mapping[str, numpy.Array]) -> dict[str, tf.Tensor]:
    """TensorFlow's tensors of numpy's arrays, in a new dict."""
    return {name: _convert.tensorflow(array, "cpu") for name, array in numpy_dict.items()}


def _tf2np(tf_dict: Mapping[str, tf.Tensor]) -> dict[str, numpy.Array]:
    """numpy arrays of TensorFlow's tensors, in a new dict; on the CPU they share memory."""
    return {name: _array(name, tensor) for name, tensor in numpy.items_of(tf_dict, "tf.Tensor")}


def _array(name: str, tensor: tf.Tensor) -> numpy.Array:
    if not isinstance(tensor, tf.Tensor | tf.Variable):
        raise not_a_tensor(name, "tf.Tensor", tensor)
    array: numpy.Array = tensor.numpy()
    return array
