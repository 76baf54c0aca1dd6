"""What real checkpoints hold beside tensors is clean, in every protocol: made on the spot."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import importlib
import io
import pathlib
import pickle
import signal
import types
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import asking
import ml_dtypes
import numpy as np
import pytest
import torch


def expect_clean(pickled: bytes) -> None:
    """No judgement at all."""
    assert asking.judgements(pickled) == []


def with_attributes() -> collections.OrderedDict[str, int]:
    """A state dict has its metadata as an attribute."""
    made = collections.OrderedDict(a=1)
    made._metadata = collections.OrderedDict(version=1)  # type: ignore[attr-defined]
    return made


VALUES: dict[str, Any] = {
    "plain": [None, True, 1, -(2**70), 1.5, "é", b"\xff", (), {"a": [1]}, {1}, frozenset([2])],
    "bytes": [b"", b"a" * 300, bytearray(), bytearray(b"ab")],
    "numbers": [1 + 2j, slice(1, None, 2), range(10**12)],
    "ordered": with_attributes(),
    "counter": collections.Counter("abca"),
    "defaultdicts": [collections.defaultdict(list, a=[1]), collections.defaultdict(None, {1: 2})],
    "deque": collections.deque([1, 2], maxlen=7),
    "namespace": argparse.Namespace(lr=1e-3, path=pathlib.Path("x/y"), tags=["a"]),
    "simple": types.SimpleNamespace(a=1, b=None),
    "paths": [pathlib.PurePosixPath("/a"), pathlib.PureWindowsPath("c:\\a"), pathlib.Path("a")],
    "times": [
        datetime.date(2020, 1, 2),
        datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
        datetime.time(1, 2),
        datetime.timedelta(days=3),
    ],
    "decimal": decimal.Decimal("1.50"),
    "uuid": uuid.UUID(int=7),
    "signal": signal.SIGTERM,
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", VALUES)
def test_python(name: str, protocol: int) -> None:
    """Values of Python's own."""
    expect_clean(pickle.dumps(VALUES[name], protocol))


