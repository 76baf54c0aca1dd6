#!/usr/bin/env python3
"""Writes the inputs that the corpora of fuzz_legacy and fuzz_npy began with. Needs torch, numpy and
joblib.

seeds_found.py DIR    makes DIR/legacy and DIR/npy
"""

from __future__ import annotations

import argparse
import gzip
import io
import pickle
import struct
import sys
import tarfile
import zlib
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

MAGIC = 0x1950A86A20F9469CFC6C


def saved(value: Any, *, zipped: bool = False, protocol: int = 2) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


def views() -> dict[str, Any]:
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    wave = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)
    return {
        "base": base,
        "turned": base.t(),
        "part": base[1:, ::2],
        "wide": base[:1].expand(5, 4),
        "number": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "conj": wave.conj(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


def nested() -> OrderedDict[str, Any]:
    inner = defaultdict(list, {"list": [torch.ones(1), (torch.zeros(2), 3)]})
    return OrderedDict(
        model=inner, count=Counter("aab"), args=argparse.Namespace(lr=0.1), step={1: 2, -3: []}
    )


def other_types() -> dict[str, Any]:
    return {
        "u16": torch.ones(2, dtype=torch.uint16),
        "f8": torch.ones(2).to(torch.float8_e4m3fn),
        "bf16": torch.ones(2, dtype=torch.bfloat16),
        "bool": torch.tensor([True, False]),
        "c128": torch.ones(1, dtype=torch.complex128),
        "sparse": torch.eye(2).to_sparse(),
        "meta": torch.empty(2, device="meta"),
        "quantised": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    }


class Id:
    """Stands for a storage by its persistent id."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Named:
    """Pickled as a mere name."""

    def __init__(self, module: str, name: str) -> None:
        self.pair = (module, name)


class Call:
    def __init__(self, function: Named, arguments: tuple[Any, ...]) -> None:
        self.parts = (function, arguments)


PicklerInPython: Any = pickle._Pickler


class Pickler(PicklerInPython):  # type: ignore[misc]
    def persistent_id(self, value: Any) -> Any:
        return value.value if isinstance(value, Id) else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Named):
            self.write(b"c" + "\n".join((*value.pair, "")).encode())
        elif isinstance(value, Call):
            for part in value.parts:
                self.save(part)
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def dumps(value: Any) -> bytes:
    out = io.BytesIO()
    Pickler(out, 2).dump(value)
    return out.getvalue()


FLOATS = Named("torch", "FloatStorage")


def with_views() -> bytes:
    """As PyTorch before 0.4 wrote storages that are parts of others."""
    ids = [("storage", FLOATS, "1", "cpu", 8, part) for part in (None, ("2", 2, 4), ("3", 7, 4))]
    rebuild = Named("torch._utils", "_rebuild_tensor")
    tensors = {str(i): Call(rebuild, (Id(one), 0, (2,), (1,))) for i, one in enumerate(ids)}
    module = Id(("module", Named("torch.nn", "Linear"), None, None))
    objects = [MAGIC, 1001, {"little_endian": False}, {**tensors, "module": module}, ["1"]]
    return b"".join(map(dumps, objects)) + struct.pack("<q8f", 8, *range(8))


def tar() -> bytes:
    storages = [1, (11, "cpu", FLOATS)]
    numbers = struct.pack("<q6f", 6, *range(6))
    members = {
        "storages": b"".join(map(dumps, storages)) + numbers + dumps([(12, 11, 2, 4)]),
        "tensors": b"".join(map(dumps, [1, (21, 12, Named("torch", "FloatTensor"))]))
        + struct.pack("<iiqqqqq", 2, 0, 2, 2, 2, 1, 0),
        "pickle": dumps({"weight": Id("21"), "same": Id("21")}),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()[: 3 * 1024 + 1024]


def by_joblib(value: Any) -> bytes:
    out = io.BytesIO()
    joblib.dump(value, out)
    return out.getvalue()


def arrays() -> dict[str, Any]:
    return {
        "c": np.arange(6, dtype="<f4").reshape(2, 3),
        "f": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        "b": np.array([True, False]),
        "u": np.array(["a", "bc"]),
        "o": np.array([1, None], dtype=object),
        "e": np.zeros((0, 2), "<c8"),
        "s": np.zeros(2, [("x", "<f4"), ("y", "O", (2,))]),
        "n": np.float64(1),
    }


def legacy() -> dict[str, bytes]:
    tensor = torch.ones(2)
    return {
        "views": saved(views()),
        "views-protocol4": saved(views(), protocol=4),
        "nested": saved(nested()),
        "types": saved(other_types()),
        "zip": saved({"w": tensor, "v": tensor[1:]}, zipped=True),
        "zip-protocol5": saved(OrderedDict(w=tensor), zipped=True, protocol=5),
        "parts": with_views(),
        "tar": tar(),
        "plain": pickle.dumps({"w": tensor, "a": np.ones(2)}, 2),
        "plain-protocol5": pickle.dumps(arrays(), 5),
        "plain-protocol0": pickle.dumps(arrays(), 0),
        "gzip": gzip.compress(pickle.dumps(arrays(), 4), mtime=0),
        "zlib": zlib.compress(saved({"w": tensor})),
        "joblib": by_joblib(arrays()),
        "magic-only": dumps(MAGIC),
        "magic-text": b"L%dL\n.I1001\n.(dp0\n.(dp0\n.(lp0\n." % MAGIC,
    }


def npy() -> dict[str, bytes]:
    files = {}
    for name, array in arrays().items():
        out = io.BytesIO()
        np.save(out, array)
        files[name] = out.getvalue()
    out = io.BytesIO()
    np.savez(out, a=np.ones(2), b=np.arange(3))
    files["npz"] = out.getvalue()
    out = io.BytesIO()
    np.savez_compressed(out, a=np.ones(2))
    files["npz-packed"] = out.getvalue()
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ones(2), version=(2, 0))
    files["version2"] = out.getvalue()
    texts = {
        "python2": b"{'descr': '<i8', 'fortran_order': False, 'shape': (1L, 2L), }",
        "unicode": b"{u'descr': u'|S3', u'shape': (), u'fortran_order': True}",
        "escapes": rb"{'d\x65scr': '\074f4', 'shape': (3,), 'fortran_order': False}",
        "fields": b"{'descr': [('a', '<f4'), (('t', 'b'), [('c', '|O', (2, 3))])],"
        b" 'fortran_order': False, 'shape': (1,)}",
        "subarray": b"{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': ()}",
        "number": b"{'descr': '<f4', 'fortran_order': False, 'shape': (3)}",
        "call": b"{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}",
        "type": b">M8[25s]",
    }
    return {**files, **texts}


def main() -> None:
    for name, files in (("legacy", legacy()), ("npy", npy())):
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (folder / file).write_bytes(data)


if __name__ == "__main__":
    main()
