"""Small crops, patches and tiles through an encoder that was built for one image size.

Convolutional networks take any size, and small images cost them less. A network with a fixed
number of places (most vision transformers) gets its images enlarged first, which costs it as much
as whole images do.
"""

from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from selfsight.errors import UserError
from selfsight.joined import joined
from selfsight.nets.encoder import Encoder

SMALLEST = 6  # px; below it three halvings leave nothing to see


def takes_any_size(encoder: Encoder) -> bool:
    """Return whether the encoder's network takes images of other sizes than its own."""
    origin = getattr(encoder.network, "pretrained_cfg", None) or {}
    return not origin.get("fixed_input_size", False)


def features_of(
    encoder: Encoder, images: Float[Tensor, "batch channels side side"]
) -> Float[Tensor, "batch dim"]:
    """Return the features of square images of any size, enlarged only if they must be."""
    size = encoder.image_size
    if images.shape[-1] != size and not takes_any_size(encoder):
        images = interpolate(images, (size, size), mode="bilinear", antialias=True)
    features: Tensor = encoder(images)
    return features


def features_of_all(
    encoder: Encoder, views: list[Float[Tensor, "batch channels _side _side"]]
) -> Float[Tensor, "views_batch dim"]:
    """Return the features of all views, one below the other; views of one size are one batch.

    Views of one size must follow one another.
    """
    groups = [joined(list(group)) for _, group in groupby(views, key=lambda view: view.shape)]
    return torch.cat([features_of(encoder, group) for group in groups])


def small_side(encoder: Encoder, *, share: float) -> int:
    """Return the side of small views in px, a share of the encoder's image side.

    Raises UserError for a share outside (0, 1] and for views that are too small to see.
    """
    side = round(share * encoder.image_size)
    if not (0 < share <= 1 and side >= SMALLEST):
        raise UserError(
            f"small views of {share:g} x {encoder.image_size} px = {side} px; they must have "
            f"from {SMALLEST} px to the image's {encoder.image_size} px"
        )
    return side


def in_pixels(
    encoder: Encoder, patches: Float[Tensor, "*places channels height width"]
) -> Float[Tensor, "*places channels height width"]:
    """Return the pixels that the encoder's own normalisation turns into `patches`."""
    return patches * encoder.std[:, None, None] + encoder.mean[:, None, None]
