"""The pictures' raw material in `RUN/figures`: what training saw, and the held-out embedding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from torch.nn import functional as F

from selfsight.data.images import ImageSet
from selfsight.places import plain
from selfsight.views.presets import Views

SHEET = 8  # images on the sheet of views
MAPPED = 2000  # held-out images in the map
THUMB = 64  # px, at most


def write_views(
    folder: Path,
    views_of: Callable[[torch.Tensor], Views],
    images: ImageSet,
    *,
    seed: int,
    size: int,
) -> None:
    """Write `views.npz`: stored images in column 0, then what the network is shown of them.

    views_of: returns that for a stored batch. size: of the network's images.
    """
    rows = np.linspace(0, len(images) - 1, min(SHEET, len(images))).astype(np.int64)
    stored = torch.from_numpy(images.batch(rows))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        views = views_of(stored)
    side = min(max(size, *(view.shape[-1] for view in views)), THUMB)
    columns = [_fitted(stored.float() / 255, side), *(_fitted(view.cpu(), side) for view in views)]
    _save(folder / "views.npz", views=np.stack(columns, axis=1))


def mapped(images: ImageSet, *, seed: int) -> ImageSet:
    """Return the images that the map shows: all, or 2,000 drawn by the seed."""
    return images.part(np.sort(np.random.default_rng(seed).permutation(len(images))[:MAPPED]))


def write_held_out(
    folder: Path, images: ImageSet, features: Float32[np.ndarray, "images dim"]
) -> None:
    """Write `held_out.npz`: thumbnails, features, labels and paths of the mapped images."""
    pixels = torch.from_numpy(images.batch(np.arange(len(images)))).float() / 255
    _save(
        folder / "held_out.npz",
        thumbs=_fitted(pixels, min(pixels.shape[-1], THUMB)),
        features=features,
        labels=images.labels.index,
        names=np.array([plain(name) for name in images.labels.names], dtype=str),
        paths=np.array([plain(path) for path in images.paths], dtype=str),
    )


def _fitted(images: torch.Tensor, side: int) -> UInt8[np.ndarray, "images channels side side"]:
    if images.shape[-1] != side:
        images = F.interpolate(
            images, size=(side, side), mode="bilinear", antialias=True, align_corners=False
        )
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _save(path: Path, **arrays: Shaped[np.ndarray, "..."]) -> None:
    """Write arrays by name, whole or not at all."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    partial.replace(path)
