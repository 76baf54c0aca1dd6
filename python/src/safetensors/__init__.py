"""Safetensors files: tensors and text in a file that is quick to load and runs nothing.

What stands here knows no framework and imports none. The modules `safetensors.torch`, `.numpy`,
`.flax` (JAX), `.tensorflow`, `.paddle` and `.mlx` save and load dicts of that framework's tensors;
`safe_open` reads single tensors, or parts of them, for any of these.

This is the package `safetensors` over libsft, the format in C: `__version__` ends with `+sft.` and
libsft's version.
"""

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

__all__ = [
    "DtypeError",
    "SafetensorError",
    "StreamWriter",
    "TensorSpec",
    "__version__",
    "_safe_open_handle",
    "_safetensors_rust",
    "deserialize",
    "safe_open",
    "serialize",
    "serialize_file",
    "stream_file",
]
