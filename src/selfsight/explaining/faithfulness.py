"""Whether a map tells the truth about its encoder: three checks, each against what would be chance.

1. Deletion and insertion (`deletion`), against random orders of the same cells, and beside two
   orders that look at no encoder: from the centre outwards, and strongest contrast first.
2. Random weights (`randomised`): the rank correlation of the absolute map with the map that the
   same network gives with random weights, toward the same thing seen by that network.
3. Another target: the rank correlation, signs and all, with the map of the same image toward
   another image's target, of another neighbour, cluster or class. A map that stays the same shows
   what the encoder sees, whatever it is compared with.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.explaining.deletion import (
    areas,
    centre_first,
    edges_first,
    order_of,
    random_orders,
)
from selfsight.explaining.keeping import Arrays
from selfsight.explaining.maps import Images, Maps
from selfsight.explaining.ranks import rank_correlation
from selfsight.explaining.targets import Target
from selfsight.nets.encoder import Encoder

RANDOM_ORDERS = 10
BASELINES = ("centre", "contrast")


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much an order beats random orders in one of the two tests; positive is better.

    by_image: difference of the areas, each image's mean over the fills. by_fill: the mean over the
    images for each fill. beaten: of each image's random orders, the share that is worse. sure: the
    mean gain in units of its standard deviation if the order were random.
    """

    by_image: Float[np.ndarray, "images"]
    by_fill: Float[np.ndarray, "fills"]
    beaten: Float[np.ndarray, "images"]
    random_spread: float  # standard deviation of a random order's area, the mean over the images
    sure: float

    @property
    def mean(self) -> float:
        """Return the mean over the images."""
        return float(self.by_image.mean())


@dataclass(frozen=True, slots=True)
class Order:
    """How one way to order the cells did."""

    deletion: Gain
    insertion: Gain


def measure_orders(
    encoder: Encoder,
    images: Images,
    target: Target,
    *,
    maps: Mapping[str, Maps],
    seed: int,
    progress: Callable[[int, int], None],
    keep: Callable[[Callable[[], Arrays]], Arrays] = lambda make: make(),
) -> dict[str, Order]:
    """Return deletion and insertion for every map and for the BASELINES, by name.

    keep: returns the areas, made now if they are not kept from before.
    """
    names = [*maps, *BASELINES]
    found = keep(lambda: _areas(encoder, images, target, maps=maps, seed=seed, progress=progress))
    return {
        name: Order(
            *(gain_of(found[test], place, of=len(names)) for test in ("deletion", "insertion"))
        )
        for place, name in enumerate(names)
    }


def _areas(
    encoder: Encoder,
    images: Images,
    target: Target,
    *,
    maps: Mapping[str, Maps],
    seed: int,
    progress: Callable[[int, int], None],
) -> Arrays:
    """Return the areas of both tests, turned so that a high one is good, image by image.

    Of each image first the orders of the maps, then the BASELINES, then random ones.
    """
    generator = torch.Generator().manual_seed(seed)
    deletion, insertion = [], []
    for row, image in enumerate(images):
        own = [order_of(each.values[row].cpu()) for each in maps.values()]
        own += [centre_first(image), edges_first(image)]
        chance = random_orders(image, count=RANDOM_ORDERS, generator=generator)
        orders = torch.cat([torch.stack(own), chance])
        found = areas(encoder, image, target.part(torch.tensor([row])), orders=orders)
        deletion.append(-found.deletion)  # a low area is good
        insertion.append(found.insertion)
        progress(row + 1, len(images))
    return {
        name: torch.stack(parts).numpy()
        for name, parts in (("deletion", deletion), ("insertion", insertion))
    }


def gain_of(found: Float[np.ndarray, "images orders fills"], place: int, *, of: int) -> Gain:
    """Return the gain of the order at `place`; random orders begin after the first `of`.

    found: areas of which a high one is good.
    """
    own, chance = found[:, place], found[:, of:]
    means, chances = own.mean(1), chance.mean(2)
    by_image = means - chances.mean(1)
    spreads = chances.std(axis=1, ddof=1)
    # The random mean is itself of a few orders only: 1 + 1 / orders.
    error = math.sqrt(float((spreads**2).sum()) * (1 + 1 / chances.shape[1])) / len(found)
    return Gain(
        by_image=by_image,
        by_fill=(own - chance.mean(1)).mean(0),
        beaten=(means[:, None] > chances).mean(1),
        random_spread=float(spreads.mean()),
        sure=float(by_image.mean()) / error if error > 0 else 0.0,
    )


def agreement(first: Maps, second: Maps, *, sizes: bool = True) -> Float[np.ndarray, "images"]:
    """Return the rank correlation of two maps of each image; NaN if one is flat.

    sizes: of signed maps compare the absolute values; of others low values mean little as it is.
    """
    of_first, of_second = sizes and first.signed, sizes and second.signed
    return np.array(
        [
            rank_correlation(_sizes(one, signed=of_first), _sizes(other, signed=of_second))
            for one, other in zip(first.values, second.values, strict=True)
        ]
    )


def _sizes(values: Float[Tensor, "height width"], *, signed: bool) -> Float[np.ndarray, "pixels"]:
    sizes = values.abs() if signed else values
    numbers: Float[np.ndarray, "pixels"] = sizes.cpu().double().flatten().numpy()
    return numbers
