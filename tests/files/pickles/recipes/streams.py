"""Tricks with opcodes: streams that scanners read differently from CPython's unpickler."""

from __future__ import annotations

from collections.abc import Iterator

from pickles.recipes import torch
from pickles.recipes.case import DANGEROUS, MALFORMED, UNKNOWN, Case, stream
from pickles.recipes.ops import (
    PAYLOAD,
    POP,
    SETITEM,
    STACK_GLOBAL,
    Code,
    build,
    call,
    integer,
    name,
    new,
    pickle,
    proto,
    raw_bytes,
    short_text,
    stack_name,
    text,
    tuple_of,
    value,
)

SYSTEM = ("os.system",)


def _naming() -> Iterator[Case]:
    """Ways to name a function."""
    memo = short_text("os") + b"\x94" + POP + short_text("system") + b"\x94" + POP
    yield stream(
        "stack_global-memo",
        "Both operands of STACK_GLOBAL come out of the memo.",
        proto(4) + memo + b"h\0h\x01" + STACK_GLOBAL + tuple_of("true") + b"R.",
        mentions=SYSTEM,
    )
    decoys = short_text("collections") + short_text("OrderedDict") + POP + POP
    yield stream(
        "stack_global-decoys",
        "Between the memo's operands and STACK_GLOBAL stand the texts of a harmless name.",
        proto(4) + memo + b"h\0h\x01" + decoys + STACK_GLOBAL + tuple_of("true") + b"R.",
        mentions=SYSTEM,
    )
    swapped = short_text("collections") + b"\x94" + short_text("os") + b"q\0" + POP + POP
    yield stream(
        "stack_global-memo-overwritten",
        "The memo's first text is replaced by another before STACK_GLOBAL takes it.",
        proto(4)
        + swapped
        + b"h\0"
        + short_text("system")
        + STACK_GLOBAL
        + tuple_of("true")
        + b"R.",
        mentions=SYSTEM,
    )
    yield stream(
        "stack_global-memo-numbers",
        "MEMOIZE after PUT 7: the memo's next number is its size, not one more than the largest.",
        proto(4)
        + short_text("collections")
        + b"q\x07"
        + short_text("os")
        + b"\x94"
        + POP
        + POP
        + b"h\x01"
        + short_text("system")
        + STACK_GLOBAL
        + tuple_of("true")
        + b"R.",
        mentions=SYSTEM,
    )
    yield stream(
        "stack_global-dup",
        "The operands are one text, doubled: `code.code`.",
        proto(4) + short_text("code") + b"2" + STACK_GLOBAL + b".",
    )
    escaped = b"V\\u006f\\u0073\nV\\u0073ystem\n"
    yield stream(
        "stack_global-escaped",
        "The operands are written with escapes in UNICODE.",
        proto(4) + escaped + STACK_GLOBAL + tuple_of("true") + b"R.",
        mentions=SYSTEM,
    )
    yield stream(
        "stack_global-computed",
        "The operand of STACK_GLOBAL is what a call returns.",
        proto(4)
        + call(name("builtins", "str"), raw_bytes(b"os"), "ascii")
        + short_text("system")
        + STACK_GLOBAL
        + tuple_of("true")
        + b"R.",
        UNKNOWN,
        DANGEROUS,
        codes=("COMPUTED_NAME",),
    )
    yield stream(
        "stack_global-bytes",
        "The operands are bytes, which CPython refuses and others take.",
        proto(4)
        + raw_bytes(b"os")
        + raw_bytes(b"system")
        + STACK_GLOBAL
        + tuple_of("true")
        + b"R.",
        UNKNOWN,
        DANGEROUS,
        MALFORMED,
    )
    yield stream(
        "inst-popped",
        "INST, the call of protocol 0, and its result is popped.",
        b"(S'true'\nios\nsystem\n0N.",
        mentions=SYSTEM,
    )
    yield stream(
        "obj-popped",
        "OBJ, the call of protocol 1, and its result is popped.",
        b"(cos\nsystem\nS'true'\no0N.",
        mentions=SYSTEM,
    )
    yield stream(
        "obj-pty",
        "OBJ with `pty.spawn`, whose result is the pickle's.",
        b"(cpty\nspawn\nS'true'\no.",
        mentions=("pty.spawn",),
    )
    yield stream(
        "reduce-popped",
        "REDUCE, and POP takes the result away.",
        pickle(Code(PAYLOAD + POP + b"}")),
        mentions=SYSTEM,
    )
    yield stream(
        "reduce-pop_mark",
        "REDUCE behind a mark, and POP_MARK takes all of it away.",
        pickle(Code(b"(" + PAYLOAD + b"1}")),
        mentions=SYSTEM,
    )
    yield stream(
        "newobj", "The call is made by NEWOBJ.", pickle(new(name("subprocess", "Popen"), ["true"]))
    )
    yield stream(
        "newobj_ex",
        "The call is made by NEWOBJ_EX.",
        pickle(Code(name("subprocess", "Popen") + tuple_of(["true"]) + b"}\x92"), 4),
    )
    yield stream(
        "python2-names",
        "A name of Python 2 that protocols below 3 map: `__builtin__.apply`.",
        b"c__builtin__\napply\n(cos\nsystem\n(S'true'\nttR.",
        mentions=SYSTEM,
    )
    yield stream(
        "python2-mapped",
        "`commands.getoutput` becomes `subprocess.getoutput`.",
        b"ccommands\ngetoutput\n(S'true'\ntR.",
    )
    for size, argument in ((1, b"\x01"), (2, b"\x01\0"), (4, b"\x01\0\0\0")):
        yield stream(
            f"ext{size}",
            f"EXT{size}: a name out of the registry of copyreg, which may hold anything.",
            proto(2)
            + bytes((0x81 + {1: 1, 2: 2, 4: 3}[size],))
            + argument
            + tuple_of("true")
            + b"R.",
            UNKNOWN,
            codes=("EXTENSION_CODE",),
        )


