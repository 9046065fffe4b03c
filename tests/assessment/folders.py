"""Folders of small striped images, as a user has them, and an encoder file."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from selfsight.formats import save_encoder
from selfsight.nets.encoder import build_encoder

NAMES = ("across", "down", "slanted")


def write_images(folder: Path, counts: Sequence[int], *, seed: int) -> Path:
    """Write so many 8 px images of each class, one folder a class."""
    torch.manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    places = (rows, columns, (rows + columns) / 1.4)
    for name, place, count in zip(NAMES, places, counts, strict=False):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            wave = torch.sin(1.6 * place + 6.28 * torch.rand(1))
            pixels = 128 + 50 * wave[..., None] + 30 * torch.randn(8, 8, 3)
            image = Image.fromarray(pixels.clamp(0, 255).byte().numpy())
            image.save(folder / name / f"{number:02d}.png")
    return folder


def write_encoder(path: Path, *, seed: int) -> Path:
    """Write a file with an encoder of 8 px images whose weights the seed draws."""
    torch.manual_seed(seed)
    encoder = build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
    save_encoder(encoder, path, notes={})
    return path
