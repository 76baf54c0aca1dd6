"""Checkpoints as programs write them, made on the spot: what a person meets."""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import pathlib
import pickle
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trees
from comparing import difference
from running import Ran, convert, run, scan
from safetensors.numpy import load_file


def converted(path: Path, *more: str) -> Path:
    """Scans a file, which must be clean, and converts it."""
    verdict = scan(path)[1]
    assert verdict["verdict"] == "clean", verdict["findings"]
    target = path.with_name("out.safetensors")
    ran: Ran = convert(path, target, "-f", *more)
    assert ran.code == 0, ran.err
    return target


def transformer(kind: str) -> torch.nn.Module:
    """A tiny model of a kind, with random weights."""
    transformers = pytest.importorskip("transformers")
    sizes = {
        "bert": ("BertConfig", "BertForMaskedLM"),
        "gpt2": ("GPT2Config", "GPT2LMHeadModel"),
        "llama": ("LlamaConfig", "LlamaForCausalLM"),
        "t5": ("T5Config", "T5ForConditionalGeneration"),
    }
    small: dict[str, dict[str, int]] = {
        "bert": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 16},
        "llama": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
        "t5": {"d_model": 32, "num_layers": 2, "num_heads": 2, "d_kv": 16, "d_ff": 37},
    }
    config, model = sizes[kind]
    made = getattr(transformers, config)(
        vocab_size=99,
        **({} if kind in ("gpt2", "t5") else {"intermediate_size": 37}),
        **small[kind],
    )
    found: torch.nn.Module = getattr(transformers, model)(made)
    return found


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "t5"])
def test_transformers(kind: str, new: bool, tmp_path: Path) -> None:
    """pytorch_model.bin of a transformers model, with its tied embeddings."""
    state = transformer(kind).state_dict()
    path = tmp_path / "pytorch_model.bin"
    torch.save(state, path, _use_new_zipfile_serialization=new)
    assert difference(converted(path), dict(state)) is None


def test_transformers_loads_it(tmp_path: Path) -> None:
    """A converted folder is one that from_pretrained takes."""
    transformers = pytest.importorskip("transformers")
    model = transformer("gpt2")
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    ran = run("convert", tmp_path / "pytorch_model.bin")
    assert ran.code == 0, ran.err
    (tmp_path / "pytorch_model.bin").unlink()
    assert (tmp_path / "model.safetensors").is_file()
    loaded = transformers.GPT2LMHeadModel.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_transformers_sharded(tmp_path: Path) -> None:
    """Shards with an index, as transformers saved them before safetensors."""
    state = transformer("bert").state_dict()
    names = sorted(state)
    weight_map = {}
    for number in range(2):
        file = f"pytorch_model-0000{number + 1}-of-00002.bin"
        part = OrderedDict((name, state[name]) for name in names[number::2])
        weight_map.update(dict.fromkeys(part, file))
        torch.save(part, tmp_path / file)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    # Without -o beside the source: the folder itself.
    ran = run("convert", tmp_path)
    assert ran.code == 0, ran.err
    written = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert set(written["weight_map"].values()) == {
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    }
    found: dict[str, Any] = {}
    for file in set(written["weight_map"].values()):
        found |= load_file(tmp_path / file)
    dropped = set(state) - set(found)
    # Ties within a shard may be dropped; what is there is right.
    assert all(any(trees.data(state[a]) == trees.data(state[b]) for b in found) for a in dropped)
    assert all(found[name].tobytes() == trees.data(state[name]) for name in found)


def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A small network after two steps of training."""
    torch.manual_seed(3)
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, amsgrad=True)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(5, 4)).sum().backward()
        optimizer.step()
    return model, optimizer


def test_optimizer(tmp_path: Path) -> None:
    """The state of an optimiser: integers as keys, tensors without dimensions."""
    _, optimizer = trained()
    path = tmp_path / "optimizer.pt"
    torch.save(optimizer.state_dict(), path)
    expected = trees.tensors(optimizer.state_dict())
    assert expected and "state.0.exp_avg" in expected
    assert difference(converted(path), expected) is None


def test_lightning(tmp_path: Path) -> None:
    """A Lightning-style checkpoint: hyper-parameters, callbacks, loops beside the model."""
    model, optimizer = trained()
    progress = {"total": {"ready": 2, "completed": 2}, "current": {"ready": 2, "completed": 2}}
    checkpoint = {
        "epoch": 1,
        "global_step": 2,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": model.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": progress}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'loss', 'mode': 'min'}": {
                "monitor": "loss",
                "best_model_score": None,
                "best_model_path": "epoch=1.ckpt",
                "best_k_models": {},
            }
        },
        "optimizer_states": [],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": argparse.Namespace(
            lr=0.1,
            root=pathlib.PurePosixPath("data"),
            layers=[1, 2],
            when=datetime.date(2024, 1, 2),
        ),
    }
    path = tmp_path / "epoch=1.ckpt"
    torch.save(checkpoint, path)
    target = converted(path)
    # The wrapper holds all tensors, and is taken away.
    assert difference(target, dict(model.state_dict())) is None
    checkpoint["optimizer_states"] = [optimizer.state_dict()]
    torch.save(checkpoint, path)
    target = converted(path)
    expected = trees.tensors(checkpoint)
    assert expected and "state_dict.0.weight" in expected
    assert "optimizer_states.0.state.0.exp_avg" in expected
    assert difference(target, expected) is None
    target = converted(path, "--key", "state_dict")
    assert difference(target, dict(model.state_dict())) is None


def test_lightning_class(tmp_path: Path) -> None:
    """The same with a class of the user's own among the hyper-parameters: unknown."""
    model, _ = trained()
    path, target = tmp_path / "x.ckpt", tmp_path / "out.safetensors"
    torch.save({"state_dict": model.state_dict(), "hyper_parameters": {"loss": Loss()}}, path)
    ran, found = scan(path)
    assert found["verdict"] == "unknown" and ran.code == 2
    assert any("Loss" in each["detail"] for each in found["findings"])
    assert convert(path, target).code == 2 and not target.exists()
    assert convert(path, target, "--allow-unknown").code == 0
    assert difference(target, dict(model.state_dict())) is None
    # Whoever knows the class may vouch for it.
    name = f"{Loss.__module__}.Loss"
    assert run("scan", "--allow", name, path).code == 0


