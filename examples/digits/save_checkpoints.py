#!/usr/bin/env python3
"""Writes digits.pt and digits-legacy.pt: the weights of digits.safetensors, by torch.save.

Needs torch and safetensors from PyPI (requirements.txt). Like what a training script leaves, both
hold more than the weights: the epoch, and how well the network did.
"""

import pathlib

import torch
from safetensors import safe_open

FOLDER = pathlib.Path(__file__).parent
EPOCHS = 60


def main() -> None:
    with safe_open(FOLDER / "digits.safetensors", framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        correct = (file.metadata() or {})["correct"]
    checkpoint = {"state_dict": weights, "epoch": EPOCHS, "correct": correct}
    torch.save(checkpoint, FOLDER / "digits.pt")
    torch.save(checkpoint, FOLDER / "digits-legacy.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
