"""Saves and loads dicts of PyTorch tensors, and models whose weights share memory.

    from safetensors.torch import load_file, save_file

    save_file({"weight": torch.zeros(1024, 1024)}, "model.safetensors")
    weight = load_file("model.safetensors")["weight"]

On the CPU a loaded tensor is writable and lies, by default, in a copy-on-write mapping of the file:
its bytes are read when they are used, and writing to it never changes the file.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import torch

from ._errors import cannot_save, not_a_tensor, not_contiguous
from ._sft import (
    SafetensorError,
    TensorSpec,
    deserialize,
    open_bytes,
    safe_open,
    serialize,
    serialize_file,
)
from ._torch_dtypes import (
    _SIZE,
    _TYPES,
    NAMES,
    _getdtype,
    _view2torch,
    swap_bytes,
    types_changed,
)
from ._torch_sharing import (
    _end_ptr,
    _filter_shared_not_shared,
    _find_shared_tensors,
    _is_complete,
    _remove_duplicate_names,
    overlap,
    shared_memory_error,
    storage_ptr,
    storage_size,
)

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Buffer

# The names with an underscore are no promise of ours, but programs import them from here.
__all__ = [
    "_SIZE",
    "_TYPES",
    "_end_ptr",
    "_filter_shared_not_shared",
    "_find_shared_tensors",
    "_flatten",
    "_flatten_as_ptr",
    "_getdtype",
    "_is_complete",
    "_remove_duplicate_names",
    "_to_ndarray",
    "_tobytes",
    "_view2torch",
    "load",
    "load_file",
    "load_model",
    "safe_open",
    "save",
    "save_file",
    "save_model",
    "storage_ptr",
    "storage_size",
]


def save(tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file that holds the tensors.

    Args:
        tensors: by name; dense and contiguous, on any device. The dict is not changed. Another
            thread must not change the tensors meanwhile.
        metadata: text to keep in the header, by key.

    Raises:
        ValueError: `tensors` is no dict, or holds what is not a tensor, is sparse or not
            contiguous.
        RuntimeError: tensors share memory; see `save_model`.
        DtypeError: the format lacks a tensor's type.
        TypeError: a name, or a key or value of the metadata, is not a string.
        SafetensorError: the header would break a rule of the format.
    """
    keep_alive: list[torch.Tensor] = []
    return serialize(_flatten_as_ptr(tensors, keep_alive), metadata=metadata)


def save_file(
    tensors: dict[str, torch.Tensor],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    durable: bool = False,
    alignment: int = 0,
) -> None:
    """Writes the tensors to a safetensors file, straight from their memory.

    The file appears under its name only when it is whole; one that was there is replaced in one
    step, so that tensors which are mapped from it stay as they are. After an error it is as it was.

    Args:
        tensors: as for `save`.
        filename: the file to write or replace.
        metadata: text to keep in the header, by key.
        durable: return only when the file and its folder have reached the disk.
        alignment: the data starts at a multiple of so many bytes: a power of two, from 8 to 2**20.
            0 means 8.

    Raises:
        What `save` raises, and SafetensorError or OSError if the file cannot be written.
    """
    keep_alive: list[torch.Tensor] = []
    serialize_file(
        _flatten_as_ptr(tensors, keep_alive),
        filename,
        metadata=metadata,
        durable=durable,
        alignment=alignment,
    )


