"""transformers saves and loads small models of random weights on this package."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from programs import assert_equal_states, assert_ours, metadata_of, names_in

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(autouse=True)
def ours() -> None:
    assert_ours()


def llama(tied: bool, dtype: Any = None) -> Any:
    """A decoder of two layers, about 100 kB of weights."""
    config = transformers.LlamaConfig(
        vocab_size=128,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
    )
    model = transformers.LlamaForCausalLM(config)
    return model if dtype is None else model.to(dtype)


@pytest.mark.parametrize("tied", [False, True])
def test_one_file(tied: bool, tmp_path: Path) -> None:
    model = llama(tied)
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    assert path.exists()
    assert metadata_of(path)["format"] == "pt"
    assert ("lm_head.weight" in names_in(path)) is not tied
    loaded = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    assert_equal_states(model, loaded)
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) is tied


@pytest.mark.parametrize("tied", [False, True])
def test_shards(tied: bool, tmp_path: Path) -> None:
    model = llama(tied)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    found = {name: path.name for path in shards for name in names_in(path)}
    assert found == index["weight_map"]
    assert_equal_states(model, transformers.LlamaForCausalLM.from_pretrained(tmp_path))


def test_shards_as_one_model_of_ours(tmp_path: Path) -> None:
    """What transformers splits, load_file reads as a whole."""
    from safetensors.torch import load_file

    model = llama(False)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    loaded = load_file(tmp_path)
    state = model.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision(name: str, tmp_path: Path) -> None:
    dtype = getattr(torch, name)
    model = llama(True, dtype)
    model.save_pretrained(tmp_path)
    loaded = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    assert_equal_states(model, loaded)


def test_an_encoder_with_tied_decoder_and_bias(tmp_path: Path) -> None:
    """BERT ties a weight and a bias."""
    config = transformers.BertConfig(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    model = transformers.BertForMaskedLM(config)
    model.save_pretrained(tmp_path)
    loaded = transformers.BertForMaskedLM.from_pretrained(tmp_path)
    assert_equal_states(model, loaded)
    tokens = torch.arange(10).reshape(1, 10)
    model.eval()
    with torch.no_grad():
        assert torch.equal(model(tokens).logits, loaded(tokens).logits)


def test_saving_over_the_checkpoint_that_was_loaded(tmp_path: Path) -> None:
    """The weights may still be mapped from the file that is replaced."""
    llama(True).save_pretrained(tmp_path)
    model = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        model.model.norm.weight.add_(1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path)
    loaded = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    import safetensors

    llama(False).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(safetensors.SafetensorError, match="MetadataIncompleteBuffer"):
        transformers.LlamaForCausalLM.from_pretrained(tmp_path)


def test_offline_is_offline() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
