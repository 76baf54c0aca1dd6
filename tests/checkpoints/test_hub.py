"""--max-shard-size splits as huggingface_hub does: the same files, the same index."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import torch
import trees
from comparing import difference
from huggingface_hub import save_torch_state_dict
from running import convert, left_in
from safetensors import safe_open


def state(seed: int) -> dict[str, torch.Tensor]:
    """A model of some tens of tensors of many sizes; no two share their bytes."""
    rng = Random(seed)
    dtypes = (torch.float32, torch.float16, torch.int64, torch.uint8, torch.bfloat16)
    found = {}
    for number in range(rng.randrange(5, 60)):
        shape = [rng.choice((1, 3, 16, 40)) for _ in range(rng.randrange(1, 4))]
        layer = f"layers.{number // 4}.{rng.choice('abcdef')}{number}"
        found[layer] = trees.plain(rng, rng.choice(dtypes), shape)
    return found


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("seed", range(12))
def test_same_as_the_hub(seed: int, new: bool, tmp_path: Path) -> None:
    """Names, weight_map and total_size, at sizes from one file a tensor to one file in all."""
    model = state(seed)
    total = sum(each.nbytes for each in model.values())
    source = tmp_path / "pytorch_model.bin"
    torch.save(model, source, _use_new_zipfile_serialization=new)
    for limit in (1, total // 7 + 1, total // 3 + 1, total - 1, total, total + 1):
        theirs, ours = tmp_path / f"theirs{limit}", tmp_path / f"ours{limit}"
        theirs.mkdir()
        save_torch_state_dict(model, theirs, max_shard_size=limit)
        ran = convert(source, ours, "--max-shard-size", str(limit))
        assert ran.code == 0, ran.err
        assert left_in(ours) == left_in(theirs)
        compare(ours, theirs)


def compare(ours: Path, theirs: Path) -> None:
    """Two folders of shards."""
    index = "model.safetensors.index.json"
    if (theirs / index).exists():
        one, other = (json.loads((each / index).read_text()) for each in (ours, theirs))
        assert one["weight_map"] == other["weight_map"]
        assert one["metadata"]["total_size"] == other["metadata"]["total_size"]
    for path in theirs.glob("*.safetensors"):
        with (
            safe_open(path, framework="pt") as right,
            safe_open(ours / path.name, framework="pt") as found,
        ):
            assert sorted(found.keys()) == sorted(right.keys())
            assert (found.metadata() or {})["format"] == (right.metadata() or {})["format"]
            for name in right.keys():  # noqa: SIM118
                one, other = found.get_tensor(name), right.get_tensor(name)
                assert one.dtype == other.dtype and one.shape == other.shape
                assert trees.data(one) == trees.data(other)


@pytest.mark.parametrize("size", ["200KB", "99999", "1GB"])
def test_sizes_in_words(size: str, tmp_path: Path) -> None:
    """Units are read as the hub reads them: KB are thousands."""
    model = {f"layer.{number:02}": torch.full((2500,), float(number)) for number in range(40)}
    source, ours, theirs = tmp_path / "in.bin", tmp_path / "ours", tmp_path / "theirs"
    torch.save(model, source)
    theirs.mkdir()
    save_torch_state_dict(model, theirs, max_shard_size=int(size) if size.isdigit() else size)
    ran = convert(source, ours, "--max-shard-size", size)
    assert ran.code == 0, ran.err
    assert left_in(ours) == left_in(theirs)
    compare(ours, theirs)


def test_sharded_source(tmp_path: Path) -> None:
    """A folder of shards in, each gives one out, and the index is true."""
    model = state(99)
    names = sorted(model)
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    weight_map = {}
    for number in range(3):
        file = f"pytorch_model-0000{number + 1}-of-00003.bin"
        part = {name: model[name] for name in names[number::3]}
        weight_map.update(dict.fromkeys(part, file))
        torch.save(part, folder / file)
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    ran = convert(folder, target)
    assert ran.code == 0, ran.err
    shards = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    assert left_in(target) == [*shards, "model.safetensors.index.json"]
    written = json.loads((target / "model.safetensors.index.json").read_text())
    assert written["metadata"]["total_size"] == sum(each.nbytes for each in model.values())
    assert written["weight_map"] == {
        name: "model-" + file[len("pytorch_model-") :].replace(".bin", ".safetensors")
        for name, file in weight_map.items()
    }
    for number, file in enumerate(shards):
        part = {name: model[name] for name in names[number::3]}
        assert difference(target / file, part) is None


def test_sharded_source_refused(tmp_path: Path) -> None:
    """One dangerous shard, or a missing one: no folder is made."""
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    weight_map = {"a": "one.bin", "b": "two.bin"}
    torch.save({"a": torch.ones(3)}, folder / "one.bin")
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    ran = convert(folder, target)
    assert ran.code == 3 and not target.exists(), ran.err
    (folder / "two.bin").write_bytes(b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.")
    ran = convert(folder, target)
    assert ran.code == 1 and not target.exists(), ran.err
    assert "os.system" in ran.err
