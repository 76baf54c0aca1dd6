"""Where the package answers otherwise than the peer on purpose, each case with its reason.

A test names the deviation that it expects; a difference that no entry of this table explains fails.
One rule holds everywhere and needs no name: behind a defect's sentence ours tells its kind, as in
`Error while deserializing header: header too large (HeaderTooLarge)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from operations import Array, Died, Outcome, Raised, Returned

# The peer's kinds and the sentences by which its messages tell them.
SENTENCES = {
    "HeaderTooSmall": r"header too small",
    "HeaderTooLarge": r"header too large",
    "InvalidHeaderLength": r"invalid header length",
    "InvalidHeader": r"invalid UTF-8 in header: .*",
    "InvalidHeaderDeserialization": r"invalid JSON in header: .*",
    "InvalidOffset": r"invalid offset for tensor `.*`",
    "TensorInvalidInfo": r"invalid shape, data type, or offset for tensor",
    "MetadataIncompleteBuffer": r"incomplete metadata, file not fully covered",
    "ValidationOverflow": r"overflow computing buffer size from shape and/or element type",
    "MisalignedSlice": r"The slice is slicing for subbytes dtypes, and the slice does not end up "
    r"at a byte boundary, this is invalid\.",
}
PREFIX = r"Error while (?:de)?serializing(?: header)?: "


def without_kind(text: str) -> str:
    """A message without the kind behind its sentence, which must be the right one."""
    match = re.fullmatch(f"({PREFIX})(.*) \\(([A-Za-z]+)\\)", text, re.DOTALL)
    if not match or match[3] not in SENTENCES:
        return text
    sentence = SENTENCES[match[3]]
    assert re.fullmatch(sentence, match[2], re.DOTALL), f"{match[3]} says: {match[2]}"
    return match[1] + match[2]


def defect(text: str) -> str | None:
    """The kind that a message of the peer tells by its sentence."""
    for kind, sentence in SENTENCES.items():
        if re.fullmatch(PREFIX + sentence, text, re.DOTALL):
            return kind
    return None


@dataclass(frozen=True)
class Deviation:
    """One declared difference: why, and the test that (peer's outcome, ours) must pass."""

    reason: str
    holds: Callable[[Outcome, Outcome], bool]


def refused(*kinds: str) -> Callable[[Outcome, Outcome], bool]:
    """Both refuse, ours with an exception that is one of these."""

    def holds(peer: Outcome, ours: Outcome) -> bool:
        return (
            not isinstance(peer, Returned)
            and isinstance(ours, Raised)
            and any(kind in ours.kinds for kind in kinds)
        )

    return holds


def same_type(peer: Outcome, ours: Outcome) -> bool:
    """Both raise the same exception, ours in its own words."""
    return (
        isinstance(peer, Raised)
        and isinstance(ours, Raised)
        and peer.kind == ours.kind
        and bool(ours.text)
    )


def accepted(peer: Outcome, ours: Outcome) -> bool:
    """The peer refuses what ours takes."""
    return isinstance(peer, Raised) and isinstance(ours, Returned)


def declined(peer: Outcome, ours: Outcome) -> bool:
    """The peer takes what ours refuses."""
    return isinstance(peer, Returned) and isinstance(ours, Raised)


def writable_copy(peer: Outcome, ours: Outcome) -> bool:
    """The values are the same, and ours may be written to."""
    if not (isinstance(peer, Returned) and isinstance(ours, Returned)):
        return False
    return without_layout(peer.value) == without_layout(ours.value)


def a_part_of(peer: Outcome, ours: Outcome) -> bool:
    """Both return a list, and all that the peer's has is in ours."""
    return (
        isinstance(peer, Returned)
        and isinstance(ours, Returned)
        and all(item in ours.value[1] for item in peer.value[1])
    )


def refused_or_declined(peer: Outcome, ours: Outcome) -> bool:
    """Ours refuses with a SafetensorError, whatever the peer does."""
    return isinstance(peer, Raised | Returned) and isinstance(ours, Raised)


def same_defect(peer: Outcome, ours: Outcome) -> bool:
    """Both refuse a file for the same kind of defect."""
    return (
        isinstance(peer, Raised)
        and isinstance(ours, Raised)
        and peer.kind == ours.kind
        and defect(peer.text) is not None
        and defect(peer.text) == defect(without_kind(ours.text))
    )


def nothing_taken(peer: Outcome, ours: Outcome) -> bool:
    """The peer fails; ours returns an array without elements."""
    return (
        not isinstance(peer, Returned)
        and isinstance(ours, Returned)
        and isinstance(ours.value, Array)
        and 0 in ours.value.shape
    )


def without_layout(value: object) -> object:
    """A described value with what tells arrays' places in memory left out."""
    if isinstance(value, Array):
        return Array(value.kind, value.dtype, value.shape, value.data, value.device, ())
    if isinstance(value, list | tuple):
        return type(value)(without_layout(item) for item in value)
    return value


DEVIATIONS = {
    "argument-wording": Deviation(
        "A wrong type or count of arguments is a TypeError on both; the peer's words are those of "
        "its binding generator.",
        same_type,
    ),
    "any-buffer": Deviation(
        "Bytes may come in any buffer (bytearray, memoryview, mmap, arrays); the peer takes bytes.",
        accepted,
    ),
    "both-generations": Deviation(
        "serialize takes the mappings with dtype, shape and data that it took up to 0.7.",
        accepted,
    ),
    "byte-order-mark": Deviation(
        "A mark that stands before bad UTF-8 is named first; the peer names the bytes behind it.",
        refused("SafetensorError"),
    ),
    "clearer-key": Deviation(
        "A name that a table lacks: a KeyError, perhaps in words.",
        refused("KeyError"),
    ),
    "clearer-type": Deviation(
        "What is no tensor, or of no type of the format, is refused with what to do; the peer "
        "fails within, for want of an attribute or a key.",
        refused("TypeError", "ValueError", "AttributeError", "SafetensorError"),
    ),
    "closed-crash": Deviation(
        "An address of nothing is refused; the peer reads from it and dies.",
        lambda peer, ours: isinstance(peer, Died) and isinstance(ours, Raised),
    ),
    "defect-wording": Deviation(
        "The same kind of defect; ours tells in its own words what in the JSON is wrong.",
        same_defect,
    ),
    "device-refusal": Deviation(
        "A device that is not there: torch's own refusal, which depends on how it is asked.",
        refused("RuntimeError", "AssertionError"),
    ),
    "devices": Deviation(
        "A torch.device names a device as well as its text does.",
        accepted,
    ),
    "dtype-codes": Deviation(
        "TensorSpec lists the types there are; also the names of headers may be taken.",
        lambda peer, ours: accepted(peer, ours) or refused("SafetensorError")(peer, ours),
    ),
    "empty-metadata": Deviation(
        "With neither tensors nor entries of metadata the peer writes what is no JSON.",
        lambda peer, ours: isinstance(peer, Returned) and isinstance(ours, Returned),
    ),
    "extension-dtypes": Deviation(
        "numpy has bfloat16 and the eight-bit floats through ml_dtypes; the peer has them not.",
        accepted,
    ),
    "file-likes": Deviation(
        "Without a descriptor, read and seek will do: a file in memory, or far away.",
        accepted,
    ),
    "file-mode": Deviation(
        "A new file may be read as the umask says; the peer's is its owner's alone.",
        lambda peer, ours: isinstance(peer, Returned) and isinstance(ours, Returned),
    ),
    "folder": Deviation(
        "A folder without shards is an IsADirectoryError, not some other OSError.",
        refused("IsADirectoryError"),
    ),
    "layout": Deviation(
        "The values are the same; ours may be written to where the peer's may not, or lie in "
        "memory of their own where the peer's share it.",
        writable_copy,
    ),
    "memory-order": Deviation(
        "An array in any memory order is saved as it reads; the peer writes its memory as it lies.",
        lambda peer, ours: isinstance(ours, Returned),
    ),
    "metadata-name": Deviation(
        "A tensor named __metadata__ makes a file that no reader opens: ours refuses to write it.",
        declined,
    ),
    "more-types": Deviation(
        "The tables know what the peer's know, and more.",
        a_part_of,
    ),
    "names-the-tensor": Deviation(
        "A type that the format lacks: the message tells also which tensor has it.",
        refused("SafetensorError"),
    ),
    "no-rows": Deviation(
        "A slice that stops before it starts has no rows, as numpy says; the peer fails within.",
        nothing_taken,
    ),
    "no-such-dtype": Deviation(
        "A type that the framework lacks is a SafetensorError that names the tensor and the type.",
        refused("SafetensorError"),
    ),
    "not-installed": Deviation(
        "A framework that is not installed is an ImportError, when opening.",
        refused("ImportError"),
    ),
    "other-os-error": Deviation(
        "The system's own error where a path cannot be, not always that the file is not there.",
        refused("OSError", "ValueError"),
    ),
    "packed-four-bits": Deviation(
        "torch counts the bytes of packed four-bit floats, with either backend.",
        accepted,
    ),
    "packed-overflow": Deviation(
        "A shape that has no double is refused, or as the peer leaves it.",
        lambda peer, ours: isinstance(ours, Raised | Returned),
    ),
    "permission": Deviation(
        "A file that may not be read is a PermissionError; the peer says it is not there.",
        refused("PermissionError"),
    ),
    "save-errors": Deviation(
        "A file that cannot be written: the place and the system's reason, in our words.",
        refused("SafetensorError", "OSError", "ValueError"),
    ),
    "stricter": Deviation(
        "Duplicate keys, tensors in array form, dtypes in map form and more than 64 dimensions are "
        "refused, though the peer takes them; with another defect beside, either may be named.",
        refused_or_declined,
    ),
    "tied-views": Deviation(
        "Tied weights that do not lie in one piece are compared too; the peer fails within.",
        lambda peer, ours: isinstance(peer, Raised) and "view size" in peer.text,
    ),
}
