"""What an encoder can find in images before its first step, where its network has such a part."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from selfsight.data.images import ImageSet
from selfsight.nets.encoder import Encoder
from selfsight.nets.patchnet import LINEAR, READ_AT, PatchNet, read
from selfsight.randomness import own_randomness
from selfsight.views.presets import EachOf, mild, two_views

PATCHES, VIEWS = "finding patches", "looking at views"  # the phases, in turn
LAYER, PROTOTYPES = "finding the layer", "finding prototypes"
IMAGES = 50_000  # at most, evenly spaced
WHOLE = 10_000  # of them as they are, at most, for patches and prototypes
PASSES = 16  # over fewer images, at most: an equation from few pairs of views is a poor one
SINGLE = ("mps",)  # accelerators without float64
AT_A_TIME, PIXELS = 250, 2**22  # images at a time, and pixels that all of them may have


def pair(size: int) -> EachOf:
    """Return what makes the pairs of views that the linear layer is found from."""
    return two_views(mild(size))


def passes(images: int) -> int:
    """Return how often each of so many images is looked at."""
    return max(1, min(PASSES, IMAGES // images))


def looked_at(images: int) -> int:
    """Return how many pairs of views of so many images are looked at."""
    return passes(images) * min(images, IMAGES)


def whole_images(images: int) -> int:
    """Return in how many of so many images patches and prototypes are found."""
    return -(-min(images, IMAGES) // _every(images))


def bytes_of_whole(encoder: Encoder) -> int:
    """Return what each image takes in which patches and prototypes are found, at most, about."""
    pixels = encoder.channels * min(READ_AT, encoder.image_size) ** 2
    return 4 * (2 * pixels + 3 * LINEAR)  # joined from parts; features, joined, their directions


def begin(
    encoder: Encoder,
    images: ImageSet,
    *,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> None:
    """Find the parts of the encoder's network that no gradient teaches; most have none.

    Labels are not looked at. torch's random state is as before. It is computed where the encoder
    is, or on the processor where an accelerator has no float64.
    """
    network, home = encoder.network, encoder.mean.device
    if not isinstance(network, PatchNet):
        return
    encoder.to("cpu" if home.type in SINGLE else home)
    rows = np.unique(np.linspace(0, len(images) - 1, IMAGES).astype(np.int64))
    at_a_time = max(1, min(AT_A_TIME, PIXELS // encoder.image_size**2))
    batches = np.array_split(rows, -(-len(rows) // at_a_time))
    make = pair(encoder.image_size)

    def pixels(some: np.ndarray) -> Tensor:
        return encoder.fit(torch.from_numpy(images.batch(some)))

    def views() -> Iterator[tuple[Tensor, Tensor]]:
        total = passes(len(images)) * len(rows)
        for done, some in enumerate(passes(len(images)) * batches):
            progress(VIEWS, done * len(batches[0]), total)
            first, second = make(pixels(some))
            yield encoder.normalise(first), encoder.normalise(second)
        progress(VIEWS, total, total)
        progress(LAYER, 0, 0)

    progress(PATCHES, 0, 0)
    chosen = rows[:: _every(len(images))]
    parts = np.array_split(chosen, -(-len(chosen) // at_a_time))
    whole = torch.cat([read(encoder.normalise(pixels(some))) for some in parts])
    with own_randomness(home):
        torch.manual_seed(seed)
        network.find_patches(whole, seed=seed)
        network.find_linear(views())
    progress(PROTOTYPES, 0, 0)
    network.find_prototypes(whole, seed=seed)
    encoder.to(home)


def _every(images: int) -> int:
    """Return the step through the images to those that patches and prototypes are found in."""
    return -(-min(images, IMAGES) // WHOLE)