def load(data: Buffer, *, copy: bool = True) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file that is in memory, on the CPU.

    Args:
        data: the file's bytes: any contiguous buffer, such as bytes, bytearray or mmap.
        copy: True: the tensors have memory of their own. False: they are views of `data`, where it
            is writable, and keep it alive; a change of one shows in the other. PyTorch knows no
            read-only tensors: what lies in a buffer that is not writable is copied all the same.

    Raises:
        SafetensorError: the bytes break a rule of the format.
        DtypeError: PyTorch lacks a tensor's type.
        TypeError: `data` is no buffer.
    """
    if types_changed():
        return _view2torch(deserialize(data))
    return open_bytes(data, "pt", copy=copy).get_tensors()


def load_file(
    filename: str | os.PathLike[str],
    device: str | int | torch.device = "cpu",
    *,
    backend: str | None = None,
) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name.

    Args:
        filename: a file; or, for a model in shards, its index (`*.safetensors.index.json`) or the
            folder with them.
        device: where the tensors shall be: `"cpu"`, `"cuda:1"`, `"mps"`…, or a `torch.device`; a
            number means that device of the accelerator PyTorch has.
        backend: how bytes are read. None, the default: mapped, or read where the file is on a
            network file system. `"mmap"`: always mapped, copy-on-write; a file that is cut short
            while it is mapped ends the process with SIGBUS. `"pread"`: always read.

    Raises:
        FileNotFoundError: there is no such file. Other OSErrors: it cannot be read.
        SafetensorError: it breaks a rule of the format.
        DtypeError: PyTorch lacks a tensor's type.
    """
    with safe_open(filename, framework="pt", device=device, backend=backend) as file:
        tensors: dict[str, torch.Tensor] = file.get_tensors()
        if types_changed():
            for name, tensor in tensors.items():
                dtype = _TYPES.get(file.get_slice(name).get_dtype(), tensor.dtype)
                tensors[name] = tensor if tensor.dtype == dtype else tensor.view(dtype)
    return tensors


def save_model(
    model: torch.nn.Module,
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    force_contiguous: bool = True,
) -> None:
    """Writes a model's state dict, tied weights once, to a file that `load_model` reads.

    Of names that share memory one is saved; the metadata gets an entry `dropped: kept` for each of
    the others, unless it has one of that key.

    Args:
        model: its state dict is saved.
        filename: the file to write or replace.
        metadata: text to keep in the header, by key. The dict is not changed.
        force_contiguous: save weights in another memory order as contiguous ones; False makes
            them an error.

    Raises:
        RuntimeError: tensors share memory that none of them fills.
        ValueError: a tensor is sparse, or not contiguous with `force_contiguous=False`.
        Else as `save_file`.
    """
    state_dict = model.state_dict()
    notes = dict(metadata or {})
    for kept, dropped in _remove_duplicate_names(state_dict).items():
        for name in dropped:
            notes.setdefault(name, kept)
            del state_dict[name]
    if force_contiguous:
        state_dict = {name: tensor.contiguous() for name, tensor in state_dict.items()}
    try:
        save_file(state_dict, filename, metadata=None if metadata is None and not notes else notes)
    except ValueError as error:
        raise ValueError(
            f"{error} Or use save_model(..., force_contiguous=True), read the docs for potential"
            " caveats."
        ) from error


def load_model(
    model: torch.nn.Module,
    filename: str | os.PathLike[str],
    strict: bool = True,
    device: str | int | torch.device = "cpu",
    *,
    backend: str | None = None,
) -> tuple[set[str], list[str]]:
    """Loads a file into a model, whose tied weights may be in it under any one of their names.

    Args:
        model: gets the tensors, through `load_state_dict`.
        filename, device, backend: as for `load_file`.
        strict: names that are missing or unexpected are an error.

    Returns:
        The names of the model that the file lacks, and the names of the file that the model does
        not need. Both empty with `strict`.

    Raises:
        RuntimeError: with `strict`, names are missing or unexpected; a shape differs.
        Else as `load_file`.
    """
    loaded = load_file(filename, device=device, backend=backend)
    duplicates = _remove_duplicate_names(model.state_dict(), preferred_names=loaded.keys())
    missing_keys, unexpected = model.load_state_dict(loaded, strict=False)
    missing = set(missing_keys)
    for dropped in duplicates.values():
        for name in dropped:
            # The kept name fills this one too: right is that it is absent.
            if name in missing:
                missing.remove(name)
            else:
                unexpected.append(name)
    if strict and (missing or unexpected):
        raise RuntimeError(_state_dict_message(model, missing, unexpected))
    return missing, unexpected


