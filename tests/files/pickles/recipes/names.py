"""Names that run code, open, fetch or import; scanners with lists of bad names missed most."""

from __future__ import annotations

from collections.abc import Iterator

from pickles.recipes.case import DANGEROUS, UNKNOWN, Case, hostile
from pickles.recipes.ops import call, name, pickle, stack_name

# Modules that are dangerous whatever is taken from them: a name, its arguments.
DANGEROUS_NAMES: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("builtins", "eval", ("1+1",)),
    ("builtins", "exec", ("pass",)),
    ("builtins", "compile", ("1", "<x>", "eval")),
    ("builtins", "__import__", ("os",)),
    ("builtins", "open", ("/dev/null",)),
    ("builtins", "getattr", (1, "real")),
    ("builtins", "print", ("harmless",)),
    ("__builtin__", "eval", ("1+1",)),
    ("__builtin__", "execfile", ("/dev/null",)),
    ("os", "system", ("echo harmless",)),
    ("os", "execve", ("/bin/true", [], {})),
    ("os.path", "exists", ("/dev/null",)),
    ("posix", "system", ("echo harmless",)),
    ("nt", "system", ("echo harmless",)),
    ("subprocess", "check_output", (["true"],)),
    ("subprocess", "Popen", (["true"],)),
    ("commands", "getoutput", ("true",)),
    ("popen2", "popen3", ("true",)),
    ("sys", "exit", (0,)),
    ("socket", "create_connection", (("127.0.0.1", 9),)),
    ("webbrowser", "open", ("about:blank",)),
    ("shutil", "copyfile", ("/dev/null", "/dev/null")),
    ("runpy", "run_path", ("/dev/null",)),
    ("pty", "spawn", ("true",)),
    ("importlib", "import_module", ("os",)),
    ("importlib.util", "find_spec", ("os",)),
    ("imp", "load_source", ("x", "/dev/null")),
    ("pydoc", "pipepager", ("harmless", "true")),
    ("timeit", "timeit", ("pass",)),
    ("cProfile", "runctx", ("pass", {}, {})),
    ("profile", "run", ("pass",)),
    ("pdb", "run", ("pass",)),
    ("bdb", "Bdb", ()),
    ("code", "interact", ()),
    ("_ctypes", "dlopen", ("libc.so.6", 2)),
    ("marshal", "loads", (b"N",)),
    ("pickle", "loads", (b"N.",)),
    ("_pickle", "loads", (b"N.",)),
    ("cloudpickle", "loads", (b"N.",)),
    ("cloudpickle.cloudpickle", "subimport", ("os",)),
    ("dill", "loads", (b"N.",)),
    ("dill._dill", "_import_module", ("os",)),
    ("joblib", "load", ("/dev/null",)),
    ("joblib.numpy_pickle", "load", ("/dev/null",)),
)

