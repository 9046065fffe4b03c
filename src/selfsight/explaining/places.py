"""The maps of features inside a network, and which of them are fine enough to be seen.

The stages are those that timm names (`feature_info`): a ResNet's stem and layers, the blocks of a
transformer. Small images leave 4x4 or 2x2 places at the end of a network, so the default stage is
the deepest that still has seven places along the shorter side, as the last stage has at 224 px.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder, evaluating

Images = Float[Tensor, "batch channels height width"]
FINE = 7  # places


def stage_names(encoder: Encoder) -> list[str]:
    """Return the modules after which a stage ends, first stage first.

    Raises UserError for a network that does not tell its stages.
    """
    told = getattr(encoder.network, "feature_info", None) or []
    names = [str(stage["module"]) for stage in told]
    known = {name for name, _ in encoder.network.named_modules()}
    if not names or not set(names) <= known:
        raise UserError(
            f"encoder {encoder.name!r} does not tell its stages, so there is no gradcam of it; "
            "use occlusion, relax or integrated"
        )
    if pools_class_token(encoder):
        # Nothing after the last block looks at the patches: their gradients there are all zero.
        names = names[:-1]
    return names


def fine_stage(encoder: Encoder, images: Images, *, places: int = FINE) -> str:
    """Return the deepest stage with `places` places along the shorter side, or the finest one."""
    names = stage_names(encoder)
    sizes = {}
    with evaluating(encoder), torch.no_grad(), recording(encoder, names) as recorded:
        encoder(images[:1])
        for name in names:
            sizes[name] = min(as_map(encoder, recorded[name], images).shape[2:])
    wanted = min(places, max(sizes.values()))
    return [name for name in names if sizes[name] >= wanted][-1]


@contextmanager
def recording(encoder: Encoder, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """Give a mapping that a forward pass in the block fills: what each module returns."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: torch.nn.Module, _inputs: object, output: Tensor) -> None:
            found[name] = output

        handle: torch.utils.hooks.RemovableHandle = encoder.network.get_submodule(
            name
        ).register_forward_hook(hook)
        return handle

    handles = [keep(name) for name in names]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def as_map(
    encoder: Encoder,
    found: Shaped[Tensor, "batch *places"],
    images: Float[Tensor, "_n _channels height width"],
) -> Float[Tensor, "batch features rows columns"]:
    """Return what a stage gave for `images` as features in their places.

    Raises UserError if its tokens do not fill a grid of the images' shape.
    """
    if found.ndim == 4:
        channels_last = getattr(encoder.network, "output_fmt", "NCHW") == "NHWC"
        return found.permute(0, 3, 1, 2) if channels_last else found
    patches = found[:, prefix_tokens(encoder) :]
    rows, columns = grid(encoder, patches.shape[1], images)
    return patches.transpose(1, 2).reshape(len(patches), -1, rows, columns)


def grid(encoder: Encoder, patches: int, images: Images) -> tuple[int, int]:
    """Return the rows and columns of a transformer's patches. Raises UserError if none fit."""
    height, width = images.shape[2:]
    rows = round((patches * height / width) ** 0.5)
    if rows < 1 or patches % rows:
        raise UserError(f"encoder {encoder.name!r} has no grid of patches to draw a map of")
    return rows, patches // rows


def prefix_tokens(encoder: Encoder) -> int:
    """Return how many tokens stand before those of the patches (class token, registers)."""
    return int(getattr(encoder.network, "num_prefix_tokens", 0))


def pools_class_token(encoder: Encoder) -> bool:
    """Return whether the features are those of a transformer's class token alone."""
    return getattr(encoder.network, "global_pool", "") == "token" and prefix_tokens(encoder) > 0