class Loss:
    """A class of the user's own."""

    def __init__(self) -> None:
        self.weight = 0.5


def test_fairseq(tmp_path: Path) -> None:
    """An argparse.Namespace beside the model."""
    model, optimizer = trained()
    args = argparse.Namespace(arch="transformer", lr=[0.1, 0.01], data=pathlib.Path("data"), seed=1)
    checkpoint = {
        "args": args,
        "model": model.state_dict(),
        "optimizer_history": [{"num_updates": 2, "optimizer_name": "Adam"}],
        "extra_state": {"epoch": 1, "train_iterator": {"iterations_in_epoch": 3}},
        "last_optimizer_state": None,
    }
    path = tmp_path / "checkpoint_best.pt"
    torch.save(checkpoint, path)
    target = converted(path)
    assert difference(target, dict(model.state_dict())) is None
    checkpoint["last_optimizer_state"] = optimizer.state_dict()
    torch.save(checkpoint, path, _use_new_zipfile_serialization=False)
    assert difference(converted(path), trees.tensors(checkpoint) or {}) is None


def test_diffusion(tmp_path: Path) -> None:
    """A diffusion-style checkpoint: a nested state_dict and a step."""
    state = {
        "model.diffusion_model.input_blocks.0.0.weight": torch.randn(4, 4, 3, 3).half(),
        "first_stage_model.encoder.conv_in.bias": torch.randn(8),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(7)[None],
        "betas": torch.linspace(0, 1, 10, dtype=torch.float64),
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(1, dtype=torch.int32),
        "channels_last": torch.randn(2, 4, 3, 3).to(memory_format=torch.channels_last),
    }
    path = tmp_path / "sd.ckpt"
    torch.save({"state_dict": state, "global_step": 840_000}, path)
    assert difference(converted(path), state) is None
    ran = run("convert", "-f", "--drop-prefix", "model.", path, "-o", tmp_path / "out.safetensors")
    assert ran.code == 0, ran.err
    short = {name.removeprefix("model."): each for name, each in state.items()}
    assert difference(tmp_path / "out.safetensors", short) is None


def test_generator(tmp_path: Path) -> None:
    """Super-resolution's and vocoders' wrappers."""
    state = {"conv.weight": torch.randn(3, 3)}
    for wrapper in trees.WRAPPERS:
        path = tmp_path / f"{wrapper}.pth"
        torch.save({wrapper: state}, path)
        assert difference(converted(path), state) is None
    torch.save({"params": state, "params_ema": state}, tmp_path / "both.pth")
    found = converted(tmp_path / "both.pth")
    expected = trees.tensors({"params": state, "params_ema": state})
    assert expected and difference(found, expected) is None


