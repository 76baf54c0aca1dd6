"""Checkpoints from strangers: what they would do, and the tensors in them without doing it.

Nothing here loads a pickle. The library reads its instructions as data, against a list of names
that are known to be harmless; docs/pickle.md explains what is allowed, and why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from . import _sft
from ._sft import SafetensorError

Path = str | os.PathLike[str]
Progress = Callable[[int, int], object]
Verdict = Literal["clean", "dangerous", "unknown", "malformed"]
Severity = Literal["warning", "dangerous", "unknown", "malformed"]

# Where the classes are for programs, in messages and for pickles.
_HOME = "safetensors"


@dataclass(frozen=True)
class Finding:
    """One thing that a scan found. Its texts are escaped, fit for a terminal."""

    severity: Severity
    code: str
    """What it is, for programs: `"DANGEROUS_CALL"`, say. Codes are never renamed."""
    where: str
    """`"archive/data.pkl, byte 33, REDUCE"`"""
    detail: str
    """What was found, in one sentence for people."""
    member: str | None = None
    """The file in the archive; of archives in each other with `!` between."""
    byte: int | None = None
    """In that member, as it is when it is unpacked."""
    opcode: str | None = None
    """The pickle's instruction: `"REDUCE"`."""
    name: str | None = None
    """The name that is looked up: `"os.system"`."""
    call: str | None = None
    """What would be called, with which arguments: `"os.system('id')"`."""

    __module__ = _HOME

    def __str__(self) -> str:
        return f"{self.where}: {self.severity}: {self.detail}"


@dataclass(frozen=True)
class ScanResult:
    """What is known of one file."""

    path: str
    verdict: Verdict
    """`"clean"`: loading it builds tensors and plain values, and nothing else.
    `"dangerous"`: it runs code, imports, opens, fetches, or loads another pickle.
    `"unknown"`: it holds names or oddities that nobody here can vouch for.
    `"malformed"`: it cannot be read, is of no known kind, or is beyond a limit."""
    format: str
    """What kind of file it is by its content: `"torch_zip"`, `"pickle"`, `"safetensors"`…,
    `"unrecognized"` for none that is known, `"unreadable"` where the system would not give it."""
    findings: tuple[Finding, ...]
    """In the order in which loading would come to them: at most 1,000, the worst first to stay."""
    found: int
    """How many there were."""

    __module__ = _HOME

    @property
    def clean(self) -> bool:
        """Whether the verdict is `"clean"`."""
        return self.verdict == "clean"


@dataclass(frozen=True)
class ConvertedTensor:
    """A tensor of a conversion's result, and where it came from."""

    name: str
    source_name: str
    """Its joined keys in the source, before a wrapper and a prefix went."""
    dtype: str
    """The format's code: `"F32"`."""
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    """In the source, in elements; None where it was dense."""
    size: int
    """In bytes."""
    source_file: str
    member: str | None
    """The file in the archive that holds its bytes."""
    source_offset: int
    """Of its first element in that member, in bytes."""
    file: str
    """The file of the result that it is in."""

    __module__ = _HOME


@dataclass(frozen=True)
class Dropped:
    """A value of the source that is no tensor, and not in the result."""

    name: str
    kind: str
    """`"int"`, `"argparse.Namespace"`…"""

    __module__ = _HOME


@dataclass(frozen=True)
class Conversion:
    """What convert() did, or would do."""

    files: tuple[str, ...]
    """The files of the result, without the index."""
    index: str | None
    """The path of the index of a sharded result."""
    tensors: tuple[ConvertedTensor, ...]
    ties: dict[str, str]
    """Tensors that are not written, since another has the same bytes: its name for theirs."""
    dropped: tuple[Dropped, ...]
    """What is no tensor: at most 1,000 of them."""
    dropped_total: int
    wrapper: str | None
    """The key that was unwrapped: `"state_dict"`, say."""
    metadata: dict[str, str]
    """The metadata in every file of the result."""
    bytes: int
    """Of all tensors."""
    format: str
    """The source's, as a ScanResult has it."""
    scans: tuple[ScanResult, ...]
    """What was found in the source: one for each of its files."""

    __module__ = _HOME


class RefusedError(SafetensorError):
    """A source that is dangerous, or that nobody can vouch for, and was not converted.

    `code` is `"DANGEROUS_SOURCE"` or `"UNVOUCHED_SOURCE"`, `scan` the result that decided, and
    `scans` has all that there are.
    """

    __module__ = _HOME

    def __init__(self, message: str, scans: tuple[ScanResult, ...] = ()) -> None:
        super().__init__(message)
        self.scans = scans

    @property
    def scan(self) -> ScanResult | None:
        """The worst of `scans`."""
        worst = ("clean", "malformed", "unknown", "dangerous")
        return max(self.scans, key=lambda scan: worst.index(scan.verdict), default=None)

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.args[0], self.scans), self.__dict__)


def scan(
    path: Path,
    *,
    allow: Iterable[str] = (),
    progress: Progress | None = None,
) -> ScanResult | list[ScanResult]:
    """Tells what loading a file would do, without doing any of it.

        result = safetensors.scan("model.pt")
        if not result.clean:
            print(*result.findings, sep="\\n")

    Whatever PyTorch, pickle, joblib or NumPy writes is understood, by its content; its name's
    extension is not looked at. Every file in an archive is walked, and every pickle in a file.
    Safetensors files are checked by the format's rules.

    Args:
        path: a file; or a folder, of which every file is scanned, in the order of their names.
        allow: names that you vouch for, as `"module.name"`. Dangerous ones stay dangerous.
        progress: called now and then with the bytes looked at and the bytes in all. What it raises
            ends the scan.

    Returns:
        A ScanResult; of a folder, a list of them.

    Raises:
        OSError: the file cannot be read: a FileNotFoundError, a PermissionError….
        ValueError: a name in `allow` is no `module.name`.
    """
    if os.path.isdir(os.fspath(path)):
        return [_result(found) for found in _sft.scan(path, _pairs(allow), progress, True)]
    return _result(_sft.scan(path, _pairs(allow), progress, False))


