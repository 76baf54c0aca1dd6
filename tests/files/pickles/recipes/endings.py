"""What comes behind a payload, before it and around it, and what a file pretends to be."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pickles.recipes import torch
from pickles.recipes.case import DANGEROUS, MALFORMED, UNKNOWN, Case, hostile, stream
from pickles.recipes.ops import (
    EVAL,
    PAYLOAD,
    STACK_GLOBAL,
    STOP,
    Code,
    call,
    frame,
    name,
    pickle,
    proto,
    stack_name,
    text,
    tuple_of,
    value,
)

SYSTEM = ("os.system",)


def _ends() -> Iterator[Case]:
    """What comes behind a payload, and behind the first pickle."""
    yield stream(
        "second-pickle",
        "The second pickle of the file has the payload.",
        pickle({"a": 1}) + pickle(PAYLOAD),
        mentions=SYSTEM,
    )
    yield stream(
        "fourth-pickle",
        "The fourth pickle of the file has the payload.",
        pickle([1]) * 3 + pickle(PAYLOAD),
        mentions=SYSTEM,
    )
    yield stream(
        "second-pickle-protocol-0",
        "The second pickle has the payload, and does not begin with PROTO.",
        pickle({"a": 1}) + b"cos\nsystem\n(S'true'\ntR.",
        mentions=SYSTEM,
    )
    for label, tail, what in (
        ("invalid-opcode", b"\xff", "an opcode that does not exist"),
        ("no-stop", b"", "the end of the file, without STOP"),
        ("truncated-text", b"X\xff\xff\0\0abc", "a text that ends too soon"),
        ("pop-empty", b"00000", "POP from an empty stack"),
        ("missing-memo", b"h\x63", "a memo number that was never put"),
        ("bad-int", b"Ixyz\n", "an INT that is no number"),
        ("bad-frame", b"\x95" + b"\xff" * 8, "a FRAME beyond the end"),
        ("bad-proto", proto(99), "a PROTO that does not exist"),
    ):
        yield stream(
            f"payload-then-{label}",
            f"The payload, then {what}: it has run when the reader fails.",
            proto(4) + PAYLOAD + tail,
            mentions=SYSTEM,
        )
    yield stream(
        "protocol-0-no-stop",
        "A payload in protocol 0, without STOP.",
        b"cos\nsystem\n(S'true'\ntR",
        DANGEROUS,
        MALFORMED,
    )
    yield stream(
        "leftover-stack",
        "The payload's result is left on the stack below the pickle's own.",
        pickle(Code(PAYLOAD + b"}")),
        mentions=SYSTEM,
    )
    yield stream(
        "leftover-harmless",
        "Values are left on the stack: no pickler writes so.",
        pickle(Code(b"K\x01}")),
        UNKNOWN,
        codes=("STACK_LEFTOVER",),
    )
    yield stream(
        "frame-straddled",
        "A text crosses the end of its frame, so readers disagree on what follows.",
        proto(4) + frame(text("harmless") + b"0}.", 6),
        UNKNOWN,
        MALFORMED,
        codes=("FRAME_STRADDLED",),
    )
    yield stream(
        "frame-payload-behind",
        "The payload lies behind the frame.",
        proto(4) + frame(b"}0") + PAYLOAD + STOP,
        mentions=SYSTEM,
    )
    yield stream(
        "frame-in-frame",
        "A frame within a frame, with the payload.",
        proto(4) + frame(frame(PAYLOAD + STOP, 4)),
        mentions=SYSTEM,
    )
    yield stream(
        "buffer",
        "NEXT_BUFFER asks the loader for a buffer.",
        proto(5) + b"\x97.",
        UNKNOWN,
        codes=("BUFFER",),
    )
    yield stream(
        "persistent-id",
        "A plain pickle asks its loader for a persistent object.",
        pickle(Code(value(("anything", 1)) + b"Q")),
        UNKNOWN,
        codes=("PERSISTENT_ID",),
    )
    yield stream(
        "persistent-id-text",
        "The same with PERSID, the text form.",
        b"Panything\n.",
        UNKNOWN,
        codes=("PERSISTENT_ID",),
    )


def _literals() -> Iterator[Case]:
    """Numbers and texts that the unpickler reads and the disassembler of the library does not."""
    for label, literal in (
        ("hex", b"I0x1f\n"),
        ("hex-long", b"L0x1fL\n"),
        ("octal", b"I0o17\n"),
        ("spaces", b"I 12\n"),
        ("long-underscore", b"L1_000L\n"),
        ("float-underscore", b"F1_0.5\n"),
        ("bool-word", b"I01\n"),
    ):
        yield stream(
            f"literal-{label}",
            f"The payload behind {literal[:-1].decode()!r}, at which a disassembler may give up.",
            literal + b"0cos\nsystem\n(S'true'\ntR.",
            DANGEROUS,
            *((MALFORMED,) if label in ("octal", "float-underscore") else ()),
        )
    yield stream(
        "float-text",
        "The payload behind FLOAT, an opcode that a scanner's table did not have.",
        b"}F1.0\n0cos\nsystem\n(S'true'\ntR0.",
        mentions=SYSTEM,
    )
    yield stream(
        "bytearray8",
        "The payload behind BYTEARRAY8, an opcode that a scanner's table did not have.",
        proto(5) + b"\x96" + struct.pack("<Q", 3) + b"abc0" + PAYLOAD + STOP,
        mentions=SYSTEM,
    )
    yield stream(
        "string-unquoted",
        "STRING without quotes, which the unpickler refuses: the payload before it has run.",
        PAYLOAD + b"0Sabc\n.",
        mentions=SYSTEM,
    )
    yield stream(
        "string-escapes",
        "The name is the text of a STRING with escapes.",
        proto(4) + b"S'\\x6fs'\nS'\\163ystem'\n" + STACK_GLOBAL + tuple_of("true") + b"R.",
        mentions=SYSTEM,
    )
    yield stream(
        "invalid-utf8",
        "A text that is no UTF-8 follows the payload.",
        proto(2) + PAYLOAD + b"X\x02\0\0\0\xff\xfe.",
        mentions=SYSTEM,
    )
    yield stream(
        "proto-missing",
        "Opcodes of protocol 4 without PROTO.",
        bytes(stack_name("os", "system")) + tuple_of("true") + b"R.",
        mentions=SYSTEM,
    )
    yield stream(
        "proto-lie",
        "PROTO says 0, and opcodes of protocol 4 follow.",
        proto(0) + call(stack_name("os", "system"), "true") + STOP,
        mentions=SYSTEM,
    )
    yield stream(
        "proto-twice",
        "A second PROTO before the payload.",
        proto(2) + proto(4) + PAYLOAD + STOP,
        mentions=SYSTEM,
    )


def _nested() -> Iterator[Case]:
    """Pickles inside pickles."""
    inner = pickle(PAYLOAD)
    yield stream(
        "nested-loads",
        "A pickle in a text that is handed to `pickle.loads`.",
        pickle(call(name("pickle", "loads"), inner), 3),
        mentions=("pickle.loads", "os.system"),
    )
    yield stream(
        "nested-load_from_bytes",
        "A legacy checkpoint with the payload, handed to `torch.storage._load_from_bytes`.",
        pickle(call(name("torch.storage", "_load_from_bytes"), torch.legacy(PAYLOAD, {})), 3),
        mentions=SYSTEM,
    )
    yield stream(
        "nested-load_from_bytes-latin1",
        "The same where the bytes are a text that `_codecs.encode` makes bytes of.",
        pickle(
            call(
                name("torch.storage", "_load_from_bytes"),
                call(
                    name("_codecs", "encode"), torch.legacy(PAYLOAD, {}).decode("latin1"), "latin1"
                ),
            )
        ),
        mentions=SYSTEM,
    )
    yield stream(
        "nested-load_from_bytes-text",
        "`torch.storage._load_from_bytes` of what is no bytes.",
        pickle(
            call(
                name("torch.storage", "_load_from_bytes"),
                call(name("builtins", "bytes"), call(name("some.package", "f"))),
            )
        ),
        UNKNOWN,
    )
    yield stream(
        "nested-deep",
        "Pickles inside pickles, deeper than four levels: a limit.",
        _levels(9),
        MALFORMED,
        DANGEROUS,
        UNKNOWN,
    )


def _levels(count: int) -> bytes:
    body: object = PAYLOAD
    for _ in range(count):
        body = call(name("torch.storage", "_load_from_bytes"), pickle(body, 3))
    return pickle(body, 3)


def _disguises() -> Iterator[Case]:
    """What a file pretends to be."""
    yield hostile(
        "streams/CVE-2025-10155.bin",
        "A plain pickle called .bin, which was read as a PyTorch archive and given up.",
        pickle(EVAL, 4),
        mentions=("builtins.eval",),
    )
    yield hostile(
        "streams/CVE-2025-10155.pt", "The same called .pt.", pickle(PAYLOAD), mentions=SYSTEM
    )
    yield hostile(
        "streams/CVE-2025-1889.config",
        "A pickle whose name has no extension of pickles.",
        pickle(PAYLOAD),
        mentions=SYSTEM,
    )
    yield hostile(
        "streams/extension.safetensors",
        "A pickle that is called .safetensors.",
        pickle(PAYLOAD),
        mentions=SYSTEM,
    )
    yield hostile(
        "streams/extension.txt",
        "A pickle of protocol 0 that is called .txt.",
        b"cos\nsystem\n(S'true'\ntR.",
        mentions=SYSTEM,
    )
    forged = pickle(call(name("builtins", "int"), str(torch.MAGIC)))
    yield hostile(
        "streams/legacy-magic-by-reduce.pt",
        "The magic number is the result of a call, so that scanners see no PyTorch file.",
        forged + torch.legacy(PAYLOAD, {})[len(pickle(torch.MAGIC)) :],
        mentions=SYSTEM,
    )
    yield hostile(
        "streams/legacy-magic-by-eval.pt",
        "The magic number is computed by `eval`: the first pickle is the payload.",
        pickle(call(name("builtins", "eval"), str(torch.MAGIC)))
        + torch.legacy({}, {})[len(pickle(torch.MAGIC)) :],
        mentions=("builtins.eval",),
    )


def cases() -> Iterator[Case]:
    """Every beginning and end."""
    yield from _ends()
    yield from _literals()
    yield from _nested()
    yield from _disguises()