def test_training_args(tmp_path: Path) -> None:
    """training_args.bin of transformers: records without effect and enums, no tensor."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path / "training_args.bin"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = transformers.TrainingArguments(output_dir=str(tmp_path / "out"), use_cpu=True)
        torch.save(arguments, path)
    assert load_file(converted(path)) == {}


def same_arrays(target: Path, expected: dict[str, np.ndarray[Any, Any]]) -> None:
    """The converted file holds these arrays, dense, in this machine's order."""
    found = load_file(target)
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        assert found[name].dtype == array.dtype.newbyteorder("="), name
        assert found[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes(), name


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of every type that both have, of both orders of memory and of bytes."""
    rng = np.random.default_rng(11)
    found: dict[str, np.ndarray[Any, Any]] = {
        f"{code}": (rng.random((3, 4)) * 100).astype(code)
        for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8")
    }
    found["fortran"] = np.asfortranarray(found["f4"])
    found["big"] = found["f8"].astype(">f8")
    found["big-fortran"] = np.asfortranarray(found["i4"].astype(">i4"))
    found["transposed"] = found["f4"].T
    found["empty"] = np.zeros((0, 3), dtype="f4")
    found["scalar"] = np.array(3.5, dtype="f4")
    return found


@pytest.mark.parametrize("protocol", range(6))
def test_numpy_pickle(protocol: int, tmp_path: Path) -> None:
    """A pickle of NumPy arrays, in every protocol."""
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"a": arrays(), "b": [1, "x"]}, protocol=protocol))
    expected = {f"a.{name}": array for name, array in arrays().items()}
    same_arrays(converted(path), expected)


@pytest.mark.parametrize("protocol", [2, 4])
def test_paddle(protocol: int, tmp_path: Path) -> None:
    """What paddle.save writes for a state dict: arrays, and a table of names."""
    found = {f"linear.w_{n}": array for n, array in enumerate(arrays().values())}
    path = tmp_path / "model.pdparams"
    names = {"StructuredToParameterName@@": dict.fromkeys(found, "x")}
    path.write_bytes(pickle.dumps({**found, **names}, protocol=protocol))
    same_arrays(converted(path), found)


def test_npz(tmp_path: Path) -> None:
    """Archives of arrays, stored and deflated; and each array alone."""
    for save in (np.savez, np.savez_compressed):
        path = tmp_path / "arrays.npz"
        save(path, **arrays())  # type: ignore[arg-type]
        same_arrays(converted(path), arrays())
    for name, array in arrays().items():
        path = tmp_path / f"{name}.npy"
        np.save(path, array)
        same_arrays(converted(path), {name: array})


def test_npy_objects(tmp_path: Path) -> None:
    """An array of objects is a pickle; harmless ones are clean, and are no tensor."""
    path, target = tmp_path / "a.npy", tmp_path / "out.safetensors"
    np.save(path, np.array([1, "x", None], dtype=object), allow_pickle=True)
    assert scan(path)[1]["verdict"] == "clean"
    assert convert(path, target).code in (0, 3)
    for code in ("c16", "U3", "S3", "M8[s]"):
        np.save(path, np.zeros(3, dtype=code))
        assert scan(path)[1]["verdict"] == "clean", code
        assert convert(path, target, "-f").code == 3, code


@pytest.mark.parametrize("packed", [0, 3, ("zlib", 3), ("gzip", 3)], ids=str)
def test_joblib(packed: Any, tmp_path: Path) -> None:
    """joblib.dump, plain and compressed."""
    joblib = pytest.importorskip("joblib")
    path = tmp_path / "model.joblib"
    found = {"a": arrays(), "n": 3}
    joblib.dump(found, path, compress=packed)
    assert scan(path)[1]["verdict"] == "clean"
    ran = convert(path, tmp_path / "out.safetensors")
    if packed == 0:
        assert ran.code == 0, ran.err
    if ran.code == 0:
        same_arrays(
            tmp_path / "out.safetensors", {f"a.{name}": each for name, each in arrays().items()}
        )
    else:
        assert ran.code == 3 and len(ran.lines()) == 1, ran.err


@pytest.mark.parametrize("packed", ["bz2", "lzma", "xz"])
def test_joblib_unsupported(packed: str, tmp_path: Path) -> None:
    """Compressions that are not opened here: malformed, never clean."""
    joblib = pytest.importorskip("joblib")
    path = tmp_path / "model.joblib"
    joblib.dump(arrays(), path, compress=(packed, 3))
    assert scan(path)[1]["verdict"] == "malformed"


def test_scikit_learn(tmp_path: Path) -> None:
    """What scikit-learn fitted, as arrays alone; and whole estimators."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(2)
    model = linear.LogisticRegression().fit(rng.random((20, 3)), np.arange(20) % 2)
    state = {"coef_": model.coef_, "intercept_": model.intercept_, "classes_": model.classes_}
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({**state, "n_iter_": model.n_iter_[0]}))
    same_arrays(converted(path), state)
    # An estimator is a record without effect where the table has its class, and unknown else.
    path.write_bytes(pickle.dumps(model))
    assert scan(path)[1]["verdict"] in ("clean", "unknown")
    # What holds a function of the user's own is not known to be harmless.
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    path.write_bytes(pickle.dumps(preprocessing.FunctionTransformer(transformer)))
    found = scan(path)[1]
    assert found["verdict"] == "unknown"
    assert any("transformer" in each["detail"] for each in found["findings"])


def test_gzip(tmp_path: Path) -> None:
    """A pickle in gzip."""
    path = tmp_path / "weights.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps(arrays()), mtime=0))
    assert scan(path)[1]["verdict"] == "clean"
    ran = convert(path, tmp_path / "out.safetensors")
    assert ran.code in (0, 3), ran.err
    if ran.code == 0:
        same_arrays(tmp_path / "out.safetensors", arrays())


def test_safetensors_among_them(tmp_path: Path) -> None:
    """A safetensors file is checked by its own rules."""
    path = tmp_path / "in.pt"
    torch.save({"a": torch.ones(3)}, path)
    target = converted(path)
    assert scan(target)[1]["format"] == "safetensors"
    assert scan(target)[1]["verdict"] == "clean"
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(target.read_bytes()[:-1])
    assert scan(broken)[1]["verdict"] == "malformed"