# Names that no list of modules can be complete about: never clean.
OTHER_NAMES: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("pkgutil", "resolve_name", ("os:system",)),
    ("operator", "methodcaller", ("system", "true")),
    ("operator", "attrgetter", ("system",)),
    ("_operator", "itemgetter", ("system",)),
    ("functools", "partial", (name("operator", "add"), 1)),
    ("functools", "reduce", (name("operator", "add"), [1, 2])),
    ("numpy.f2py.crackfortran", "getlincoef", ("1", {})),
    ("numpy.f2py.crackfortran", "_eval_length", ("1", {})),
    ("numpy.testing._private.utils", "runstring", ("pass", {})),
    ("numpy", "load", ("/dev/null",)),
    ("numpy", "fromfile", ("/dev/null",)),
    ("numpy", "savetxt", ("/dev/null", [])),
    ("numpy.lib.npyio", "DataSource", ("/dev",)),
    ("numpy.ctypeslib", "load_library", ("libc", "/")),
    ("numpy.distutils.exec_command", "exec_command", ("true",)),
    ("asyncio", "create_subprocess_shell", ("true",)),
    ("asyncio.subprocess", "create_subprocess_exec", ("true",)),
    ("_posixsubprocess", "fork_exec", ()),
    ("_interpreters", "create", ()),
    ("_xxsubinterpreters", "run_string", (0, "pass")),
    ("multiprocessing.util", "spawnv_passfds", (b"true", [], [])),
    ("threading", "Timer", (0, name("operator", "add"))),
    ("types", "FunctionType", ()),
    ("types", "CodeType", ()),
    ("io", "FileIO", ("/dev/null",)),
    ("_io", "open", ("/dev/null",)),
    ("_io", "FileIO", ("/dev/null",)),
    ("codecs", "open", ("/dev/null",)),
    ("linecache", "getlines", ("/dev/null",)),
    ("fileinput", "input", ("/dev/null",)),
    ("tempfile", "mkdtemp", ()),
    ("glob", "glob", ("/*",)),
    ("zipfile", "ZipFile", ("/dev/null",)),
    ("tarfile", "open", ("/dev/null",)),
    ("zipimport", "zipimporter", ("/dev/null",)),
    ("sqlite3", "connect", (":memory:",)),
    ("shelve", "open", ("/dev/null",)),
    ("urllib.request", "urlopen", ("file:///dev/null",)),
    ("http.client", "HTTPSConnection", ("localhost",)),
    ("requests", "get", ("http://localhost",)),
    ("smtplib", "SMTP", ("localhost",)),
    ("ftplib", "FTP", ("localhost",)),
    ("xmlrpc.client", "ServerProxy", ("http://localhost",)),
    ("ssl", "get_server_certificate", (("localhost", 9),)),
    ("ensurepip", "_run_pip", ([],)),
    ("venv", "create", ("/dev/null",)),
    ("doctest", "debug_script", ("pass",)),
    ("trace", "Trace", ()),
    ("lib2to3.pgen2.pgen", "ParserGenerator", ("/dev/null",)),
    ("idlelib.pyshell", "ModifiedInterpreter", ()),
    ("test.support.script_helper", "assert_python_ok", ("-c", "pass")),
    ("distutils.spawn", "spawn", (["true"],)),
    ("platform", "popen", ("true",)),
    ("site", "addsitedir", ("/dev",)),
    ("atexit", "register", (name("operator", "add"),)),
    ("signal", "raise_signal", (0,)),
    ("gc", "get_objects", ()),
    ("inspect", "getsource", (1,)),
    ("copyreg", "add_extension", ("os", "system", 1)),
    ("torch", "load", ("/dev/null",)),
    ("torch.hub", "load", ("a/b", "c")),
    ("torch.jit", "load", ("/dev/null",)),
    ("torch.package", "PackageImporter", ("/dev/null",)),
    ("torch.serialization", "load", ("/dev/null",)),
    ("torch.utils.cpp_extension", "load_inline", ("x", "")),
    ("torch.utils.collect_env", "run", ("true",)),
    ("torch.utils.bottleneck.__main__", "run_cprofile", ("pass", {})),
    ("torch.utils.bottleneck.__main__", "run_autograd_prof", ("pass", {})),
    ("torch.jit.unsupported_tensor_ops", "execWrapper", ("pass", {}, {})),
    ("torch._inductor.codecache", "compile_file", ("a", "b", "c")),
    ("torch.distributed.elastic.multiprocessing.subprocess_handler", "SubprocessHandler", ()),
    ("pandas", "read_pickle", ("/dev/null",)),
    ("pandas.core.computation.eval", "eval", ("1",)),
    ("transformers", "pipeline", ("x",)),
    ("sympy.parsing.sympy_parser", "eval_expr", ("1", {}, {})),
    ("yaml", "unsafe_load", ("1",)),
    ("jsonpickle", "decode", ("1",)),
    ("evil_module_of_the_attacker", "run", ()),
    ("__main__", "Model", ()),
)

# Names that made a number of their own.
NUMBERED: tuple[tuple[str, str, str, tuple[object, ...], str], ...] = (
    ("CVE-2025-1716", "pip", "main", (["--version"],), DANGEROUS),
    ("CVE-2025-1716-internal", "pip._internal", "main", (["--version"],), DANGEROUS),
    ("CVE-2026-22608-pydoc", "pydoc", "locate", ("ctypes",), DANGEROUS),
    ("CVE-2026-22608-ctypes", "ctypes", "CDLL", (None,), DANGEROUS),
    ("CVE-2026-56304", "logging", "FileHandler", ("/dev/null",), UNKNOWN),
    ("CVE-2026-56304-rotating", "logging.handlers", "RotatingFileHandler", ("/dev/null",), UNKNOWN),
    ("CVE-2026-56315-uuid", "uuid", "_get_command_stdout", ("true",), UNKNOWN),
    ("CVE-2026-56315-imaplib", "imaplib", "IMAP4_stream", ("true",), UNKNOWN),
    ("CVE-2026-56315-pipe_pager", "_pyrepl.pager", "pipe_pager", ("harmless", "true"), UNKNOWN),
    ("CVE-2026-56315-tempfile_pager", "_pyrepl.pager", "tempfile_pager", ("x", "true"), UNKNOWN),
    ("CVE-2026-56315-osx", "_osx_support", "_read_output", ("true",), UNKNOWN),
    ("CVE-2026-56315-osx-find", "_osx_support", "_find_build_tool", ("true",), UNKNOWN),
    ("CVE-2026-56315-aix", "_aix_support", "_read_cmd_output", ("true",), UNKNOWN),
    ("CVE-2025-10156-write_file", "distutils.file_util", "write_file", ("/dev/null", []), UNKNOWN),
)

