"""Train an encoder with labels, as the supervised twin of a run; write it as an encoder file.

    python bench/supervised.py IMAGES --encoder convnet --size 48 --steps 300 --out twin.safetensors

Crops and flips, cross-entropy, batches of 64, AdamW (rate 0.001, decay 0.05) with a rate that falls
to 0 along a cosine. Nothing is chosen by looking at images elsewhere.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from selfsight.data.images import open_images
from selfsight.formats import save_encoder
from selfsight.nets.encoder import build_encoder
from selfsight.views.presets import light

RATE, DECAY, BATCH = 1e-3, 0.05, 64


def main() -> None:
    """Train and write."""
    ask = argparse.ArgumentParser()
    ask.add_argument("images")
    ask.add_argument("--encoder", default="convnet")
    ask.add_argument("--size", type=int, default=48)
    ask.add_argument("--steps", type=int, default=300)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--cache", type=Path, default=Path(".selfsight-cache"))
    given = ask.parse_args()
    images = open_images(given.images, size=given.size, cache=given.cache)
    pixels = images.batch(np.arange(0, len(images), max(1, len(images) // 2000))) / 255
    torch.manual_seed(0)
    encoder = build_encoder(
        given.encoder,
        image_size=given.size,
        mean=pixels.mean((0, 2, 3)).tolist(),
        std=pixels.std((0, 2, 3)).tolist(),
    )
    head = torch.nn.Linear(encoder.dim, len(images.labels.names))
    weights = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY)
    augment, rng = light(given.size), np.random.default_rng(0)
    right = 0.0
    for step in range(given.steps):
        rows = rng.integers(0, len(images), BATCH)
        labels = torch.from_numpy(images.labels.index[rows])
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * step / given.steps)) / 2
        logits = head(encoder(augment(torch.from_numpy(images.batch(rows)))))
        optimiser.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimiser.step()
        right = 0.9 * right + 0.1 * float((logits.argmax(1) == labels).float().mean())
    save_encoder(encoder, given.out, notes={"training": "supervised"})
    print(f"{given.steps} steps; {right:.0%} of the last training crops read right")


if __name__ == "__main__":
    main()