def _effects() -> Iterator[Case]:
    """What is done to objects, without any call."""
    modules = stack_name("numpy", "core._internal.sys.modules")
    yield stream(
        "build-function-then-dotted",
        "BUILD hangs all modules under `numpy.prod`, and a dotted name reaches `os.system` there.",
        pickle(
            Code(
                build(stack_name("numpy", "prod"), tuple_of(None, modules))
                + POP
                + call(stack_name("numpy", "prod.os.system"), "true")
            ),
            4,
        ),
        UNKNOWN,
        DANGEROUS,
    )
    yield stream(
        "build-numpy-builtins",
        "The state that BUILD sets is `numpy.__builtins__`; then `Namespace.eval` is called.",
        pickle(
            Code(
                build(name("argparse", "Namespace"), name("numpy", "__builtins__"))
                + POP
                + call(stack_name("argparse", "Namespace.eval"), "1+1")
            ),
            4,
        ),
        UNKNOWN,
        DANGEROUS,
    )
    yield stream(
        "get-numpy-builtins",
        "`builtins.dict.get` fetches `exec` out of `numpy.__builtins__`.",
        pickle(
            call(
                call(
                    stack_name("builtins", "dict.get"), stack_name("numpy", "__builtins__"), "exec"
                ),
                "pass",
            ),
            4,
        ),
    )
    yield stream(
        "build-allowed-function",
        "BUILD sets the code of a function that is allowed to be called.",
        pickle(build(name("torch._utils", "_rebuild_tensor_v2"), {"__code__": 1})),
        UNKNOWN,
        DANGEROUS,
        codes=("STATE_SET",),
    )
    yield stream(
        "build-setstate",
        "BUILD on an instance of an unknown class runs its `__setstate__`.",
        pickle(build(new(name("some.package", "Thing")), {"a": 1})),
        UNKNOWN,
        codes=("STATE_SET", "UNKNOWN_GLOBAL", "UNKNOWN_CALL"),
    )
    yield stream(
        "setitem-sys-modules",
        "SETITEM puts a module of the attacker's into `sys.modules`.",
        pickle(Code(name("sys", "modules") + text("os") + name("some.package", "thing") + SETITEM)),
        mentions=("sys.modules",),
    )
    yield stream(
        "setitem-global",
        "SETITEM on something that is looked up.",
        pickle(Code(name("some.package", "table") + value("a") + value(1) + SETITEM)),
        UNKNOWN,
        codes=("ITEM_SET", "UNKNOWN_GLOBAL"),
    )
    yield stream(
        "setitems-environ",
        "SETITEMS changes the environment.",
        pickle(Code(name("os", "environ") + b"(" + text("LD_PRELOAD") + text("/dev/null") + b"u")),
        mentions=("os.environ",),
    )
    yield stream(
        "appends-sys-path",
        "APPENDS adds a folder to `sys.path`.",
        pickle(Code(name("sys", "path") + b"(" + text("/tmp/x") + b"e")),  # noqa: S108
        mentions=("sys.path",),
    )
    yield stream(
        "append-object",
        "APPEND on an instance of an unknown class.",
        pickle(Code(new(name("some.package", "Thing")) + value(1) + b"a")),
        UNKNOWN,
        codes=("ITEM_APPENDED", "UNKNOWN_GLOBAL", "UNKNOWN_CALL"),
    )
    yield stream(
        "CVE-2026-24747-setitem",
        "SETITEM on a tensor, which a loader for weights alone let pass.",
        pickle(Code(torch.tensor(torch.storage(4), (4,), (1,)) + value(0) + value(1) + SETITEM)),
        UNKNOWN,
    )
    yield stream(
        "setitem-list",
        "SETITEM on a list.",
        pickle(Code(b"]" + value(0) + value(1) + SETITEM)),
        UNKNOWN,
    )
    yield stream(
        "setitem-int",
        "SETITEM on a number.",
        pickle(Code(b"K\x01" + value(0) + value(1) + SETITEM)),
        UNKNOWN,
        MALFORMED,
    )


