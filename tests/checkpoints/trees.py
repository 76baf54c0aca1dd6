"""Random checkpoints: nested dicts of tensors, views of tensors, and everything beside them."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
    torch.complex64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
)
# Older than these are the storages by type; these come as bytes, with the type beside them.
UNTYPED = (torch.uint16, torch.uint32, torch.uint64, *DTYPES[-5:])
WRAPPERS = (
    "state_dict",
    "model",
    "module",
    "model_state_dict",
    "params",
    "params_ema",
    "net",
    "generator",
)
WORDS = (
    "weight",
    "bias",
    "layers",
    "0",
    "a.b",
    "w\u00e9ight",
    "\u91cd\u307f",
    "",
    " ",
    "\U0001f600",
)


@dataclass
class Options:
    """What a checkpoint may have in it."""

    dtypes: tuple[torch.dtype, ...] = DTYPES
    defaults: bool = True  # a defaultdict, which the loader of weights alone refuses
    one_type: bool = False  # no storage is seen as another type than its own
    kept: list[torch.Tensor] = field(default_factory=list)


def plain(rng: Random, dtype: torch.dtype, shape: list[int]) -> torch.Tensor:
    """A tensor of its own storage, of random bytes."""
    count = 1
    for size in shape:
        count *= size
    if dtype == torch.bool:
        return torch.tensor([rng.random() < 0.5 for _ in range(count)], dtype=dtype).reshape(shape)
    data = bytearray(rng.randbytes(count * dtype.itemsize))
    if not data:
        return torch.empty(shape, dtype=dtype)
    # Random bytes are sometimes a pickle that looks up an extension code, `82 xx 2e`, and are then
    # called one: here no storage begins so.
    if data[0] in (0x82, 0x83, 0x84):
        data[0] = 0
    return torch.frombuffer(data, dtype=dtype).clone().reshape(shape)


def other_type(rng: Random, shape: list[int]) -> torch.Tensor:
    """A view of another type than its storage's; torch.save wants it to be the only one there."""
    kind = rng.randrange(4)
    if kind == 0:
        return plain(rng, torch.float32, [*shape, 2]).view(torch.uint8)
    base = plain(rng, torch.complex64, shape)
    if kind == 1:
        return base.real
    # Negative, by a flag: the imaginary part of a conjugate.
    return base.imag if kind == 2 else base.conj().imag


def view(rng: Random, base: torch.Tensor) -> torch.Tensor:
    """A random view of a tensor."""
    kind = rng.randrange(8)
    if kind == 0 and base.dim() >= 2:
        return base.transpose(*rng.sample(range(base.dim()), 2))
    if kind == 1 and base.dim() >= 1:
        axis = rng.randrange(base.dim())
        begin = rng.randrange(base.shape[axis] + 1)
        steps = [slice(None)] * base.dim()
        steps[axis] = slice(begin, None, rng.randrange(1, 4))
        return base[tuple(steps)]
    if kind == 2 and base.dim() >= 1 and base.shape[0] > 0:
        return base[rng.randrange(base.shape[0])]
    if kind == 3:
        return base.unsqueeze(rng.randrange(base.dim() + 1))
    if kind == 4:
        return base.unsqueeze(0).expand(rng.randrange(1, 5), *base.shape)
    if kind == 5 and base.dim() == 2:
        return base.diagonal()
    if kind == 6 and base.dim() >= 1 and base.shape[-1] >= 3:
        return base.unfold(base.dim() - 1, 3, 1)
    if kind == 7 and base.dtype == torch.complex64:
        return base.conj()
    return base


def tensor(rng: Random, options: Options) -> torch.Tensor:
    """A tensor: new, or a view of an earlier one, or that one again."""
    kept = options.kept
    if kept and rng.random() < 0.45:
        found = rng.choice(kept)
        for _ in range(rng.randrange(4)):
            found = view(rng, found)
    else:
        shape = [rng.choice((0, 1, 2, 3, 5, 8)) for _ in range(rng.randrange(4))]
        if not options.one_type and rng.random() < 0.1:
            return other_type(rng, shape)
        found = plain(rng, rng.choice(options.dtypes), shape)
        if rng.random() < 0.4:
            found = view(rng, found)
    kept.append(found)
    return found


