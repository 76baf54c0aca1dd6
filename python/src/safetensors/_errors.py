"""The error for an element type that one side has and the other has not."""

from __future__ import annotations

from typing import Any

from ._sft import SafetensorError


class DtypeError(SafetensorError, KeyError):
    """A tensor's element type has no counterpart in the format, or none in the framework.

    It is a `KeyError` too, because programs that were written for the Rust implementation expect
    one. `tensor` is the tensor's name, or None where only the type is known.
    """

    __module__ = "safetensors"  # where programs have it from, for messages and for pickles

    def __init__(self, message: str, tensor: str | None = None) -> None:
        super().__init__(message)
        self.code = "UNSUPPORTED"
        self.tensor = tensor

    # KeyError's own shows the message in quotes, as if it were a key.
    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.args[0], self.tensor))


def cannot_save(name: str, dtype: object, hint: str) -> DtypeError:
    """The error for a tensor of a type that the format lacks; `hint` says what to do."""
    return DtypeError(
        f"tensor `{name}` has the type {dtype}, which the safetensors format lacks: {hint}", name
    )


def cannot_load(code: str, framework: str, name: str | None = None) -> DtypeError:
    """The error for a type of the format that the framework lacks; `name` is the tensor's."""
    subject = code if name is None else f"{code}, which tensor `{name}` has"
    return DtypeError(
        f"{framework} has no type for {subject}: install a newer release that has, load the file"
        " for another framework, or take the bytes from safetensors.deserialize()",
        name,
    )


def not_a_tensor(name: str, kind: str, value: object) -> ValueError:
    """The error for a value that is no tensor of the framework; `kind` is what it should be."""
    return ValueError(f"Key `{name}` is invalid, expected {kind} but received {type(value)}")


def not_contiguous(name: str) -> ValueError:
    """The error for a tensor in another memory order, where the caller has to decide."""
    return ValueError(
        f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It"
        " either means you are trying to save tensors which are reference of each other in"
        " which case it's recommended to save only the full tensors, and reslice at load time,"
        " or simply call `.contiguous()` on your tensor to pack it before saving."
    )