# Classes of submodules, reached with a dot.
DOTTED: tuple[tuple[str, str, str], ...] = (
    ("CVE-2025-10157-asyncio", "asyncio.unix_events", "_UnixSubprocessTransport._start"),
    ("idlelib-runcode", "idlelib.run", "Executive.runcode"),
    ("lib2to3-load", "lib2to3.pgen2.grammar", "Grammar.loadGrammar"),
    ("torch-load_config", "torch.utils._config_module", "ConfigModule.load_config"),
    ("torch-guards", "torch._dynamo.guards", "GuardBuilder.get"),
    (
        "torch-evaluate_guards",
        "torch.fx.experimental.symbolic_shapes",
        "ShapeEnv.evaluate_guards_expression",
    ),
    ("numpy-sys", "numpy", "core._internal.sys.modules"),
    ("torch-os", "torch", "serialization.os.system"),
    ("ordered-dict-get", "collections", "OrderedDict.get"),
    ("namespace-globals", "argparse", "Namespace.__init__.__globals__"),
)


def _verdicts(verdict: str) -> tuple[str, ...]:
    # What the table does not call dangerous today it may tomorrow: a service to the reader.
    return (verdict,) if verdict == DANGEROUS else (UNKNOWN, DANGEROUS)


def _named(
    label: str, module: str, attribute: str, arguments: tuple[object, ...], verdict: str
) -> Case:
    # Both ways to name, in turn: by the label, so that a new row changes no other file.
    modern = sum(label.encode()) % 2 == 0
    found = stack_name(module, attribute) if modern else name(module, attribute)
    body = call(found, *arguments)
    return hostile(
        f"names/{label}.pkl",
        f"Calls `{module}.{attribute}`.",
        pickle(body, 4 if modern else 2),
        *_verdicts(verdict),
        mentions=(f"{module}.{attribute}",),
    )


def cases() -> Iterator[Case]:
    """Every name."""
    for module, attribute, arguments in DANGEROUS_NAMES:
        yield _named(f"{module}.{attribute}", module, attribute, arguments, DANGEROUS)
    for module, attribute, arguments in OTHER_NAMES:
        yield _named(f"{module}.{attribute}", module, attribute, arguments, UNKNOWN)
    for label, module, attribute, arguments, verdict in NUMBERED:
        yield _named(label, module, attribute, arguments, verdict)
    for label, module, attribute in DOTTED:
        yield hostile(
            f"names/dotted-{label}.pkl",
            f"Reaches through an object with a dotted name: `{module}` `{attribute}`.",
            pickle(call(stack_name(module, attribute)), 4),
            *_verdicts(UNKNOWN),
            codes=("DOTTED_NAME", "DANGEROUS_GLOBAL", "UNKNOWN_GLOBAL"),
        )
    yield hostile(
        "names/referenced-only.pkl",
        "`os.system` is only looked up: the import alone can do harm.",
        pickle(name("os", "system")),
        mentions=("os.system",),
    )
    yield hostile(
        "names/CVE-2026-22608-chain.pkl",
        "`pydoc.locate` finds a function by a text, and that is called.",
        pickle(call(call(stack_name("pydoc", "locate"), "ctypes.CDLL"), None), 4),
        mentions=("pydoc.locate",),
    )
    yield hostile(
        "names/submodule-of-dangerous.pkl",
        "A submodule of a dangerous module that no list names.",
        pickle(call(name("subprocess.anything", "run"), "true")),
    )
    yield hostile(
        "names/resolve_name-chain.pkl",
        "`pkgutil.resolve_name` finds `os.system` by a text, and that is called.",
        pickle(call(call(stack_name("pkgutil", "resolve_name"), "os:system"), "true"), 4),
        UNKNOWN,
        DANGEROUS,
    )