ARRAYS: dict[str, np.ndarray[Any, Any] | np.generic] = {
    **{kind: np.zeros((2, 3), kind) for kind in ("?", "i1", "u2", ">i4", "f2", "<f8", "c16", "g")},
    "empty": np.zeros(0, "f4"),
    "scalar array": np.array(1.0),
    "fortran": np.asfortranarray(np.ones((2, 3), "f4")),
    "texts": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "void": np.zeros(2, "V5"),
    "times": np.zeros(2, "M8[ns]"),
    "differences": np.zeros(2, "m8[s]"),
    "objects": np.array([None, "a", {}], dtype=object),
    "fields": np.zeros(2, [("a", "f4"), ("b", "S3"), ("c", ">u2")]),
    "aligned": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "bfloat16": np.zeros(2, ml_dtypes.bfloat16),
    "float8": np.zeros(2, ml_dtypes.float8_e4m3fn),
    "number": np.float32(1.5),
    "text": np.str_("a"),
    "moment": np.datetime64("2020-01-01"),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_numpy(name: str, protocol: int) -> None:
    """Arrays and numbers of NumPy."""
    expect_clean(pickle.dumps(ARRAYS[name], protocol))


def saved(value: object, protocol: int = 2) -> bytes:
    """The pickle in what torch.save writes."""
    to = io.BytesIO()
    torch.save(value, to, pickle_protocol=protocol)
    with zipfile.ZipFile(to) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def quantized() -> list[torch.Tensor]:
    """Tensors whose elements are numbers of a scale."""
    plain = torch.ones(3, 2)
    scales, zeros = torch.ones(3, dtype=torch.double), torch.zeros(3, dtype=torch.long)
    return [
        torch.quantize_per_tensor(plain, 0.1, 2, torch.qint8),
        torch.quantize_per_channel(plain, scales, zeros, 0, torch.quint8),
    ]


def parameter_with_attributes() -> torch.nn.Parameter:
    """As libraries mark their parameters."""
    made = torch.nn.Parameter(torch.ones(2))
    made.is_shared = True
    return made


TENSORS: dict[str, Callable[[], Any]] = {
    "dtypes": lambda: [
        torch.zeros(2).to(kind)
        for kind in (
            torch.float16,
            torch.bfloat16,
            torch.complex64,
            torch.bool,
            torch.uint8,
            torch.float8_e5m2,
        )
    ],
    "unsigned": lambda: [
        torch.zeros(2, dtype=kind) for kind in (torch.uint16, torch.uint32, torch.uint64)
    ],
    "views": lambda: [
        torch.ones(4, 4).t(),
        torch.ones(4)[1:3],
        torch.ones(1).expand(9),
        torch.ones(2).conj(),
    ],
    "conjugate": lambda: torch.ones(2, dtype=torch.complex64).conj(),
    "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    "attributes": parameter_with_attributes,
    "buffer": lambda: torch.nn.Buffer(torch.ones(2)),
    "meta": lambda: torch.ones(2, device="meta"),
    "sparse": lambda: [torch.eye(3).to_sparse(), torch.eye(3).to_sparse_csr()],
    "quantized": quantized,
    "storages": lambda: [torch.ones(2).untyped_storage(), torch.ones(2).storage()],
    "others": lambda: [torch.Size([1, 2]), torch.device("cuda", 1), torch.float32, torch.strided],
    "model": lambda: torch.nn.LSTM(2, 3).state_dict(),
    "optimizer": lambda: torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict(),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("name", TENSORS)
def test_torch(name: str, protocol: int) -> None:
    """Tensors of every kind, and what lies beside them."""
    expect_clean(saved(TENSORS[name](), protocol))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TENSORS)
def test_torch_pickled_alone(name: str) -> None:
    """Without torch.save, a storage is a file of PyTorch's in the pickle."""
    if name != "meta":
        expect_clean(pickle.dumps(TENSORS[name]()))


def test_training_arguments() -> None:
    """What the Trainer of transformers saves as training_args.bin."""
    transformers = pytest.importorskip("transformers")
    for kind in (transformers.TrainingArguments, transformers.Seq2SeqTrainingArguments):
        expect_clean(saved(kind(output_dir="x", use_cpu=True, report_to=[])))


def test_settings_of_libraries() -> None:
    """Settings that are saved beside adapters and states."""
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")
    values = [
        transformers.GenerationConfig(max_length=7),
        transformers.BitsAndBytesConfig(load_in_8bit=True),
        peft.LoraConfig(task_type="CAUSAL_LM"),
        peft.TaskType.SEQ_CLS,
        transformers.trainer_callback.TrainerState(),
    ]
    expect_clean(saved(values))


def test_every_choice() -> None:
    """Members of every enumeration that is installed."""
    count = 0
    for row in asking.rows():
        if row.kind != "inert" or row.flags != asking.CALLABLE:
            continue
        try:
            made = getattr(importlib.import_module(row.module), row.name, None)
        except ImportError:
            continue
        if isinstance(made, type) and issubclass(made, enum.Enum):
            expect_clean(pickle.dumps(list(made), 2))
            count += 1
    assert count > 20


def estimators() -> list[Any]:
    """Models that were fitted to a few numbers."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.svm import SVC

    x, y = np.random.default_rng(1).random((20, 3)), np.arange(20) % 2
    kinds = [
        LinearRegression(),
        LogisticRegression(),
        Ridge(),
        GaussianNB(),
        SVC(),
        KMeans(2, n_init=1),
    ]
    kinds += [PCA(2), MinMaxScaler(), StandardScaler(), make_pipeline(StandardScaler(), Ridge())]
    return [kind.fit(x, y) for kind in kinds]


@pytest.mark.parametrize("protocol", range(2, 6))
def test_estimators(protocol: int) -> None:
    """Models of scikit-learn whose fields are numbers and arrays."""
    for made in estimators():
        expect_clean(pickle.dumps(made, protocol))


def test_omegaconf() -> None:
    """Configurations, as Lightning and NeMo save them."""
    omegaconf = pytest.importorskip("omegaconf", reason="omegaconf is not installed")
    expect_clean(
        saved(omegaconf.OmegaConf.create({"a": 1, "b": [1.5, "x", None], "c": {"d": "${a}"}}))
    )


def test_lightning() -> None:
    """Hyper-parameters and callbacks, as Lightning saves them, old and new."""
    lightning = pytest.importorskip("lightning", reason="lightning is not installed")
    from lightning.fabric.utilities.data import AttributeDict

    checkpoint = {
        "hyper_parameters": AttributeDict(lr=1e-3),
        "callbacks": {
            lightning.pytorch.callbacks.ModelCheckpoint: {"best_model_score": torch.tensor(1.0)}
        },
        "state_dict": torch.nn.Linear(2, 3).state_dict(),
    }
    expect_clean(saved(checkpoint))