def _arguments() -> Iterator[Case]:
    """Allowed calls with arguments that are not."""
    yield stream(
        "from_type-callable",
        "The first argument of `_rebuild_from_type_v2` is called: here it is `os.system`.",
        pickle(
            call(
                name("torch._tensor", "_rebuild_from_type_v2"),
                name("os", "system"),
                name("torch", "Tensor"),
                ("true",),
                {},
            )
        ),
        mentions=SYSTEM,
    )
    yield stream(
        "from_type-unknown",
        "The same with a function nobody can vouch for.",
        pickle(
            call(
                name("torch._tensor", "_rebuild_from_type_v2"),
                name("some.package", "f"),
                name("torch", "Tensor"),
                ("true",),
                {},
            )
        ),
        UNKNOWN,
    )
    yield stream(
        "reconstructor-class",
        "`copyreg._reconstructor` with a class nobody can vouch for.",
        b"ccopy_reg\n_reconstructor\n(csome.package\nThing\nc__builtin__\nobject\nNtR.",
        UNKNOWN,
    )
    yield stream(
        "reconstructor-base",
        "`copyreg._reconstructor` with a base other than object.",
        b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\ncsome.package\nBase\nNtR.",
        UNKNOWN,
    )
    yield stream(
        "defaultdict-factory",
        "A defaultdict whose factory is `os.getpid`: it is called for each missing key.",
        pickle(call(name("collections", "defaultdict"), name("os", "getpid"))),
    )
    yield stream(
        "defaultdict-unknown-factory",
        "A defaultdict with a factory nobody can vouch for.",
        pickle(call(name("collections", "defaultdict"), name("some.package", "f"))),
        UNKNOWN,
    )
    yield stream(
        "encode-rot13",
        "`_codecs.encode` with a codec other than latin1, which looks up a module by its name.",
        pickle(call(name("_codecs", "encode"), "abc", "rot13")),
        UNKNOWN,
        DANGEROUS,
        codes=("ARGUMENT",),
    )
    yield stream(
        "bytearray-10-12",
        "`bytearray(10**12)`: a number beyond the input's size.",
        pickle(call(name("builtins", "bytearray"), 10**12)),
        UNKNOWN,
        codes=("ARGUMENT",),
    )
    yield stream(
        "storage-10-12",
        "`torch.FloatStorage(10**12)`: memory by a number.",
        pickle(call(name("torch", "FloatStorage"), 10**12)),
        UNKNOWN,
    )
    yield stream(
        "range-list",
        "`list(range(10**12))`: memory by a number.",
        pickle(call(name("builtins", "list"), call(name("builtins", "range"), 10**12))),
        UNKNOWN,
    )
    yield stream(
        "callee-result",
        "What a call returns is called.",
        pickle(call(call(name("builtins", "slice"), 1), 1)),
        UNKNOWN,
    )
    yield stream(
        "callee-text",
        "A text is called.",
        pickle(call(text("os.system"), "true")),
        UNKNOWN,
        MALFORMED,
    )


def cases() -> Iterator[Case]:
    """Every trick."""
    yield from _naming()
    yield from _effects()
    yield from _arguments()
    yield stream(
        "integer-bomb",
        "`complex` and `range` bear numbers, `bytes(10**12)` does not.",
        pickle(call(name("builtins", "bytes"), integer(10**12))),
        UNKNOWN,
    )
