"""The files that are loaded: made once, of distinct random numbers, and kept in a cache folder.

They are written here rather than by a contender, as most files in the world are: sorted by name,
and the data starts where the header ends, at a multiple of 8.
"""

from __future__ import annotations

import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench._sum import sum_buffers
from bench.cache import PAGE

SIZES = {"F32": 4, "F16": 2}
Shapes = dict[str, tuple[str, list[int]]]


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file: where its bytes are, counted from the beginning of the file."""

    name: str
    dtype: str
    shape: list[int]
    begin: int
    end: int


@dataclass(frozen=True)
class Scale:
    """How large the files are. The small scale is for trying things out."""

    name: str
    dense_rows: int
    small_tensors: int
    model_layers: int
    header_tensors: int


FULL = Scale("full", 16384, 20_000, 32, 65_000)
QUICK = Scale("quick", 1024, 4_000, 4, 20_000)
TINY = Scale("tiny", 16, 20, 1, 100)
SCALES = {scale.name: scale for scale in (FULL, QUICK, TINY)}

DENSE_COLUMNS = 8192


def dense(scale: Scale) -> Shapes:
    """Four large matrices: 2 GiB."""
    return {f"layers.{i}.weight": ("F32", [scale.dense_rows, DENSE_COLUMNS]) for i in range(4)}


def small(scale: Scale) -> Shapes:
    """Many tensors of 1 KiB."""
    return {
        f"model.layers.{i // 100}.blocks.{i % 100}.weight": ("F32", [16, 16])
        for i in range(scale.small_tensors)
    }


def model(scale: Scale) -> Shapes:
    """A language model in half precision: 291 tensors, 502 MB."""
    width, kv, inner, words = 768, 256, 2048, 32_000
    if scale.model_layers < FULL.model_layers:
        words = 1000
    shapes: Shapes = {"model.embed_tokens.weight": ("F16", [words, width])}
    for i in range(scale.model_layers):
        layer = f"model.layers.{i}"
        shapes |= {
            f"{layer}.input_layernorm.weight": ("F16", [width]),
            f"{layer}.mlp.down_proj.weight": ("F16", [width, inner]),
            f"{layer}.mlp.gate_proj.weight": ("F16", [inner, width]),
            f"{layer}.mlp.up_proj.weight": ("F16", [inner, width]),
            f"{layer}.post_attention_layernorm.weight": ("F16", [width]),
            f"{layer}.self_attn.k_proj.weight": ("F16", [kv, width]),
            f"{layer}.self_attn.o_proj.weight": ("F16", [width, width]),
            f"{layer}.self_attn.q_proj.weight": ("F16", [width, width]),
            f"{layer}.self_attn.v_proj.weight": ("F16", [kv, width]),
        }
    shapes["model.norm.weight"] = ("F16", [width])
    shapes["lm_head.weight"] = ("F16", [words, width])
    return shapes


MAKERS = {"dense": dense, "small": small, "model": model}


def write(path: Path, shapes: Shapes) -> None:
    """Writes a safetensors file of random numbers."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in sorted(shapes.items()):
        size = math.prod(shape) * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(1)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, (dtype, shape) in sorted(shapes.items()):
            numbers = random.random(math.prod(shape), dtype=np.float32)
            file.write(numbers.astype(np.float16 if dtype == "F16" else np.float32).data)
        file.flush()
        os.fsync(file.fileno())


def make(folder: Path, scale: Scale, kind: str) -> Path:
    """The file of a kind and scale; made when it is not there."""
    path = folder / f"{kind}-{scale.name}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        write(part, MAKERS[kind](scale))
        part.rename(path)
    return path


def list_tensors(path: Path) -> list[Tensor]:
    """What a file holds, in the order of its header."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    base = 8 + length
    return [
        Tensor(
            name,
            entry["dtype"],
            entry["shape"],
            base + entry["data_offsets"][0],
            base + entry["data_offsets"][1],
        )
        for name, entry in header.items()
    ]


def sum_tensors(path: Path) -> dict[str, int]:
    """The sum of each tensor's bytes: equal for two files that hold the same."""
    view = np.memmap(path, dtype=np.uint8, mode="r")
    return {t.name: sum_buffers([view[t.begin : t.end]])[0] for t in list_tensors(path)}


def column_pages(path: Path, first: int, last: int) -> int:
    """The bytes of all pages that columns [first, last) of the file's matrices touch."""
    total = 0
    for tensor in list_tensors(path):
        rows, columns = tensor.shape
        size = SIZES[tensor.dtype]
        starts = tensor.begin + size * (np.arange(rows, dtype=np.int64) * columns + first)
        ends = starts + size * (last - first)
        first_page, last_page = starts // PAGE, (ends - 1) // PAGE
        # A page may hold the end of one row's part and the beginning of the next one's.
        shared = np.count_nonzero(first_page[1:] == last_page[:-1])
        total += PAGE * (int((last_page - first_page + 1).sum()) - int(shared))
    return total
