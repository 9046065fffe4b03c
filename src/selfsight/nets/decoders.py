"""Convolutional decoders, from a vector or a map of features back to pixels.

They are thrown away after training, so they are small: nearest-neighbour enlargements, each with a
3x3 convolution, batch norm and ReLU, as thin as their maps are large. (A transposed convolution
would leave a checkerboard.) There are no skip connections: everything passes through the features.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder, evaluating

SMALLEST_SIDE = 8  # px of a decoder's first map, at most
THINNEST = 16  # channels of its last map
FAINT = (
    0.02  # deviation of the last layer's first weights: the first picture is nearly 0 everywhere
)
ROUNDING = 1e-3  # of the largest feature: what the order of a mean's terms may change
SEED_SIDE = 4  # places across of the map that a vector becomes


def map_decoder(
    features: int, *, channels: int, side: int, width: int
) -> nn.Sequential:  # [batch, features, any, any] -> [batch, channels, side, side]
    """Return a decoder of maps with `features` channels, of any number of places.

    side: of the square output, in px. width: most channels that a map inside has. The output is
    linear and not bounded.
    """
    sides = enlargements(side)
    layers: list[nn.Module] = []
    if features > width:  # thin the map while it is small: a ResNet-50's has 2048 channels
        layers.append(nn.Conv2d(features, width, 1))
        features = width
    for place, larger in enumerate(sides):
        wide = min(width, THINNEST * 2 ** (len(sides) - 1 - place))
        layers += [
            nn.Upsample(size=(larger, larger), mode="nearest"),
            nn.Conv2d(features, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(inplace=True),
        ]
        features = wide
    last = nn.Conv2d(features, channels, 3, padding=1)
    nn.init.normal_(last.weight, std=FAINT)
    layers.append(last)
    return nn.Sequential(*layers)


def vector_decoder(
    features: int, *, channels: int, side: int, width: int
) -> nn.Sequential:  # [batch, features] -> [batch, channels, side, side]
    """Return a decoder of vectors: a linear layer to a map of 4x4 places, then `map_decoder`."""
    return nn.Sequential(
        nn.Linear(features, width * SEED_SIDE**2),
        nn.Unflatten(1, (width, SEED_SIDE, SEED_SIDE)),
        *map_decoder(width, channels=channels, side=side, width=width),
    )


def critic(
    channels: int, *, width: int
) -> nn.Sequential:  # [batch, channels, height, width] -> [batch]
    """Return a judge of pictures: three halvings, the mean over places, one score (a logit).

    Without batch norm, so that it judges each picture alone.
    """
    layers: list[nn.Module] = []
    for wide in (max(1, width // 4), max(1, width // 2), width):
        layers += [nn.Conv2d(channels, wide, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        channels = wide
    last = nn.Linear(channels, 1)
    nn.init.normal_(last.weight, std=FAINT)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last, nn.Flatten(0))


def enlargements(side: int) -> list[int]:
    """Return the sides of a decoder's maps, doubling up to `side`: 32 px gives 8, 16, 32."""
    sides = [side]
    while sides[0] > SMALLEST_SIDE:
        sides.insert(0, (sides[0] + 1) // 2)
    return sides


def map_width(encoder: Encoder, *, method: str) -> int:
    """Return the channels of the encoder's feature map, whose mean is what it exports.

    Raises UserError for an encoder that exports something else, such as a class token: `method`
    learns through the map and would leave that untrained.
    """
    if not _exports_mean(encoder):
        raise UserError(
            f"{method} learns through a map of features, and encoder {encoder.name!r} exports "
            "no mean of one; use convnet, resnet18 or resnet50"
        )
    return encoder.dim


def _exports_mean(encoder: Encoder) -> bool:
    """Return whether one picture's features are the mean of its map: no norm or layer follows."""
    pooling = getattr(encoder.network, "global_pool", "")
    if pooling in ("token", "map") or encoder.network.num_features != encoder.dim:
        return False
    side, channels = encoder.image_size, encoder.channels
    ramp = torch.linspace(0, 1, channels * side**2, device=encoder.mean.device)
    picture = ramp.view(1, channels, side, side)
    with evaluating(encoder), torch.no_grad():
        exported, mean = encoder(picture), pooled(encoder.feature_map(picture))
    near = ROUNDING * float(exported.abs().max())
    return exported.shape == mean.shape and torch.allclose(mean, exported, rtol=0.0, atol=near)


def pooled(places: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch width"]:
    """Return the mean over the places of a map: what a convolutional encoder exports."""
    return places.mean((2, 3))
