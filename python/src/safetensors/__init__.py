"""Safetensors files: tensors and text in a file that is quick to load and runs nothing.

What stands here knows no framework and imports none. The modules `safetensors.torch`, `.numpy`,
`.flax` (JAX), `.tensorflow`, `.paddle` and `.mlx` save and load dicts of that framework's tensors;
`safe_open` reads single tensors, or parts of them, for any of these.

This is the package `safetensors` over libsft, the format in C: `__version__` ends with `+sft.` and
libsft's version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _safetensors_rust
from ._errors import DtypeError

# By this name, so that programs which import only the package find the module in it too.
from ._safetensors_rust import (
    SafetensorError,
    TensorSpec,
    __version__,
    _safe_open_handle,
    deserialize,
    safe_open,
    serialize,
    serialize_file,
)
from ._stream import StreamWriter, stream_file

if TYPE_CHECKING:
    from ._checkpoints import (
        Conversion,
        ConvertedTensor,
        Dropped,
        Finding,
        RefusedError,
        ScanResult,
        convert,
        scan,
    )

__all__ = [
    "Conversion",
    "ConvertedTensor",
    "Dropped",
    "DtypeError",
    "Finding",
    "RefusedError",
    "SafetensorError",
    "ScanResult",
    "StreamWriter",
    "TensorSpec",
    "__version__",
    "_safe_open_handle",
    "_safetensors_rust",
    "convert",
    "deserialize",
    "safe_open",
    "scan",
    "serialize",
    "serialize_file",
    "stream_file",
]

# Programs that only load and save do not pay for what stands in there.
_LAZY = frozenset(
    (
        "Conversion",
        "ConvertedTensor",
        "Dropped",
        "Finding",
        "RefusedError",
        "ScanResult",
        "convert",
        "scan",
    )
)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from . import _checkpoints

        globals().update((each, getattr(_checkpoints, each)) for each in _LAZY)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
