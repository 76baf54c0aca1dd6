"""Objects of the extension made and used as nobody should: half made, twice made, mistaken.

Each piece runs in a process of its own kind: a crash is a failed test and no more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operations import Outcome, Raised

METHODS = "keys offset_keys metadata get_tensors get_tensor get_slice __enter__ __exit__"


@pytest.mark.parametrize("method", METHODS.split())
def test_objects_that_were_never_made(survives: Callable[..., Outcome], method: str) -> None:
    """__new__ without what it needs makes nothing, by whatever way it is called."""
    for make in (
        "safe_open.__new__(safe_open)",
        "object.__new__(safe_open)",
        "object.__new__(type(open_handle(io.BytesIO(sn.save({})), 'np')))",
        "copy.copy(safe_open(path, 'np'))",
        "safe_open.__reduce_ex__(safe_open(path, 'np'), 2)[0](safe_open)",
    ):
        for arguments in ("", "'a'", "None, None, None"):
            survives(f"f = {make}\nf.{method}({arguments})", path="/dev/null")


KINDS = [
    "TensorSpec", "type(safe_open(path, 'np').get_slice('a'))", "safetensors._sft.StreamWriter",
    "type(safe_open(path, 'np'))",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_types_that_cannot_be_made_plainly(
    survives: Callable[..., Outcome], small_file: str, kind: str
) -> None:
    made = f"kind = {kind}\n"
    for make in (
        "object.__new__(kind)",
        "kind.__new__(kind)",
        "kind()",
        "type('S', (kind,), {})()",
    ):
        ended = survives(made + f"thing = {make}\n1", path=small_file)
        assert isinstance(ended, Raised), f"{make} made a {kind}"
    survives(made + "kind.__new__(int)", path=small_file)
    survives(made + "kind.__new__(5)", path=small_file)
    survives(made + "kind.x = 1", path=small_file)
    survives(made + "kind.__init__(safe_open(path, 'np'), 1, 2, 3)", path=small_file)


def test_init_twice(survives: Callable[..., Outcome], small_file: str) -> None:
    survives(
        "f = safe_open(path, 'np')\nfor _ in range(9):\n    try:\n        f.__init__(path, 'np')\n"
        "    except TypeError: pass\nf.get_tensors()",
        path=small_file,
    )
    survives("s = Buffer(b'1').spec('uint8', [1])\ns.__init__()\ns.shape")
    survives(
        "w = safetensors._sft.StreamWriter(folder + '/x', [('a', 'U8', [1])])\n"
        "w.__init__(folder + '/y', [])\nw.put('a', b'1')\nw.commit()"
    )


def test_methods_of_one_type_on_another(survives: Callable[..., Outcome], small_file: str) -> None:
    for target in ("5", "None", "Buffer(b'').spec('uint8', [0])", "safe_open(path, 'np')"):
        for call in (
            "safe_open.keys", "safe_open.get_tensors", "TensorSpec.shape.__get__",
            "type(safe_open(path, 'np').get_slice('a')).get_shape",
            "safetensors._sft.StreamWriter.commit",
        ):  # fmt: skip
            survives(f"{call}({target})", path=small_file)


FALSE_MODULE = """
import sys
np
was = {n: m for n, m in sys.modules.items() if n.partition('.')[0] == name}
for n in was:
    del sys.modules[n]
sys.modules[name] = eval(false)
try:
    f = safe_open(path, framework)
    f.get_tensors(), f.get_slice('a')[1]
finally:
    del sys.modules[name]
    sys.modules.update(was)
"""


def test_false_modules(survives: Callable[..., Outcome], small_file: str) -> None:
    """The frameworks are looked up; what is found there need not be what it should be."""
    for name in ("numpy", "torch", "jax", "ml_dtypes"):
        for false in ("None", "5", "type(sys)('x')"):
            framework = {"numpy": "np", "torch": "pt", "jax": "jax", "ml_dtypes": "np"}[name]
            survives(
                FALSE_MODULE,
                path=small_file,
                name=name,
                framework=framework,
                false=false,
            )


def test_types_without_a_proper_name(survives: Callable[..., Outcome]) -> None:
    """A message tells the type of a wrong argument: whatever its own class says of its name."""
    wrong = (
        "class Kind(type):\n    def __getattribute__(self, name):\n        return 5\n"
        "given = Kind('X', (), {})()\n"
    )
    for call in ("serialize(given)", "serialize({'a': given})", "deserialize(given)"):
        ended = survives(wrong + call)
        assert isinstance(ended, Raised)
        assert "'5' object" in ended.text


def test_false_arrays(survives: Callable[..., Outcome], small_file: str) -> None:
    """Arrays are made by NumPy's own interface, which trusts the type that it is given."""
    for false in ("5", "type('Fake', (), {})"):
        survives(
            f"true = np.ndarray\nnp.ndarray = {false}\n"
            "try:\n    safe_open(path, 'np').get_tensors()\nfinally:\n    np.ndarray = true",
            path=small_file,
        )


def test_paths_in_bytes(survives: Callable[..., Outcome]) -> None:
    """What os.PathLike gives may be bytes, and these no text."""
    ended = survives(
        "import warnings\nwarnings.simplefilter('error')\n"
        "path = type('Path', (), {'__fspath__': lambda self: b'/nowhere/\\xff'})()\n"
        "safe_open(path, 'np')"
    )
    assert isinstance(ended, Raised)
    assert ended.kind == "FileNotFoundError"
    # In ASCII: a report with a lone surrogate in it cannot be sent between processes of pytest.
    assert ascii(ended.text) == r"'No such file or directory: /nowhere/\udcff'"
