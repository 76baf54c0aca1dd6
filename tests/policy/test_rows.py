"""What the tables claim of classes, held against the packages that are installed."""

from __future__ import annotations

import enum
import importlib
import types
import warnings
from typing import Any

import asking
import pytest

# Names of other versions than those that are installed, or of other Pythons.
ELSEWHERE = {
    "transformers.trainer_utils.EvaluationStrategy": "transformers 4",
    "transformers.trainer_utils.ShardedDDPOption": "transformers 4",
    "pytorch_lightning.callbacks.progress.ProgressBarBase": "Lightning 1",
}
# Modules that only other versions have: Python 3.13, transformers 4, Lightning 1.
ELSEWHERE_MODULES = (
    "pathlib._local",
    "transformers.deepspeed",
    "pytorch_lightning.callbacks.gpu_stats_monitor",
    "pytorch_lightning.callbacks.progress.base",
    "pytorch_lightning.callbacks.quantization",
    "pytorch_lightning.callbacks.xla_stats_monitor",
)

# Classes with a __setstate__ of their own that only keeps what it gets.
KEEPERS = ("omegaconf.", "sklearn.", "uuid.UUID")
# Classes whose __getattr__ raises for every name that loading looks for.
NO_ATTRIBUTES = ("accelerate.state.", "omegaconf.")


def found(row: asking.Row) -> Any:
    """What a row names; the test is skipped where its package is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = importlib.import_module(row.module)
        except ImportError:
            try:
                importlib.import_module(row.module.split(".")[0])
            except ImportError:
                pytest.skip(f"{row.module.split('.')[0]} is not installed")
            if row.module in ELSEWHERE_MODULES:
                pytest.skip(f"{row.module} is of another version")
            raise
    full = f"{row.module}.{row.name}"
    if not hasattr(module, row.name) and full in ELSEWHERE:
        pytest.skip(f"{full} is of {ELSEWHERE[full]}")
    return getattr(module, row.name)


def records() -> list[asking.Row]:
    """All inert rows but Python 2's."""
    return [row for row in asking.rows() if row.kind == "inert" and row.module != "__builtin__"]


def has_own(made: type, method: str) -> bool:
    """Whether a class, or one that it comes from, has such a method that is written in Python."""
    found = (vars(base).get(method) for base in made.__mro__)
    return any(isinstance(one, types.FunctionType | staticmethod) for one in found)


@pytest.mark.parametrize("row", records(), ids=lambda row: f"{row.module}.{row.name}")
def test_record(row: asking.Row) -> None:
    """An inert row names something, and what may be done to it is harmless."""
    made = found(row)
    full = f"{row.module}.{row.name}"
    if row.flags & asking.STATE:
        assert isinstance(made, type)
        assert full.startswith(KEEPERS) or not has_own(made, "__setstate__")
        assert full.startswith(NO_ATTRIBUTES) or not has_own(made, "__getattr__")
        assert not has_own(made, "__getattribute__")
    if row.flags & asking.NEW:
        assert isinstance(made, type)
        assert not has_own(made, "__new__")
    if isinstance(made, type) and issubclass(made, enum.Enum):
        # A member is shared by the whole program: nothing may be set in it.
        assert row.flags == asking.CALLABLE


def allowed() -> list[asking.Row]:
    """All allowed rows, but for Python 2's and those of other versions of NumPy and PyTorch."""
    other = ("__builtin__", "copy_reg", "numpy.core.multiarray", "numpy.core.numeric")
    return [row for row in asking.rows() if row.kind == "allowed" and row.module not in other]


def test_allowed_names_exist() -> None:
    """A name that nothing answers to would be a row that nobody can check."""
    absent = set()
    for row in allowed():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(row.module)
        if not hasattr(module, row.name):
            absent.add(f"{row.module}.{row.name}")
    # Storages were reached through torch.storage by some; the rest is of PyTorch 1.12 and 1.13.
    assert all(
        name.startswith("torch.") and name.endswith(("Storage", "Tensor")) for name in absent
    ), absent
