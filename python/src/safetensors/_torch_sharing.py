"""Which tensors of a state dict lie in the same memory, and which of their names to save.

A file holds each byte once and knows no aliases. Tied weights, two names for one tensor, are saved
under one name; the functions here find them and choose the name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch

# Where a message sends the reader.
_ABOUT_SHARING = "https://huggingface.co/docs/safetensors/torch_shared_tensors"


def storage_ptr(tensor: torch.Tensor) -> int:
    """The address of the memory that `tensor` is a view of; 0 where it has none (meta, sparse)."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


def storage_size(tensor: torch.Tensor) -> int:
    """The size in bytes of the memory that `tensor` is a view of."""
    try:
        return tensor.untyped_storage().nbytes()
    except (NotImplementedError, RuntimeError):
        return tensor.nelement() * tensor.element_size()


def _end_ptr(tensor: torch.Tensor) -> int:
    """The address behind the last byte of `tensor`, in whatever order its elements lie."""
    start = tensor.data_ptr()
    if tensor.nelement() == 0:
        return start
    last = sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    )
    return start + (last + 1) * tensor.element_size()


def _is_complete(tensor: torch.Tensor) -> bool:
    """Whether `tensor` fills the whole memory that it is a view of."""
    return tensor.data_ptr() == storage_ptr(
        tensor
    ) and tensor.nelement() * tensor.element_size() == storage_size(tensor)


def _find_shared_tensors(state_dict: Mapping[str, torch.Tensor]) -> list[set[str]]:
    """Groups of names whose tensors overlap in memory; a name that shares nothing is a group too.

    Tensors without memory, on the meta device or empty, are in no group.
    """
    by_storage: dict[tuple[torch.device, int, int], set[str]] = {}
    for name, tensor in state_dict.items():
        if tensor.is_meta:
            continue
        address = storage_ptr(tensor)
        size = storage_size(tensor) if address else 0
        if size:
            # Two devices may use the same addresses.
            by_storage.setdefault((tensor.device, address, size), set()).add(name)
    return _filter_shared_not_shared(list(by_storage.values()), state_dict)


def _filter_shared_not_shared(
    tensors: Iterable[set[str]], state_dict: Mapping[str, torch.Tensor]
) -> list[set[str]]:
    """Splits groups of one memory where the tensors, in order of address, do not overlap."""
    groups: list[set[str]] = []
    for names in tensors:
        if len(names) < 2:
            groups.append(names)
            continue
        spans = sorted(
            (state_dict[name].data_ptr(), _end_ptr(state_dict[name]), name) for name in names
        )
        previous_stop = spans[0][0]
        for start, stop, name in spans:
            if name == spans[0][2] or start >= previous_stop:
                groups.append({name})
            else:
                groups[-1].add(name)
            previous_stop = stop
    return groups


def overlap(spans: list[tuple[int, int]]) -> bool:
    """Whether of some spans of addresses, start and end, any two may have a byte in common.

    The answer no is sure for tensors that are dense and on one device, and costs one sort.
    """
    spans.sort()
    previous_stop = 0
    for start, stop in spans:
        if start < previous_stop:
            return True
        previous_stop = stop
    return False


def _remove_duplicate_names(
    state_dict: Mapping[str, torch.Tensor],
    *,
    preferred_names: Iterable[str] | None = None,
    discard_names: Iterable[str] | None = None,
) -> dict[str, list[str]]:
    """Chooses one name of each group of tensors that share memory.

    Only a tensor that fills its whole memory can stand for the others. Of those, names in
    `preferred_names` come first, then names that are not in `discard_names`, then the first in
    sorted order.

    Returns the names to drop, sorted, under the name to keep. Raises RuntimeError if no tensor of a
    group fills the memory.
    """
    preferred = set(preferred_names or ())
    discarded = set(discard_names or ())
    to_remove: dict[str, list[str]] = defaultdict(list)
    for shared in _find_shared_tensors(state_dict):
        complete = {name for name in shared if _is_complete(state_dict[name])}
        if not complete:
            raise RuntimeError(
                "Error while trying to find names to remove to save state dict, but found no"
                f" suitable name to keep for saving amongst: {shared}. None is covering the entire"
                " storage.Refusing to save/load the model since you could be storing much more"
                f" memory than needed. Please refer to {_ABOUT_SHARING} for more information. Or"
                " open an issue."
            )
        kept = min(complete & preferred or complete - discarded or complete)
        for name in sorted(shared - {kept}):
            to_remove[kept].append(name)
    return to_remove


def shared_memory_error(groups: list[set[str]]) -> RuntimeError:
    """The error for saving tensors of which the groups share memory."""
    margin = " " * 12
    return RuntimeError(
        f"\n{margin}Some tensors share memory, this will lead to duplicate memory on disk and"
        f" potential differences when loading them again: {groups}.\n"
        f"{margin}A potential way to correctly save your model is to use `save_model`.\n"
        f"{margin}More information at {_ABOUT_SHARING}\n{margin}"
    )
