"""An encoder that cannot see colours, and yet takes colour images as they are."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder


def see_grey_only(encoder: Encoder, *, method: str) -> None:
    """Make the first convolution's kernels equal for all channels, in place.

    The layer then depends on the mean of the standardised channels alone. It stays so in training
    if every input is `grey`: the kernels get equal gradients, and equal steps of any optimiser.
    Raises UserError for an encoder without colours or without such a convolution.
    """
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            if encoder.channels == 3 and layer.weight.shape[1] == 3:
                with torch.no_grad():
                    layer.weight.copy_(layer.weight.mean(1, keepdim=True).expand_as(layer.weight))
                return
            break
    raise UserError(
        f"{method} needs an encoder of 3 colours that begins with a convolution, unlike "
        f"{encoder.name!r}; use convnet, resnet18 or resnet50 with colour images"
    )


def grey(
    encoder: Encoder, images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch 3 height width"]:
    """Return images whose channels are equal once standardised: their mean, in image units."""
    mean = encoder.normalise(images).mean(1, keepdim=True)
    return mean * encoder.std[:, None, None] + encoder.mean[:, None, None]
