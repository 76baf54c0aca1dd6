"""The C library by ctypes: as much of it as the comparison needs."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

NO_BYTE = 2**64 - 1


class TensorStruct(ctypes.Structure):
    """sft_tensor."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_size_t),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_uint32),
        ("shape", ctypes.POINTER(ctypes.c_uint64)),
        ("begin", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
    ]


class EntryStruct(ctypes.Structure):
    """sft_metadata_entry."""

    _fields_ = [
        ("key", ctypes.c_char_p),
        ("key_length", ctypes.c_size_t),
        ("value", ctypes.c_char_p),
        ("value_length", ctypes.c_size_t),
    ]


class TensorDataStruct(ctypes.Structure):
    """sft_tensor_data."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("name_length", ctypes.c_size_t),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_uint32),
        ("shape", ctypes.POINTER(ctypes.c_uint64)),
        ("data", ctypes.c_char_p),
        ("size", ctypes.c_uint64),
    ]


class WriteOptionsStruct(ctypes.Structure):
    """sft_write_options."""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("metadata", ctypes.POINTER(EntryStruct)),
        ("metadata_count", ctypes.c_uint64),
        ("empty_metadata", ctypes.c_bool),
        ("durable", ctypes.c_bool),
        ("keep_existing", ctypes.c_bool),
        ("alignment", ctypes.c_uint64),
        ("allocator", ctypes.c_void_p),
        ("progress", ctypes.c_void_p),
        ("progress_context", ctypes.c_void_p),
    ]


@dataclass
class Tensor:
    """A tensor to be written."""

    name: str
    dtype: str
    shape: list[int]
    data: bytes


# What a file says of one tensor: dtype, shape, where its bytes begin and end.
Description = tuple[str, list[int], int, int]


class Library:
    """The functions of libsft.so."""

    def __init__(self, path: str) -> None:
        self._lib = lib = ctypes.CDLL(path)
        lib.sft_status_name.restype = ctypes.c_char_p
        lib.sft_status_kind.restype = ctypes.c_char_p
        lib.sft_dtype_name.restype = ctypes.c_char_p
        self._parse = lib.sft_header_parse
        self._parse.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._free = lib.sft_header_free
        self._free.argtypes = [ctypes.c_void_p]
        self._free.restype = None
        lib.sft_header_count.argtypes = [ctypes.c_void_p]
        lib.sft_header_count.restype = ctypes.c_uint64
        lib.sft_header_at.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        lib.sft_header_at.restype = ctypes.POINTER(TensorStruct)
        lib.sft_encode_size.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        lib.sft_encode.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_void_p,
        ]
        lib.sft_write.argtypes = [
            ctypes.c_char_p,
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self.dtypes: list[str] = []
        while (name := lib.sft_dtype_name(len(self.dtypes))) is not None:
            self.dtypes.append(name.decode())
        self._handle = ctypes.c_void_p()
        self._handle_address = ctypes.addressof(self._handle)

    def status_name(self, status: int) -> str:
        """DUPLICATE_KEY, say."""
        name: bytes = self._lib.sft_status_name(status)
        return name.decode()

    def status_kind(self, status: int) -> str | None:
        """The peer's kind of the same defect, or None where it knows none."""
        kind: bytes | None = self._lib.sft_status_kind(status)
        return None if kind is None else kind.decode()

    def verdict(self, content: bytes) -> int:
        """The status of a whole file. After 0, tensors() may be called once."""
        size = len(content)
        status: int = self._parse(content, size, size, None, self._handle_address, None)
        return status

    def tensors(self) -> list[tuple[str, Description]]:
        """What the header that verdict() accepted says, in file order; frees it."""
        found = []
        for index in range(self._lib.sft_header_count(self._handle)):
            tensor = self._lib.sft_header_at(self._handle, index).contents
            name = ctypes.string_at(tensor.name, tensor.name_length).decode()
            shape = tensor.shape[: tensor.rank]
            found.append((name, (self.dtypes[tensor.dtype], shape, tensor.begin, tensor.end)))
        self.drop()
        return found

    def drop(self) -> None:
        """Frees the header that verdict() accepted."""
        self._free(self._handle)

    def _prepare(self, tensors: list[Tensor], metadata: dict[str, str] | None) -> Any:
        keep: list[Any] = []
        structs = (TensorDataStruct * len(tensors))()
        for struct, tensor in zip(structs, tensors, strict=True):
            shape = (ctypes.c_uint64 * len(tensor.shape))(*tensor.shape)
            name = tensor.name.encode()
            keep += [shape, name]
            struct.name, struct.name_length = name, len(name)
            struct.dtype = self.dtypes.index(tensor.dtype)
            struct.rank = len(tensor.shape)
            struct.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_uint64))
            struct.data, struct.size = tensor.data, len(tensor.data)
        options = WriteOptionsStruct(struct_size=ctypes.sizeof(WriteOptionsStruct))
        entries = (EntryStruct * len(metadata or {}))()
        for entry, (key, value) in zip(entries, (metadata or {}).items(), strict=True):
            raw_key, raw_value = key.encode(), value.encode()
            keep += [raw_key, raw_value]
            entry.key, entry.key_length = raw_key, len(raw_key)
            entry.value, entry.value_length = raw_value, len(raw_value)
        options.metadata = ctypes.cast(entries, ctypes.POINTER(EntryStruct))
        options.metadata_count = len(entries)
        keep += [entries, options]
        return structs, options, keep

    def encode(self, tensors: list[Tensor], metadata: dict[str, str] | None) -> bytes:
        """The bytes of a file of these tensors, by sft_encode()."""
        structs, options, keep = self._prepare(tensors, metadata)
        count = len(tensors)
        size = ctypes.c_uint64()
        status = self._lib.sft_encode_size(
            structs, count, ctypes.byref(options), ctypes.byref(size), None
        )
        if status == 0:
            to = ctypes.create_string_buffer(size.value)
            status = self._lib.sft_encode(
                structs, count, ctypes.byref(options), to, size.value, None
            )
        del keep
        if status != 0:
            raise ValueError(f"sft_encode: {self.status_name(status)}")
        return to.raw

    def write(self, path: str, tensors: list[Tensor], metadata: dict[str, str] | None) -> None:
        """Writes a file of these tensors, by sft_write()."""
        structs, options, keep = self._prepare(tensors, metadata)
        status = self._lib.sft_write(
            path.encode(), structs, len(tensors), ctypes.byref(options), None
        )
        del keep
        if status != 0:
            raise ValueError(f"sft_write: {self.status_name(status)}")
