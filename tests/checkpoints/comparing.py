"""A converted file, read by the peer, beside what PyTorch loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import trees
from safetensors import safe_open

Place = tuple[Any, ...]


def place(found: torch.Tensor) -> Place:
    """Where a tensor lies, and as what: two of the same place are tied."""
    pairs = zip(found.shape, found.stride(), strict=True)
    # A dimension of size 1 is never walked along.
    strides = tuple(1 if size == 1 else stride for size, stride in pairs)
    return (
        found.untyped_storage().data_ptr(),
        found.storage_offset(),
        tuple(found.shape),
        strides,
        found.dtype,
        found.is_conj(),
        found.is_neg(),
    )


def difference(path: Path, expected: dict[str, torch.Tensor]) -> str | None:
    """What is not as it must be; None where all is."""
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        metadata = dict(file.metadata() or {})
        if metadata.pop("format", None) != "pt":
            return f"no format: pt in {file.metadata()}"
        if missing := set(expected) - names - set(metadata):
            return f"missing: {sorted(missing)}"
        if more := names - set(expected):
            return f"too many: {sorted(more)}"
        for name in sorted(names):
            if found := _differs(file.get_tensor(name), expected[name]):
                return f"{name!r}: {found}"
    return _ties(expected, names, metadata)


def _differs(found: torch.Tensor, expected: torch.Tensor) -> str | None:
    if found.dtype != expected.dtype:
        return f"{found.dtype} is not {expected.dtype}"
    if found.shape != expected.shape:
        return f"{tuple(found.shape)} is not {tuple(expected.shape)}"
    if trees.data(found) != trees.data(expected):
        return "other bytes"
    return None


def _ties(
    expected: dict[str, torch.Tensor], names: set[str], metadata: dict[str, str]
) -> str | None:
    """Of tied tensors the first name stays, and the metadata tells of the others."""
    first: dict[Place, str] = {}
    for name in sorted(expected):
        found = expected[name]
        if name in names and name in metadata:
            return f"{name!r} is there, and dropped"
        if name in metadata:
            kept = metadata[name]
            if kept not in names or _differs(found, expected[kept]):
                return f"{name!r} is dropped for {kept!r}, which is another"
            # Tensors without elements have no place of their own: they may be tied or not.
            if found.numel() and first.get(place(found)) != kept:
                return f"{name!r} is dropped for {kept!r}, which is not the first of them"
        elif found.numel() and place(found) in first:
            return f"{name!r} is tied to {first[place(found)]!r}, and both are there"
        if found.numel():
            first.setdefault(place(found), name)
    if strange := set(metadata) - set(expected):
        return f"metadata of nobody: {sorted(strange)}"
    return None
