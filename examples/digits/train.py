#!/usr/bin/env python3
"""Trains the network of this example and writes digits.safetensors and heldout.safetensors.

Needs torch, scikit-learn and safetensors from PyPI (requirements.txt). The images come with
scikit-learn; nothing is downloaded. On one machine every run gives the same weights.
"""

import pathlib

import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

FOLDER = pathlib.Path(__file__).parent
EPOCHS = 60


def build() -> nn.Sequential:
    """Two convolutions, each with a 2x2 maximum behind it, and one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, 10),
    )


NAMES = {"0": "conv1", "3": "conv2", "7": "linear"}


def train(model: nn.Sequential, images: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    model.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        schedule.step()


def main() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits = load_digits()
    pixels, held_pixels, labels, held_labels = train_test_split(
        digits.images, digits.target, test_size=0.2, random_state=1, stratify=digits.target
    )
    model = build()
    # Pixels are 0 to 16.
    train(
        model,
        torch.tensor(pixels, dtype=torch.float32).unsqueeze(1) / 16,
        torch.tensor(labels),
    )

    model.eval()
    images = torch.tensor(held_pixels, dtype=torch.uint8)
    truth = torch.tensor(held_labels, dtype=torch.uint8)
    with torch.no_grad():
        logits = model(images.float().unsqueeze(1) / 16)
    correct = int((logits.argmax(1) == truth).sum())

    weights = {
        f"{NAMES[layer]}.{kind}": tensor.contiguous()
        for layer, kind, tensor in (
            (*name.split("."), tensor) for name, tensor in model.state_dict().items()
        )
    }
    save_file(weights, FOLDER / "digits.safetensors", {"correct": f"{correct}/{len(truth)}"})
    held = {"images": images, "labels": truth, "logits": logits.contiguous()}
    save_file(held, FOLDER / "heldout.safetensors")
    print(f"{correct} of {len(truth)} held-out digits are right")


if __name__ == "__main__":
    main()
