"""The features that a diagnosis reads: of whole images, and of random views of some of them.

All encoders are given the same images and the same views, batch by batch, so that no more pixels
are held than one batch has.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from selfsight.data.images import ImageSet
from selfsight.diagnosis.measures import Sample
from selfsight.errors import UserError
from selfsight.evaluation.embed import Encode

IMAGES = 2000  # at most; ranks and alpha depend on the number
VIEWED = 1000  # of these, at most
VIEWS = 5  # of each
LEAST = 20  # images: below, no measure means anything
BATCH = 250

MakeViews = Callable[[Tensor], list[Tensor]]


def samples_of(
    encoders: Mapping[str, Encode],
    images: ImageSet,
    *,
    make_views: MakeViews,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> dict[str, Sample]:
    """Return the features of at most 2,000 images, and of 5 views each of at most 1,000 of them.

    The images are drawn by the seed, and so are the views. make_views: from uint8 images to one or
    more random views of each; it is asked until there are enough, and of each answer the largest
    views count (a teacher's crops, not its small ones). Raises UserError for fewer than 20 images,
    or if features are not finite numbers.
    """
    check_enough(images)
    order = drawn_rows(len(images), seed=seed)
    total = len(order)
    whole: dict[str, list[Tensor]] = {name: [] for name in encoders}
    seen: dict[str, list[Tensor]] = {name: [] for name in encoders}
    for start in range(0, total, BATCH):
        progress("embedding images and views", start, total)
        pixels = images.batch(order[start : start + BATCH])
        few = pixels[: max(0, min(VIEWED, total) - start)]
        views = random_views(few, make_views, count=VIEWS, seed=seed + start) if len(few) else []
        for name, encode in encoders.items():
            whole[name].append(torch.from_numpy(encode(pixels)))
            if views:
                found = [torch.from_numpy(encode(view)) for view in views]
                seen[name].append(torch.stack(found, dim=1))
    progress("embedding images and views", total, total)
    return {name: _sample(name, whole[name], seen[name]) for name in encoders}


def check_enough(images: ImageSet) -> None:
    """Raise UserError if there are too few images for any measure to mean something."""
    if len(images) < LEAST:
        raise UserError(
            f"{images.root} has {len(images)} readable images; a diagnosis needs at least {LEAST}"
        )


def drawn_rows(n: int, *, seed: int) -> Int64[np.ndarray, "rows"]:
    """Return the rows of the images that are read, in the order of the sample's features."""
    return np.random.default_rng(seed).permutation(n)[:IMAGES]


def random_views(
    pixels: UInt8[np.ndarray, "batch 3 side side"], make_views: MakeViews, *, count: int, seed: int
) -> list[UInt8[np.ndarray, "batch 3 _height _width"]]:
    """Return `count` views of every image, rounded to 8 bits, drawn by the seed."""
    found: list[Tensor] = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        while len(found) < count:
            views = make_views(torch.from_numpy(pixels))
            largest = max(view.shape[-1] for view in views)
            found += [view for view in views if view.shape[-1] == largest]
    return [(view.clamp(0, 1) * 255).round().to(torch.uint8).numpy() for view in found[:count]]


def _sample(
    name: str, whole: list[Float[Tensor, "_ dim"]], seen: list[Float[Tensor, "_ views dim"]]
) -> Sample:
    sample = Sample(torch.cat(whole), torch.cat(seen))
    wrong = int((~torch.isfinite(sample.features).all(dim=1)).sum())
    if wrong:
        raise UserError(
            f"the features of {wrong} of {len(sample.features)} images ({name}) are not finite "
            "numbers: the encoder has diverged; train with a lower learning rate (lr)"
        )
    return sample
