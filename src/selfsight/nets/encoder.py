"""The encoder: images in [0, 1] to features, with everything inside that it needs.

The pixel statistics are part of it, so that no later step can use the wrong ones. The network is
one of our own (`networks`) or any of timm's, never with downloaded weights.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from selfsight.errors import UserError
from selfsight.nets.networks import build_network, cannot_take, check_size
from selfsight.nets.pixels import centre, unit_range
from selfsight.nets.small_maps import quicken
from selfsight.nets.stems import fit_stem

Images = Float[Tensor, "batch channels height width"]


class Encoder(nn.Module):
    """A network with its pixel statistics; `build_encoder` makes one.

    name, image_size (px), channels, stem: what it was built from. dim: features an image.
    network: the timm model or one of our own. mean, std: buffers, one number a channel, for pixels
    in [0, 1]. notes: where it comes from, for a reader (method, number of images); may be empty.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: Any,
        *,
        name: str,
        image_size: int,
        stem: str,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.network = network
        self.name, self.image_size, self.stem = name, image_size, stem
        self.notes: Mapping[str, str] = {}
        self.dim, self.channels = int(network.head_hidden_size), len(mean)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    @property
    def config(self) -> dict[str, object]:
        """Return the arguments of `build_encoder` that give this architecture; plain JSON."""
        return {
            "name": self.name,
            "image_size": self.image_size,
            "channels": self.channels,
            "stem": self.stem,
            # numpy prints the shortest number that is the same float32
            "mean": [float(str(value)) for value in self.mean.cpu().numpy()],
            "std": [float(str(value)) for value in self.std.cpu().numpy()],
        }

    def forward(self, images: Images) -> Float[Tensor, "batch dim"]:
        """Return the features of images in [0, 1] that have the encoder's size."""
        features: Tensor = self.network(self.normalise(images))
        return features

    def normalise(self, images: Images) -> Images:
        """Return (images - mean) / std, channel by channel: what the network sees."""
        return (images - self.mean[:, None, None]) / self.std[:, None, None]

    def feature_map(self, images: Images) -> Float[Tensor, "batch features rows columns"]:
        """Return the last features of every place, before pooling; gradients flow through it.

        A vision transformer's places are its patches (its class token is left out). Raises
        UserError for a network whose features have no places.
        """
        features: Tensor = self.network.forward_features(self.normalise(images))
        if features.ndim == 4:
            nhwc = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
            return features.permute(0, 3, 1, 2) if nhwc else features
        patches = features[:, getattr(self.network, "num_prefix_tokens", 0) :]
        side = math.isqrt(patches.shape[1])
        if features.ndim != 3 or side**2 != patches.shape[1]:
            raise UserError(f"encoder {self.name!r} has no square map of features")
        return patches.transpose(1, 2).reshape(len(patches), -1, side, side)

    def stages(self, images: Images) -> list[Float[Tensor, "batch _width"]]:
        """Return the features after every stage, the mean over places, first stage first.

        The stages of a ResNet are its stem and four layers, those of a transformer its blocks.
        """
        pixels = self.normalise(images)
        maps = self.network.forward_intermediates(pixels, intermediates_only=True)
        return [places.mean((2, 3)) for places in maps]

    def encode(
        self, images: Shaped[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the features of images of any size, each image for itself, without gradients.

        images: uint8, or float in [0, 1]; moved to the encoder's device and fitted (see `fit`).
        Every module is in evaluation mode meanwhile and gets its own mode back. Raises UserError
        for images of another shape, type or range.
        """
        with evaluating(self), torch.inference_mode():
            features: Tensor = self(self.fit(images))
        return features.clone()  # an ordinary tensor, so that a probe can be trained on it

    def fit(
        self, images: Shaped[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels {self.image_size} {self.image_size}"]:
        """Return the images as float in [0, 1], with the encoder's size, on its device.

        Another size is scaled (bilinear, antialiased) until the shorter side fits, then cut to
        the centre. Raises UserError for images of another shape, type or range.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise UserError(
                f"images have the shape {tuple(images.shape)}; "
                f"the encoder takes [batch, {self.channels}, height, width]"
            )
        pixels = unit_range(images.to(self.mean.device))
        return centre(pixels.to(self.mean.dtype), side=self.image_size)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put `module` into evaluation mode for the block; every part gets its own mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training  # not .train(): a part may be frozen within a training whole


def build_encoder(
    name: str,
    *,
    image_size: int,
    channels: int = 3,
    stem: str = "auto",
    mean: Sequence[float],
    std: Sequence[float],
) -> Encoder:
    """Return a new encoder with random weights, drawn from torch's global generator.

    name: "convnet", "patchnet", "vit_tiny", "vit_small", "vit_base" or any name of timm's
    `list_models()`. image_size: the side of its square images in px. stem: "auto", "small" or
    "standard", see `stems`. mean, std: one number a channel, for pixels in [0, 1]. Raises UserError
    for an unknown name (with the nearest one), a size that the network cannot take, or statistics
    that do not fit.
    """
    _check_numbers(image_size, channels=channels, mean=mean, std=std)
    network = build_network(name, image_size=image_size, channels=channels)
    built = fit_stem(network, name=name, stem=stem, image_size=image_size, channels=channels)
    check_size(network, name=name, stem=built, image_size=image_size)
    quicken(network)
    encoder = Encoder(network, name=name, image_size=image_size, stem=built, mean=mean, std=std)
    _try(encoder)
    return encoder


def _check_numbers(
    image_size: int, *, channels: int, mean: Sequence[float], std: Sequence[float]
) -> None:
    if image_size < 1 or channels < 1:
        raise UserError(f"images of {channels} x {image_size} x {image_size} px; use 1 or more")
    if not len(mean) == len(std) == channels:
        raise UserError(
            f"{len(mean)} means and {len(std)} stds for {channels} channels; give one each"
        )
    if not all(math.isfinite(value) for value in (*mean, *std)) or min(std) <= 0:
        raise UserError(f"mean {list(mean)} and std {list(std)} must be finite, and std positive")


def _try(encoder: Encoder) -> None:
    """Run one image through, because hundreds of timm's networks have their own idea of sizes."""
    side = encoder.image_size
    try:
        features = encoder.encode(torch.zeros(1, encoder.channels, side, side))
    except (AssertionError, RuntimeError, TypeError, ValueError) as fault:
        raise cannot_take(encoder.name, side, fault) from fault
    if features.shape != (1, encoder.dim):
        raise UserError(f"encoder {encoder.name!r} gives no vector of features; use another one")
