"""The stem of a ResNet, fitted to small images.

A ResNet begins with a 7x7 convolution of stride 2 and a pooling of stride 2, made for 224 px; of
32 px they leave 8x8 and the last map is a single place. The small stem is a 3x3 convolution
(padding 1, so that no pixels are invented) and no pooling: the "CIFAR stem" of SimCLR, appendix
B.9. Up to 40 px it has stride 1, above stride 2: 64 px and 32 px give the same maps.
"""

from typing import Any, Literal

from torch import nn

from selfsight.errors import UserError

Stem = Literal["small", "standard"]
STEMS = ("auto", "small", "standard")
LARGEST_FOR_STRIDE_1 = 40  # px
LARGEST_SMALL = 96  # px; "auto" takes the network's own stem above
STANDARD_REDUCTION = 4  # of the stem that a ResNet comes with


def small_stem_stride(image_size: int) -> int:
    """Return the stride of the small stem for images of `image_size` px: 1 or 2."""
    return 1 if image_size <= LARGEST_FOR_STRIDE_1 else 2


def fit_stem(network: Any, *, name: str, stem: str, image_size: int, channels: int) -> Stem:
    """Change the stem of `network` in place as `stem` asks, and return what it now has.

    stem: "small", "standard" (leave it alone) or "auto" (small up to 96 px where there is one).
    Raises UserError for another word, and for "small" on a network that has no ResNet stem.
    """
    if stem not in STEMS:
        raise UserError(f"stem is {stem!r}; it must be one of: {', '.join(STEMS)}")
    replaceable = has_resnet_stem(network)
    if stem == "small" and not replaceable:
        raise UserError(f"encoder {name!r} has no ResNet stem to replace; leave stem at 'auto'")
    if stem == "standard" or not replaceable or (stem == "auto" and image_size > LARGEST_SMALL):
        return "standard"
    stride, width = small_stem_stride(image_size), network.bn1.num_features
    network.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return "small"


def has_resnet_stem(network: Any) -> bool:
    """Return whether `network` begins as a ResNet does: convolution(s), batch norm, pooling."""
    return all(hasattr(network, part) for part in ("conv1", "bn1", "maxpool", "layer4"))