def _state_dict_message(model: torch.nn.Module, missing: set[str], unexpected: list[str]) -> str:
    lines = [f"Error(s) in loading state_dict for {model.__class__.__name__}:"]
    for kind, names in (("Missing", missing), ("Unexpected", unexpected)):
        if names:
            quoted = ", ".join(f'"{name}"' for name in sorted(names))
            lines.append(f"    {kind} key(s) in state_dict: {quoted}")
    return "\n".join(lines)


def _evaluate_tensors_for_save(tensors: dict[str, torch.Tensor]) -> None:
    """Raises what `save` raises for tensors that are none, are sparse or share memory."""
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    sparse = []
    spans = []
    plain = True
    strided = torch.strided
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise not_a_tensor(name, "torch.Tensor", tensor)
        if tensor.layout != strided:
            sparse.append(name)
        elif not plain:
            continue
        elif type(tensor) in _PLAIN and tensor.is_cpu and tensor.is_contiguous():
            start = tensor.data_ptr()
            spans.append((start, start + tensor.nbytes))
        else:
            plain = False
    if sparse:
        raise ValueError(
            f"You are trying to save a sparse tensors: `{sparse}` which this library does not"
            " support. You can make it a dense tensor before saving with `.to_dense()` but be aware"
            " this might make a much larger file than needed."
        )
    if plain and not overlap(spans):
        return
    failing = [names for names in _find_shared_tensors(tensors) if len(names) > 1]
    if failing:
        raise shared_memory_error(failing)


# Types whose memory is where data_ptr() says.
_PLAIN = (torch.Tensor, torch.nn.Parameter)


def _flatten_as_ptr(
    tensors: dict[str, torch.Tensor], keep_alive_buffer: list[Any]
) -> dict[str, TensorSpec]:
    """What `serialize` takes, as addresses. They are good while `keep_alive_buffer` is.

    Raises what `save` says.
    """
    _evaluate_tensors_for_save(tensors)
    specs = {}
    for name, tensor in tensors.items():
        dense = _dense(name, tensor)
        keep_alive_buffer.append(dense)
        specs[name] = spec_of(dense)
    return specs


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Where a contiguous tensor on the CPU lies, and what it is."""
    return TensorSpec(
        dtype=NAMES[tensor.dtype],
        shape=tensor.shape,
        data_ptr=tensor.data_ptr(),
        data_len=tensor.nbytes,
    )


def _dense(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor as the file shall have it, in memory: itself, where that is so already."""
    if not tensor.is_contiguous():
        raise not_contiguous(name)
    if tensor.dtype not in NAMES:
        raise cannot_save(name, tensor.dtype, "convert it before saving, with `.to(dtype)`")
    if not tensor.is_cpu:
        tensor = tensor.to("cpu")
    # Views that are conjugated or negated only when they are read: the memory has it otherwise.
    if tensor.is_neg() or tensor.is_conj():
        tensor = tensor.resolve_conj().resolve_neg()
    if sys.byteorder == "big":
        tensor = swap_bytes(tensor)
    if tensor.nbytes and not tensor.data_ptr():
        raise SafetensorError(
            "Error while serializing: invalid shape, data type, or offset for tensor: tensor"
            f" `{name}` ({type(tensor).__name__}) has no memory that could be saved"
        )
    return tensor


def _flatten(tensors: dict[str, torch.Tensor]) -> dict[str, dict[str, Any]]:
    """What `serialize` takes, as bytes: a copy of every tensor."""
    _evaluate_tensors_for_save(tensors)
    return {
        name: {
            "dtype": str(tensor.dtype).rpartition(".")[2],
            "shape": tensor.shape,
            "data": _tobytes(tensor, name),
        }
        for name, tensor in tensors.items()
    }


def _tobytes(tensor: torch.Tensor, name: str = "") -> bytes:
    """The bytes of a tensor as a file has them; `name` is for messages."""
    return bytes(_to_ndarray(_dense(name, tensor))[0])


def _to_ndarray(tensor: torch.Tensor) -> tuple[np.ndarray[Any, Any], torch.Tensor]:
    """The bytes of a contiguous tensor as a numpy array, and the tensor that owns them."""
    tensor = tensor.detach().to("cpu")
    return tensor.reshape(-1).view(torch.uint8).numpy(), tensor
