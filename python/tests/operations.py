"""Runs a piece of Python in this interpreter and tells the outcome in a form that can be compared.

The tests run it here, on the package under test; the worker (worker.py) runs it in the peer's
environment, on the peer. Both sides so run the very same lines. Nothing here may depend on which of
the two packages is installed.
"""

from __future__ import annotations

import ast
import ctypes
import importlib
import shutil
import tempfile
import textwrap
from collections import deque
from dataclasses import dataclass
from typing import Any

import safetensors

# The names that a piece may use without importing them; only those that it uses are imported.
MODULES = {
    "copy": "copy",
    "ctypes": "ctypes",
    "gc": "gc",
    "inspect": "inspect",
    "io": "io",
    "jax": "jax",
    "jnp": "jax.numpy",
    "json": "json",
    "mmap": "mmap",
    "ml_dtypes": "ml_dtypes",
    "np": "numpy",
    "os": "os",
    "pathlib": "pathlib",
    "pickle": "pickle",
    "safetensors": "safetensors",
    "sf": "safetensors.flax",
    "sn": "safetensors.numpy",
    "st": "safetensors.torch",
    "struct": "struct",
    "threading": "threading",
    "torch": "torch",
    "weakref": "weakref",
}


@dataclass(frozen=True)
class Array:
    """An array or a tensor of any framework. `layout` is what only some comparisons look at."""

    kind: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes
    device: str
    layout: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Returned:
    """The piece ended with a value, given in the form that `describe` makes."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The piece raised: the names of the exception's classes, nearest first, and its text."""

    kinds: tuple[str, ...]
    text: str

    @property
    def kind(self) -> str:
        """The name of the exception's own class."""
        return self.kinds[0]


@dataclass(frozen=True)
class Died:
    """The interpreter that ran the piece ended by this signal."""

    signal: int


Outcome = Returned | Raised | Died


def run(source: str, names: dict[str, Any]) -> Outcome:
    """Runs `source` with `names` bound, and `folder` bound to a new empty folder.

    The value is that of the last line where it is an expression, else None. The folder's name is
    replaced by `FOLDER` in texts, for it differs from run to run.
    """
    folder = tempfile.mkdtemp(prefix="sft-operation-")
    tree = ast.parse(textwrap.dedent(source))
    scope = surroundings(tree) | names | {"folder": folder}
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    try:
        exec(compile(tree, "<operation>", "exec"), scope)  # noqa: S102 - the tests' own lines
        value = eval(compile(last, "<operation>", "eval"), scope) if last else None  # noqa: S307
        return Returned(describe(value, folder))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # The peer's panics are no Exceptions.
        kinds = tuple(kind.__name__ for kind in type(error).__mro__)
        return Raised(kinds, str(error).replace(folder, "FOLDER"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def surroundings(tree: ast.Module) -> dict[str, Any]:
    """What a piece finds defined: the package's names, the modules that it uses, and the makers."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    scope: dict[str, Any] = {
        name: importlib.import_module(module) for name, module in MODULES.items() if name in used
    }
    for name in ("SafetensorError", "TensorSpec", "deserialize", "safe_open", "serialize"):
        scope[name] = getattr(safetensors, name)
    scope["serialize_file"] = safetensors.serialize_file
    scope["open_handle"] = safetensors._safe_open_handle
    scope["Buffer"] = Buffer
    scope["ndarray"] = ndarray
    scope["tensor"] = tensor
    return scope


# A TensorSpec keeps nothing alive, and pieces drop their buffers before they use what these say.
kept: deque[Any] = deque(maxlen=256)


class Buffer:
    """Bytes at an address that stays, and the TensorSpec for them."""

    def __init__(self, data: bytes) -> None:
        self.memory = ctypes.create_string_buffer(data, max(len(data), 1))
        self.size = len(data)
        kept.append(self.memory)

    def spec(self, dtype: str, shape: Any, **changes: Any) -> Any:
        """A TensorSpec for the bytes; `changes` replace its arguments."""
        arguments = {
            "dtype": dtype,
            "shape": shape,
            "data_ptr": ctypes.addressof(self.memory),
            "data_len": self.size,
        }
        return safetensors.TensorSpec(**(arguments | changes))


def ndarray(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    """A numpy array of its own memory; a dtype that numpy lacks is looked up in ml_dtypes."""
    import numpy as np

    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(getattr(importlib.import_module("ml_dtypes"), dtype))
    return np.frombuffer(data, dtype=kind).reshape(shape).copy()


def tensor(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    """A torch tensor of its own memory."""
    import torch

    kind = getattr(torch, dtype)
    if not data:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=kind).reshape(shape)


def describe(value: Any, folder: str = "") -> Any:
    """The value as plain Python: equal forms mean equal values of equal types."""
    kind = type(value)
    name = f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    if isinstance(value, bool | int | bytes) or value is None:
        return (kind.__name__, value)
    if isinstance(value, float | complex):
        return (kind.__name__, repr(value))
    if isinstance(value, str):
        return (kind.__name__, value.replace(folder, "FOLDER") if folder else value)
    if isinstance(value, bytearray | memoryview):
        return (kind.__name__, bytes(value))
    if isinstance(value, dict):
        return (kind.__name__, [(describe(k), describe(v)) for k, v in value.items()])
    if isinstance(value, list | tuple):
        return (kind.__name__, [describe(item, folder) for item in value])
    if isinstance(value, set | frozenset):
        return (kind.__name__, sorted((describe(item) for item in value), key=repr))
    if name == "torch.Tensor":
        return describe_torch(value)
    if kind.__module__.startswith("numpy"):
        return describe_numpy(value)
    if kind.__module__.startswith("jax"):
        array = describe_numpy(importlib.import_module("numpy").asarray(value))
        assert isinstance(array, Array)
        return Array("jax.Array", array.dtype, array.shape, array.data, str(value.device), ())
    return ("object", kind.__name__)


def describe_numpy(value: Any) -> Array | tuple[str, str]:
    """A numpy array, or a numpy scalar as an array without dimensions."""
    if not hasattr(value, "dtype"):
        return ("object", type(value).__name__)
    name = value.dtype.str if value.dtype.kind != "V" else value.dtype.name
    layout: tuple[tuple[str, Any], ...] = ()
    if hasattr(value, "flags"):
        layout = (
            ("contiguous", value.flags.c_contiguous),
            ("writable", value.flags.writeable),
            ("aligned", value.flags.aligned),
        )
    return Array(type(value).__name__, name, value.shape, value.tobytes(), "cpu", layout)


def describe_torch(value: Any) -> Array:
    """A torch tensor on any device."""
    plain = value.detach().cpu().contiguous()
    size = plain.numel() * plain.element_size()
    layout = (
        ("strides", tuple(value.stride())),
        ("offset", value.storage_offset()),
        ("storage", value.untyped_storage().nbytes()),
        ("requires_grad", value.requires_grad),
        ("leaf", value.is_leaf),
    )
    return Array(
        type(value).__name__,
        str(value.dtype),
        tuple(value.shape),
        ctypes.string_at(plain.data_ptr(), size) if size else b"",
        str(value.device),
        layout,
    )
