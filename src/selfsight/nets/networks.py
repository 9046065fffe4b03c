"""The network inside an encoder: one of our own, or one of timm's with random weights."""

from typing import Any

from torch import nn

from selfsight.errors import UserError
from selfsight.nets.catalogue import timm_arguments
from selfsight.nets.convnet import ConvNet
from selfsight.nets.patchnet import PatchNet
from selfsight.nets.stems import STANDARD_REDUCTION, small_stem_stride

OURS = {"convnet": ConvNet, "patchnet": PatchNet}


def begins(name: str) -> bool:
    """Return whether the network of this name finds its weights before the first step."""
    return issubclass(OURS.get(name, nn.Module), PatchNet)


def build_network(name: str, *, image_size: int, channels: int) -> Any:
    """Return the network of this name with random weights.

    Raises UserError for an unknown name and for a size that the network cannot take.
    """
    if name in OURS:
        return OURS[name](channels=channels)
    from timm import create_model

    arguments = timm_arguments(name, image_size=image_size, channels=channels)
    try:
        return create_model(pretrained=False, **arguments)
    except (AssertionError, RuntimeError, TypeError, ValueError) as fault:
        raise cannot_take(name, image_size, fault) from fault


def check_size(network: Any, *, name: str, stem: str, image_size: int) -> None:
    """Raise UserError for images that vanish before the network's last layer."""
    reduction = network.feature_info[-1]["reduction"]
    if stem == "small":
        reduction = reduction // STANDARD_REDUCTION * small_stem_stride(image_size)
    if 2 * image_size < reduction:
        raise UserError(
            f"images of {image_size} px vanish in encoder {name!r}, which makes them "
            f"{reduction} times smaller; use {reduction // 2} px or more, or 'convnet'"
        )


def cannot_take(name: str, image_size: int, fault: Exception) -> UserError:
    """Return the error that says why a network does not take images of this size."""
    why = " ".join(str(fault).split())[:200]
    return UserError(f"encoder {name!r} cannot take images of {image_size} px: {why}")
