"""What all maps share: one signature, one result, one bound on memory.

A map maker is a frozen dataclass whose fields are its settings. It is called with an encoder, a
batch of images and a target, and returns one number a pixel: how much the pixel speaks for the
target. The images are float in [0, 1], of the size that the encoder takes; they need not be square
where its network does not ask for that.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.explaining.targets import Target
from selfsight.nets.encoder import Encoder, evaluating

Images = Float[Tensor, "batch channels height width"]
LOOKED_AT = 2**21  # pixels of the images that go through a network at once
DIFFERENTIATED = 2**19  # the same where gradients are kept: about a gigabyte in a ResNet-50


@dataclass(frozen=True, slots=True)
class Maps:
    """One map an image, and what else its maker found out, by name, one row an image.

    signed: whether a negative value means that the pixel speaks against the target; otherwise only
    the order of the values means something.
    """

    values: Float[Tensor, "batch height width"]
    signed: bool
    extras: Mapping[str, Tensor] = field(default_factory=dict)


# The signature of all maps. Raises UserError for an encoder that has no such map.
MapMaker = Callable[[Encoder, Images, Target], Maps]


def pieces(total: int, images: Images, *, pixels: int) -> Iterator[range]:
    """Return consecutive parts of range(total), so that a part has about `pixels` pixels."""
    at_once = max(1, pixels // (images.shape[2] * images.shape[3]))
    for start in range(0, total, at_once):
        yield range(start, min(start + at_once, total))


def features_of(encoder: Encoder, images: Images) -> Float[Tensor, "batch dim"]:
    """Return the features of many images that already fit, without gradients, piece by piece."""
    with evaluating(encoder), torch.no_grad():
        parts = [
            encoder(images[part.start : part.stop])
            for part in pieces(len(images), images, pixels=LOOKED_AT)
        ]
    return torch.cat(parts)


def plain_colour(encoder: Encoder) -> Float[Tensor, "channels 1 1"]:
    """Return the mean colour of the encoder's training images: what hides a pixel.

    Once normalised it is zero in every channel. Black, in contrast, is a strong colour.
    """
    return encoder.mean[:, None, None]
