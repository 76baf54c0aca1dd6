"""The names that PyTorch's weights_only loader allows, and ours: differences have reasons."""

from __future__ import annotations

import asking
import torch
from torch._weights_only_unpickler import _get_allowed_globals

# PyTorch allows these, and we do not.
STRICTER = {
    "torch._utils._rebuild_nested_tensor": "tensors of several shapes, whose sizes nobody checks",
    "torch._utils._rebuild_wrapper_subclass": "makes an instance of whatever class it is given",
}

# We allow these, and PyTorch does not.
BROADER = {
    "torch.storage._load_from_bytes": "a storage that was pickled alone: its bytes are walked",
    "torch._utils._rebuild_xla_tensor": "the old name of _rebuild_device_tensor_from_numpy",
    "torch.UntypedStorage": "another way to torch.storage.UntypedStorage",
    "torch.TypedStorage": "another way to torch.storage.TypedStorage",
    "torch._UntypedStorage": "its name in PyTorch 1.12",
    "torch._TypedStorage": "its name in PyTorch 1.12",
    "torch.storage._UntypedStorage": "its name in PyTorch 1.12 and 1.13",
    "torch.storage._TypedStorage": "its name in PyTorch 1.12 and 1.13",
}


def theirs() -> set[str]:
    """The names that weights_only allows without being asked to."""
    return set(_get_allowed_globals())


def ours() -> set[str]:
    """The allowed names of PyTorch's modules."""
    return {
        f"{row.module}.{row.name}"
        for row in asking.rows()
        if row.kind == "allowed" and row.module.split(".")[0] == "torch"
    }


def test_what_pytorch_allows() -> None:
    """All of it is allowed, but for what has a reason."""
    names = sorted(theirs())
    answers = asking.classes([(name.rpartition(".")[0], name.rpartition(".")[2]) for name in names])
    refused = {name for name, answer in zip(names, answers, strict=True) if answer != "allowed"}
    assert refused == set(STRICTER)


def test_what_pytorch_does_not_allow() -> None:
    """What we allow beyond that has a reason, or is a storage in torch.storage."""
    known = {
        name.replace("torch.", "torch.storage.", 1) for name in theirs() if name.endswith("Storage")
    }
    assert ours() - theirs() - known == set(BROADER)


def test_dtypes() -> None:
    """Every type of elements that this PyTorch has is allowed by the name that it is pickled by."""
    dtypes = {str(value) for value in vars(torch).values() if isinstance(value, torch.dtype)}
    assert len(dtypes) > 40
    pairs = [("torch", name.removeprefix("torch.")) for name in sorted(dtypes)]
    assert set(asking.classes(pairs)) == {"allowed"}
