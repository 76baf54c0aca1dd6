"""The same verdict as the peer's on every file, but for the rules where the library is stricter."""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from library import Library
from safetensors import SafetensorError, deserialize

# How the peer's messages begin, behind "Error while deserializing: ".
KINDS = {
    "header too small": "HeaderTooSmall",
    "header too large": "HeaderTooLarge",
    "invalid header length": "InvalidHeaderLength",
    "invalid UTF-8 in header": "InvalidHeader",
    "invalid JSON in header": "InvalidHeaderDeserialization",
    "invalid offset for tensor": "InvalidOffset",
    "invalid shape, data type, or offset": "TensorInvalidInfo",
    "incomplete metadata": "MetadataIncompleteBuffer",
    "overflow computing": "ValidationOverflow",
    "The slice is slicing for subbytes": "MisalignedSlice",
}
PREFIX = len("Error while deserializing: ")
RANK = 64


class Pairs(list[tuple[str, Any]]):
    """An object of JSON with all its members, also those that stand twice."""


def kind_of(error: SafetensorError) -> str:
    """The peer's kind of an error, by its message."""
    text = str(error)[PREFIX:]
    for beginning, kind in KINDS.items():
        if text.startswith(beginning):
            return kind
    raise ValueError(f"the peer says something new: {error}")


def _twice(pairs: Pairs) -> bool:
    return len({key for key, _ in pairs}) < len(pairs)


def _tensors(top: Pairs) -> list[Any]:
    return [value for key, value in top if key != "__metadata__"]


def _has_duplicate(top: Pairs) -> bool:
    return _twice(top) or any(isinstance(value, Pairs) and _twice(value) for _, value in top)


def _has_array_tensor(top: Pairs) -> bool:
    return any(isinstance(v, list) and not isinstance(v, Pairs) for v in _tensors(top))


def _has_map_dtype(top: Pairs) -> bool:
    objects = [value for value in _tensors(top) if isinstance(value, Pairs)]
    return any(key == "dtype" and isinstance(v, Pairs) for pairs in objects for key, v in pairs)


def _has_high_rank(top: Pairs) -> bool:
    for value in _tensors(top):
        members = value if isinstance(value, Pairs) else [("shape", v) for v in value[1:2]]
        for key, shape in members:
            if key == "shape" and isinstance(shape, list) and len(shape) > RANK:
                return True
    return False


# Where the library is stricter than the peer, and how to see that a file really breaks the rule.
STRICTER = {
    "DUPLICATE_KEY": ("a key stands twice", _has_duplicate),
    "TENSOR_NOT_OBJECT": ("a tensor in array form", _has_array_tensor),
    "INVALID_DTYPE": ("a dtype in map form", _has_map_dtype),
    "RANK_TOO_LARGE": ("more than 64 dimensions", _has_high_rank),
}


def _header(content: bytes) -> bytes:
    return content[8 : 8 + struct.unpack("<Q", content[:8])[0]]


def _parse(content: bytes) -> Pairs | None:
    try:
        top = json.loads(_header(content), object_pairs_hook=Pairs)
    except ValueError:
        return None
    return top if isinstance(top, Pairs) else None


def stricter_rule(content: bytes, name: str) -> str | None:
    """The rule that a file breaks and the peer does not have, if it really breaks it."""
    if name not in STRICTER:
        return None
    top = _parse(content)
    words, breaks = STRICTER[name]
    return words if top is not None and breaks(top) else None


def _same_place(top: Pairs) -> bool:
    places = [
        str(value)
        for tensor in _tensors(top)
        if isinstance(tensor, Pairs)
        for key, value in tensor
        if key == "data_offsets"
    ]
    return len(set(places)) < len(places)


def two_defects(content: bytes, name: str, theirs: str) -> str | None:
    """Why the two name different defects of a file that both refuse, if there is a reason."""
    if name == "BYTE_ORDER_MARK" and theirs == "InvalidHeader":
        return "a byte order mark, and malformed UTF-8 behind it"
    if name in STRICTER:
        if theirs == "InvalidHeaderDeserialization" or stricter_rule(content, name):
            return f"{STRICTER[name][0]}, and another defect"
        return None
    top = _parse(content)
    if top is not None and _same_place(top):
        return "two tensors at one place, of which the peer takes either first"
    return None


class Verdicts:
    """Compares verdicts and counts them."""

    def __init__(self, library: Library, save: Path) -> None:
        self.library = library
        self.save = save
        self.total = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.stricter: Counter[str] = Counter()
        self.two_defects: Counter[str] = Counter()
        self.unexplained: list[str] = []
        self._kinds: dict[int, str | None] = {}

    def compare(self, content: bytes) -> None:
        """Judges one file by both."""
        self.total += 1
        status = self.library.verdict(content)
        try:
            theirs = deserialize(content)
        except SafetensorError as error:
            if status == 0:
                self.library.drop()
                self._keep(content, f"the peer refuses what the library accepts: {error}")
            else:
                self._compare_kinds(content, status, kind_of(error))
            return
        if status == 0:
            self.accepted += 1
            self._compare_models(content, theirs)
            return
        name = self.library.status_name(status)
        rule = stricter_rule(content, name)
        if rule is None:
            self._keep(content, f"the peer accepts what the library refuses as {name}")
        else:
            self.stricter[rule] += 1

    def _compare_models(self, content: bytes, theirs: Iterable[tuple[str, Any]]) -> None:
        ours = self.library.tensors()
        start = 8 + struct.unpack("<Q", content[:8])[0]
        mine = [
            (name, dtype, shape, content[start + begin : start + end])
            for name, (dtype, shape, begin, end) in ours
        ]
        peers = [(name, v["dtype"], v["shape"], bytes(v["data"])) for name, v in theirs]
        # Empty tensors at one place have no order of their own in the peer.
        if mine != peers and sorted(mine) != sorted(peers):
            self._keep(content, "both accept it, and read different tensors")

    def _compare_kinds(self, content: bytes, status: int, theirs: str) -> None:
        if status not in self._kinds:
            self._kinds[status] = self.library.status_kind(status)
        ours = self._kinds[status]
        self.refused[theirs] += 1
        if ours == theirs:
            return
        name = self.library.status_name(status)
        reason = two_defects(content, name, theirs)
        if reason is None:
            self._keep(content, f"{name} is {ours}, but the peer says {theirs}")
        else:
            self.two_defects[reason] += 1

    def _keep(self, content: bytes, why: str) -> None:
        if len(self.unexplained) < 100:
            self.save.mkdir(parents=True, exist_ok=True)
            path = self.save / (hashlib.sha256(content).hexdigest()[:16] + ".safetensors")
            path.write_bytes(content)
            why += f": {path}"
        self.unexplained.append(why)

    def run(self, contents: Iterable[bytes]) -> None:
        """Judges many files."""
        for content in contents:
            self.compare(content)

    def report(self, what: str) -> None:
        """Prints the counts."""
        print(f"{what}: {self.total} files, {self.accepted} accepted by both and read alike")
        refused = ", ".join(f"{kind} {n}" for kind, n in self.refused.most_common())
        print(f"  refused by both: {sum(self.refused.values())} ({refused})")
        for rule, n in self.stricter.most_common():
            print(f"  refused by the library alone, as documented: {rule}: {n}")
        for reason, n in self.two_defects.most_common():
            print(f"  refused by both, for another of two defects: {reason}: {n}")
