"""A file of the corpus, and what must be said of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

CLEAN, UNKNOWN, DANGEROUS, MALFORMED = "clean", "unknown", "dangerous", "malformed"

# The exit status of `sft scan` and, where nothing else is said, of `sft convert`.
EXITS = {CLEAN: 0, DANGEROUS: 1, UNKNOWN: 2, MALFORMED: 3}

# Dtype, shape and bytes, as a converted file must hold them.
Tensor = tuple[str, tuple[int, ...], bytes]


@dataclass(frozen=True)
class Case:
    """One row. Several verdicts stand where each would be right."""

    path: str
    sentence: str
    content: bytes = field(repr=False)
    verdicts: tuple[str, ...]
    # A loader could be made to do harm by it: no scanner should call it clean.
    malicious: bool = False
    # What `sft convert` may exit with; empty: what the verdict asks for.
    converts: tuple[int, ...] = ()
    format: str | None = None
    # One of these must be among the findings' codes; empty: any.
    codes: tuple[str, ...] = ()
    # Each of these must stand in the `detail` of some finding.
    mentions: tuple[str, ...] = ()
    tensors: dict[str, Tensor] | None = None

    def expected(self) -> dict[str, object]:
        """The row of expected.json."""
        row: dict[str, object] = {
            "file": self.path,
            "verdicts": list(self.verdicts),
            "malicious": self.malicious,
            "convert": sorted(self.converts or {EXITS[each] for each in self.verdicts}),
        }
        if self.format:
            row["format"] = self.format
        if self.codes:
            row["codes"] = list(self.codes)
        if self.mentions:
            row["mentions"] = list(self.mentions)
        if self.tensors is not None:
            row["tensors"] = {
                name: {
                    "dtype": dtype,
                    "shape": list(shape),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
                for name, (dtype, shape, data) in sorted(self.tensors.items())
            }
        return row


def hostile(
    path: str,
    sentence: str,
    content: bytes,
    *verdicts: str,
    codes: tuple[str, ...] = (),
    mentions: tuple[str, ...] = (),
    format: str | None = None,  # noqa: A002
) -> Case:
    """A file that is made to do harm; dangerous unless other verdicts are given."""
    return Case(
        path,
        sentence,
        content,
        verdicts or (DANGEROUS,),
        malicious=True,
        codes=codes,
        mentions=mentions,
        format=format,
    )


def stream(
    label: str, sentence: str, content: bytes, *verdicts: str, **more: tuple[str, ...]
) -> Case:
    """The same for a bare pickle of streams/."""
    return hostile(f"streams/{label}.pkl", sentence, content, *verdicts, **more)  # type: ignore[arg-type]


def harmless(
    path: str,
    sentence: str,
    content: bytes,
    tensors: dict[str, Tensor] | None = None,
    format: str | None = None,  # noqa: A002
    converts: tuple[int, ...] = (0,),
) -> Case:
    """A clean file of benign/. One that converts holds the tensors given, and no others."""
    found = {} if tensors is None and converts == (0,) else tensors
    return Case(
        f"benign/{path}",
        sentence,
        content,
        (CLEAN,),
        converts=converts,
        format=format,
        tensors=found,
    )