def dressed(rng: Random, found: torch.Tensor) -> torch.Tensor:
    """A tensor as models hold it: a Parameter, or one with attributes, or plain."""
    kind = rng.randrange(8)
    floating = found.is_floating_point() and found.dtype not in UNTYPED
    if kind == 0 and floating and not found.is_neg():
        parameter = torch.nn.Parameter(found, requires_grad=rng.random() < 0.5)
        if rng.random() < 0.3:
            parameter.note = "an attribute"
        return parameter
    if kind == 1 and not found.is_neg() and not found.is_conj():
        alias = found.as_strided(found.size(), found.stride(), found.storage_offset())
        alias.note = 1
        return alias
    return found


def leaf(rng: Random) -> object:
    """Something that is no tensor."""
    return rng.choice(
        (
            None,
            True,
            3,
            -(2**40),
            2**70,
            1.5,
            "os.system",
            b"\x80\x02cos\nsystem\n",
            [],
            (),
            {},
            torch.Size([1, 2]),
            torch.float16,
            torch.device("cpu"),
            {1, 2},
            Counter("aab"),
            complex(1, 2),
        )
    )


def tree(rng: Random, options: Options, depth: int = 3) -> Any:
    """A container of tensors, other values, and containers."""
    kinds = [dict, dict, OrderedDict, list, tuple, *([defaultdict] if options.defaults else [])]
    kind = rng.choice(kinds) if depth < 3 else dict
    count = rng.randrange(5)
    values: list[object] = []
    for _ in range(count):
        chance = rng.random()
        if depth > 0 and chance < 0.35:
            values.append(tree(rng, options, depth - 1))
        elif chance < 0.85:
            values.append(dressed(rng, tensor(rng, options)))
        else:
            values.append(leaf(rng))
    if kind in (list, tuple):
        return kind(values)
    words = WORDS + WRAPPERS if depth == 3 and rng.random() < 0.3 else WORDS
    keys: list[object] = [
        rng.randrange(100) if rng.random() < 0.1 else f"{rng.choice(words)}{rng.randrange(4) or ''}"
        for _ in values
    ]
    pairs = dict(zip(keys, values, strict=True))
    if kind is defaultdict:
        return defaultdict(list, pairs)
    return kind(pairs)


def leaves(found: Any, prefix: str = "", top: bool = True) -> Iterator[tuple[str, Any]]:
    """Every leaf with its joined name."""
    if isinstance(found, dict) and not isinstance(found, Counter):
        items = [(str(key), value) for key, value in found.items()]
    elif isinstance(found, (list, tuple)) and not isinstance(found, torch.Size):
        items = [(str(at), value) for at, value in enumerate(found)]
    else:
        yield prefix, found
        return
    for key, value in items:
        yield from leaves(value, key if top else f"{prefix}.{key}", False)


def tensors(found: Any) -> dict[str, torch.Tensor] | None:
    """Every tensor by its name, out of its wrapper; None where two leaves share a name."""
    all_leaves = list(leaves(found))
    names = [name for name, _ in all_leaves]
    if len(set(names)) < len(names):
        return None
    wrapper = wrapper_of(found)
    return {
        name if wrapper is None else name[len(wrapper) + 1 :]: value
        for name, value in all_leaves
        if isinstance(value, torch.Tensor)
    }


def wrapper_of(found: Any) -> str | None:
    """The key of a lone wrapper that holds all tensors."""
    if not isinstance(found, dict):
        return None
    holding = [
        key
        for key, value in found.items()
        if any(isinstance(each, torch.Tensor) for _, each in leaves(value))
    ]
    if len(holding) != 1 or holding[0] not in WRAPPERS:
        return None
    # A wrapper is a container, not the tensor itself.
    return None if isinstance(found[holding[0]], torch.Tensor) else str(holding[0])


def data(found: torch.Tensor) -> bytes:
    """The bytes of a tensor, row by row, as safetensors has them."""
    dense = torch.empty(found.numel(), dtype=found.dtype)
    dense.copy_(found.detach().reshape(-1))
    return bytes(dense.view(torch.uint8).numpy().tobytes())
