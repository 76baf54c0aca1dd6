#!/usr/bin/env python3
"""Classifies handwritten digits with NumPy, and compares with what the program in C made of them.

The network is the one that train.py builds and digits.c runs: two convolutions of 3x3, each with
ReLU and a 2x2 maximum behind it, and one linear layer.

usage: digits.py MODEL HELDOUT GUESSES, where GUESSES is the file that digits.c wrote
"""

import sys
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

Array = np.ndarray[Any, np.dtype[np.float32]]


def convolve(images: Array, weight: Array, bias: Array) -> Array:
    """A convolution with zeros outside, ReLU, and the maximum of each 2x2."""
    side = images.shape[-1]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    sums = np.einsum("ncyxij,ocij->noyx", windows, weight) + bias[:, None, None]
    blocks = sums.reshape(*sums.shape[:2], side // 2, 2, side // 2, 2)
    return np.asarray(np.maximum(blocks.max(axis=(3, 5)), 0))


def classify(model: dict[str, Array], images: Array) -> Array:
    """The logits of images whose pixels are 0 to 16."""
    layer: Array = images[:, None].astype(np.float32) / np.float32(16)
    for name in ("conv1", "conv2"):
        layer = convolve(layer, model[f"{name}.weight"], model[f"{name}.bias"])
    flat = layer.reshape(len(layer), -1)
    return np.asarray(flat @ model["linear.weight"].T + model["linear.bias"])


def main() -> int:
    if len(sys.argv) != 4:
        print("usage: digits.py MODEL HELDOUT GUESSES", file=sys.stderr)
        return 64
    model, heldout = load_file(sys.argv[1]), load_file(sys.argv[2])
    logits = classify(model, heldout["images"])
    guesses = logits.argmax(axis=1)
    correct, count = int((guesses == heldout["labels"]).sum()), len(guesses)
    print(f"{correct} of {count} held-out digits are right: {correct / count:.2%}")

    apart = float(np.abs(logits - heldout["logits"]).max())
    near = apart < 1e-4
    print(f"logits are PyTorch's {'but for rounding' if near else 'NOT'}")

    with safe_open(sys.argv[3], "np") as file:
        different = int((file.get_tensor("guesses") != guesses).sum())
    if different:
        print(f"{different} of {count} guesses are NOT the ones of C")
    else:
        print(f"all {count} guesses are the ones of C")
    return 0 if near and not different else 1


if __name__ == "__main__":
    sys.exit(main())
