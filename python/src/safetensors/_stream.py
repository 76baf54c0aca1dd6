"""Writing a file tensor by tensor, for models that do not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from operator import length_hint
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _sft
from ._errors import cannot_save, not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Buffer

# What each type is called by PyTorch, numpy and the rest.
_NAMES = {
    "BOOL": "bool",
    "F4": "float4_e2m1fn_x2",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
# F6 has no name in any framework: it is declared by its code, and written as bytes.
_CODES = frozenset(_NAMES) | {"F6_E2M3", "F6_E3M2"}
_CODE_OF = {name: code for code, name in _NAMES.items()} | {"bool_": "BOOL"}


def stream_file(
    path: str | os.PathLike[str],
    specs: Mapping[str, Any],
    metadata: dict[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> StreamWriter:
    """Begins a safetensors file whose tensors are delivered one by one.

        specs = {"weight": (torch.float16, (4096, 4096)), "bias": ("F32", (4096,))}
        with stream_file("model.safetensors", specs) as writer:
            for name in specs:
                writer.write(name, make(name))

    The file has the same bytes as one that `save_file` writes. It appears under its name when the
    `with` block ends; if the block raises, or a byte is missing, nothing appears, and a file that
    was there stays as it was. No more than a few MiB are held in memory.

    Args:
        path: the file to write or replace.
        specs: what will come, by name. Each is a pair of dtype and shape, or anything with these
            two attributes: a tensor, on the meta device too, or a TensorSpec. A dtype is that of a
            framework (`torch.float16`, `np.dtype("<f2")`), its name (`"float16"`) or the format's
            code (`"F16"`). Shapes are in elements; PyTorch's `float4_e2m1fn_x2` counts pairs, as in
            PyTorch, and the code `"F4"` single elements, as in the file.
        metadata: text to keep in the header, by key.
        durable: on success the file and its folder have reached the disk.
        alignment: the data starts at a multiple of so many bytes: a power of two, from 8 to 2**20.
            0 means 8.

    Raises:
        DtypeError: the format lacks a type.
        ValueError: `specs` is no mapping, or a spec is none of these.
        TypeError: a name, or a key or value of the metadata, is not a string.
        OverflowError: a dimension is negative, or 2**64 or more.
        SafetensorError: the header would break a rule of the format, the alignment is no such
            power, or the file cannot be made.
    """
    if not hasattr(specs, "items"):
        raise ValueError(f"Expected a dict of [str, (dtype, shape)] but received {type(specs)}")
    declared = {name: _declared(name, spec) for name, spec in specs.items()}
    return StreamWriter(path, declared, metadata, durable, alignment)


class _Kind(NamedTuple):
    """What a tensor is, in the format's terms."""

    code: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.code} {list(self.shape)}"