def convert(
    src: Path,
    dst: Path | None = None,
    *,
    key: str | None = None,
    drop_prefix: str | None = None,
    max_shard_size: int | str = 0,
    allow: Iterable[str] = (),
    allow_unknown: bool = False,
    dry_run: bool = False,
    overwrite: bool = False,
    durable: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Makes a safetensors file of another format's checkpoint: faithfully, or not at all.

        safetensors.convert("model.pt", "model.safetensors")

    Understood is what `torch.save` wrote at any time, pickles of NumPy arrays, joblib, `.npy` and
    `.npz`, decided by content. The source is scanned first, and nothing in it is ever executed. The
    result is compared with the source before it takes its name; on any failure nothing is left, and
    a file that was there stays as it was. Memory does not grow with the model.

    Args:
        src: a file; or a folder or an index of sharded ones.
        dst: the file to make; a folder where the result is sharded. None puts it beside the source,
            as the hub names it.
        key: the part of the checkpoint to take, as joined keys: `"optimizer.state"`. Without it all
            is taken, and a lone wrapper such as `state_dict` is unwrapped.
        drop_prefix: taken from the front of the names that have it.
        max_shard_size: splits the result as huggingface_hub does: bytes, or text such as `"5GB"`
            (powers of 1000) or `"5GiB"` (of 1024). 0 does not split.
        allow: names that you vouch for, as `"module.name"`: values of theirs are dropped.
        allow_unknown: drop what nobody can vouch for. What is dangerous is always refused.
        dry_run: write nothing, and return what would be done.
        overwrite: replace files that are there.
        durable: on success the files and their folder have reached the disk.
        progress: called now and then with the bytes done and the bytes in all. What it raises ends
            the conversion.

    Returns:
        What was done: the tensors and where they came from, what was tied or dropped, the files.

    Raises:
        RefusedError: the source would do something when loaded, or nobody can vouch for it. Its
            `scan` tells what was found.
        SafetensorError: the source is malformed, of no kind that is known, or holds a tensor that
            the format has no type for; two tensors would get one name; the file cannot be written.
            `code` says which.
        FileExistsError: a file of the result is there, without `overwrite`.
        OSError: the source cannot be read: a FileNotFoundError, a PermissionError….
        ValueError: a name in `allow` is no `module.name`, or the size of a shard is none.
    """
    try:
        done = _sft.convert(
            src,
            dst,
            key,
            drop_prefix,
            _size(max_shard_size),
            _pairs(allow),
            allow_unknown,
            dry_run,
            overwrite,
            durable,
            progress,
        )
    except SafetensorError as error:
        scans = error.__dict__.pop("_scans", None)
        if error.code not in ("DANGEROUS_SOURCE", "UNVOUCHED_SOURCE"):
            raise
        refused = _refused(error, _scans(scans or []))
    else:
        return _conversion(done)
    raise refused


def _refused(error: SafetensorError, scans: tuple[ScanResult, ...]) -> RefusedError:
    """The same error as one that tells what was found."""
    refused = RefusedError(str(error), scans)
    refused.__dict__.update(error.__dict__)
    return refused


def _pairs(allow: Iterable[str]) -> list[tuple[str, str]]:
    """Modules and names, from what is between the last dot and the rest."""
    if isinstance(allow, str):
        raise TypeError("argument 'allow': expected several names, as in [\"module.name\"]")
    pairs = []
    for given in allow:
        if not isinstance(given, str):
            raise TypeError(f"argument 'allow': expected str, not {type(given)}")
        module, _, name = given.rpartition(".")
        if not module or not name:
            raise ValueError(f"argument 'allow': {given!r} is not of the form module.name")
        pairs.append((module, name))
    return pairs


_UNITS = {"": 1, "B": 1} | {
    unit: base**power
    for power, letter in enumerate("KMGT", 1)
    for unit, base in ((letter + "B", 1000), (letter + "IB", 1024))
}


def _size(given: int | str) -> int:
    """A number of bytes, from text with a unit too."""
    if not isinstance(given, str):
        return given
    text = given.strip()
    digits = text.rstrip("BIKMGTbikmgt ")
    unit = _UNITS.get(text[len(digits) :].strip().upper())
    try:
        number = int(digits)
    except ValueError:
        unit = None
    if unit is None or number <= 0:
        raise ValueError(f"argument 'max_shard_size': {given!r} is no size, such as 5GB or 500MiB")
    return number * unit


def _result(found: tuple[Any, ...]) -> ScanResult:
    path, verdict, kind, count, findings = found
    return ScanResult(path, verdict, kind, tuple(Finding(*finding) for finding in findings), count)


def _scans(found: Iterable[tuple[Any, ...] | None]) -> tuple[ScanResult, ...]:
    """Without those of files that were not come to."""
    return tuple(_result(result) for result in found if result is not None)


def _conversion(done: dict[str, Any]) -> Conversion:
    return Conversion(
        files=tuple(done["files"]),
        index=done["index"],
        tensors=tuple(ConvertedTensor(*tensor) for tensor in done["tensors"]),
        ties=dict(done["ties"]),
        dropped=tuple(Dropped(*dropped) for dropped in done["dropped"]),
        dropped_total=done["dropped_total"],
        wrapper=done["wrapper"],
        metadata=dict(done["metadata"]),
        bytes=done["bytes"],
        format=done["format"],
        scans=_scans(done["scans"]),
    )
