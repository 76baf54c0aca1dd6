"""The extension: files, slices and the writer, over libsft."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import EllipsisType, TracebackType
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, final, type_check_only

from typing_extensions import Buffer

__version__: str

_Framework: TypeAlias = Literal[
    "pt",
    "torch",
    "pytorch",
    "np",
    "numpy",
    "tf",
    "tensorflow",
    "jax",
    "flax",
    "mlx",
    "paddle",
]
_Backend: TypeAlias = Literal["mmap", "pread"]
_Index: TypeAlias = int | slice | EllipsisType | list[int] | None

@type_check_only
class _Entry(TypedDict):
    dtype: str
    shape: list[int]
    data: bytearray

# A torch.device, for programs that have PyTorch.
@type_check_only
class _TorchDevice(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def index(self) -> int | None: ...

# A file that says its descriptor, or one that can be read at any place.
@type_check_only
class _WithDescriptor(Protocol):
    def fileno(self) -> int: ...

@type_check_only
class _Seekable(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...

class SafetensorError(Exception):
    code: str | None
    byte: int | None
    tensor: str | None
    file: str | None
    errno: int | None

@final
class TensorSpec:
    def __new__(
        cls, *, dtype: str, shape: Sequence[int], data_ptr: int, data_len: int
    ) -> TensorSpec: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def data_ptr(self) -> int: ...
    @property
    def data_len(self) -> int: ...

@final
class PySafeSlice:
    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> str: ...
    def __getitem__(self, index: _Index | tuple[_Index, ...], /) -> Any: ...

@final
class safe_open:  # noqa: N801
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: _Framework | str,
        device: str | int | _TorchDevice | None = "cpu",
        *,
        backend: _Backend | str | None = None,
    ) -> safe_open: ...
    def __enter__(self) -> safe_open: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def keys(self) -> list[str]: ...
    def offset_keys(self) -> list[str]: ...
    def metadata(self) -> dict[str, str] | None: ...
    def get_tensor(self, name: str) -> Any: ...
    def get_tensors(self) -> dict[str, Any]: ...
    def get_slice(self, name: str) -> PySafeSlice: ...

def _safe_open_handle(
    f: _WithDescriptor | _Seekable,
    framework: _Framework | str,
    device: str | int | _TorchDevice | None = "cpu",
    *,
    backend: _Backend | str | None = None,
) -> safe_open: ...
def open_bytes(
    data: Buffer,
    framework: _Framework | str,
    device: str | int | _TorchDevice | None = "cpu",
    *,
    copy: bool = True,
) -> safe_open: ...
def deserialize(bytes: Buffer) -> list[tuple[str, _Entry]]: ...  # noqa: A002
def serialize(
    tensor_dict: Mapping[str, TensorSpec | Mapping[str, Any]],
    metadata: Mapping[str, str] | None = None,
) -> bytes: ...
def serialize_file(
    tensor_dict: Mapping[str, TensorSpec | Mapping[str, Any]],
    filename: str | bytes | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> None: ...

@final
class StreamWriter:
    def __new__(
        cls,
        path: str | os.PathLike[str],
        specs: Iterable[tuple[str, str, Sequence[int]]],
        metadata: Mapping[str, str] | None = None,
        durable: bool = False,
        alignment: int = 0,
    ) -> StreamWriter: ...
    def put(self, name: str, data: Buffer | TensorSpec, offset: int = 0) -> None: ...
    def commit(self) -> None: ...
    def abort(self) -> None: ...
    @property
    def closed(self) -> bool: ...

# What scan() and convert() return and raise is made by _checkpoints.py, of these.
_Progress: TypeAlias = Callable[[int, int], object]

def scan(
    path: str | bytes | os.PathLike[str],
    allow: Iterable[tuple[str, str]],
    progress: _Progress | None,
    folder: bool,
) -> Any: ...
def convert(
    src: str | bytes | os.PathLike[str],
    dst: str | bytes | os.PathLike[str] | None,
    key: str | None,
    drop_prefix: str | None,
    max_shard_size: int,
    allow: Iterable[tuple[str, str]],
    allow_unknown: bool,
    dry_run: bool,
    overwrite: bool,
    durable: bool,
    progress: _Progress | None,
) -> dict[str, Any]: ...
