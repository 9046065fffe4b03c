"""What an image and its nearest neighbours share: a map on each, toward the other."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsight.explaining.bank import Bank
from selfsight.explaining.groups import neighbours
from selfsight.explaining.keeping import Keep, kept_maps, made_now
from selfsight.explaining.maps import Images, MapMaker
from selfsight.explaining.targets import Similarity
from selfsight.nets.encoder import Encoder

NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Shared:
    """Pairs of an image and a neighbour. here: maps on the image; there: maps on the neighbour."""

    rows: Int[np.ndarray, "images neighbours"]  # of the bank
    cosines: Float[Tensor, "images neighbours"]
    seen: Float[Tensor, "images neighbours channels height width"]  # the neighbours
    here: Float[Tensor, "images neighbours height width"]
    there: Float[Tensor, "images neighbours height width"]
    signed: bool


def shared_with_neighbours(
    encoder: Encoder,
    images: Images,
    *,
    rows: Int[np.ndarray, "images"],
    bank: Bank,
    features: Float[Tensor, "bank dim"],
    foil: Float[Tensor, "dim"],
    maker: MapMaker,
    keep: Keep = made_now,
) -> Shared:
    """Return the pairs of each image, which is at `rows` of the bank, with its neighbours.

    Raises UserError if there is no other image.
    """
    near = neighbours(features, rows, count=NEIGHBOURS)
    count = near.shape[1]
    seen = bank.fitted(encoder, near.flatten())
    ours, theirs = features[torch.from_numpy(rows)], features[torch.from_numpy(near.flatten())]
    repeated = ours.repeat_interleave(count, dim=0)
    pairs = {
        "here": (images.repeat_interleave(count, dim=0), theirs),
        "there": (seen, repeated),
    }
    here, there = (
        kept_maps(keep, f"shared-{place}", partial(maker, encoder, given, Similarity(other, foil)))
        for place, (given, other) in pairs.items()
    )
    cosines = F.cosine_similarity(repeated, theirs)
    return Shared(
        near,
        cosines=cosines.reshape(len(rows), count),
        seen=seen.reshape(len(rows), count, *seen.shape[1:]),
        here=here[0].values.reshape(len(rows), count, *seen.shape[2:]),
        there=there[0].values.reshape(len(rows), count, *seen.shape[2:]),
        signed=here[0].signed,
    )