class StreamWriter:
    """A file that is being written; `stream_file` makes it.

    Several threads may write at once, each tensor or piece from one of them. Outside of a `with`
    block, `commit` or `abort` ends it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        declared: Mapping[str, _Kind],
        metadata: dict[str, str] | None,
        durable: bool,
        alignment: int,
    ) -> None:
        self._declared = dict(declared)
        self._writer = _sft.StreamWriter(
            path,
            [(name, kind.code, kind.shape) for name, kind in self._declared.items()],
            metadata,
            durable,
            alignment,
        )

    def write(self, name: str, tensor: Any) -> None:
        """Writes a whole tensor.

        Args:
            name: one of those declared.
            tensor: of any framework, on any device, in any memory order; of the dtype and shape
                that were declared. It is copied only where it must be, and not used after the call.

        Raises:
            ValueError: the name was not declared, or the tensor is other than declared, sparse, or
                none at all.
            DtypeError: the format lacks its type.
            SafetensorError: the file cannot be written.
        """
        declared = self._kind_of(name)
        dense = _describe(name, tensor)
        if dense.kind != declared:
            raise ValueError(f"tensor `{name}` was declared as {declared}, not as {dense.kind}")
        self._writer.put(name, dense.data)

    def write_bytes(self, name: str, data: Buffer, offset: int = 0) -> None:
        """Writes a piece of a tensor's bytes, as the file shall have them: little-endian, dense.

        Args:
            name: one of those declared.
            data: any contiguous buffer.
            offset: where the piece begins, in bytes from the start of the tensor. Pieces may come
                in any order; of bytes that come twice, the later count.

        Raises:
            ValueError: the name was not declared.
            SafetensorError: the piece lies outside of its tensor, or the file cannot be written.
        """
        self._kind_of(name)
        self._writer.put(name, data, offset)

    def _kind_of(self, name: str) -> _Kind:
        try:
            return self._declared[name]
        except KeyError:
            raise ValueError(f"tensor `{name}` was not declared when the file was begun") from None

    def commit(self) -> None:
        """Gives the file its name. SafetensorError if a byte is missing: the message says which."""
        self._writer.commit()

    def abort(self) -> None:
        """Ends without a file. Nothing happens if it has ended already."""
        self._writer.abort()

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                self.commit()
            except BaseException:
                self.abort()
                raise
        else:
            self.abort()


def _declared(name: str, spec: Any) -> _Kind:
    """What a spec of stream_file() says."""
    if isinstance(spec, tuple | list) and len(spec) == 2:
        dtype, shape = spec
    elif hasattr(spec, "dtype") and hasattr(spec, "shape"):
        dtype, shape = spec.dtype, spec.shape
    else:
        raise ValueError(
            f"spec of tensor `{name}`: expected (dtype, shape), or something with these two"
            f" attributes, but received {type(spec)}"
        )
    return _kind(name, dtype, shape)


def _kind(name: str, dtype: Any, shape: Iterable[int]) -> _Kind:
    # A claim of so many, or a range, would take all memory before the library refuses it.
    if (claimed := length_hint(shape)) > 1 << 16:
        raise OverflowError(f"tensor `{name}` has {claimed} dimensions")
    sizes = tuple(shape)
    if isinstance(dtype, str) and dtype in _CODES:
        return _Kind(dtype, sizes)
    code = _code_of(dtype)
    if code is None:
        raise cannot_save(name, dtype, "convert it, or declare another type")
    if code == "F4" and sizes:
        sizes = (*sizes[:-1], 2 * sizes[-1])
    return _Kind(code, sizes)


def _code_of(dtype: Any) -> str | None:
    """The format's code for a framework's type, found by its name; None if there is none."""
    for text in (getattr(dtype, "name", ""), getattr(dtype, "__name__", ""), dtype):
        code = _CODE_OF.get(str(text).rpartition(".")[2])
        if code is not None:
            return code
    return None


class _Dense(NamedTuple):
    """A tensor as the extension's writer takes it."""

    kind: _Kind
    data: Any  # a buffer or a TensorSpec
    owner: Any  # what keeps the TensorSpec's memory


def _describe(name: str, tensor: Any) -> _Dense:
    """A tensor of any framework, in the file's order and byte order."""
    for base in type(tensor).__mro__:
        maker = _MAKERS.get(base.__module__.partition(".")[0])
        if maker is not None:
            return maker(name, tensor)
    return _of_array(name, tensor)


def _of_torch(name: str, tensor: Any) -> _Dense:
    from torch import strided

    from . import torch as face

    if tensor.layout != strided:
        raise ValueError(f"tensor `{name}` is sparse: write what its `.to_dense()` returns")
    dense = face._dense(name, tensor.detach().contiguous())
    return _Dense(_kind(name, dense.dtype, dense.shape), face.spec_of(dense), dense)


def _of_paddle(name: str, tensor: Any) -> _Dense:
    from . import paddle as face

    dense = face._dense(name, tensor.detach().contiguous())
    return _Dense(_kind(name, dense.dtype, dense.shape), face.spec_of(dense), dense)


def _of_mlx(name: str, tensor: Any) -> _Dense:
    from . import mlx as face

    return _of_array(name, face._array(name, tensor))


def _of_array(name: str, tensor: Any) -> _Dense:
    """A numpy array, or what numpy makes one of: arrays of JAX, tensors of TensorFlow."""
    if not hasattr(tensor, "dtype") or not hasattr(tensor, "shape"):
        raise not_a_tensor(name, "a tensor", tensor)
    import numpy as np

    from . import numpy as face

    array = np.asarray(tensor)
    kind = _kind(name, array.dtype, array.shape)
    # As bytes, for buffers have no name for the types of ml_dtypes.
    return _Dense(kind, face._plain(array).reshape(-1).view(np.uint8), None)


_MAKERS: dict[str, Callable[[str, Any], _Dense]] = {
    "torch": _of_torch,
    "paddle": _of_paddle,
    "mlx": _of_mlx,
}
