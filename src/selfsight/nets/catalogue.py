"""The names of encoders, and the arguments with which timm builds each for an image size.

A vision transformer sees an image as patches. Up to 128 px the patch is fitted so that there are
about 8x8 of them (32 px: 4, 64 px: 8, 96 px: 12); from 128 px on the network keeps its own patch
(16 px for `vit_tiny`, `vit_small` and `vit_base`).
"""

import re

from selfsight.errors import UserError, suggest

SHORT_NAMES = {
    "vit_tiny": "vit_tiny_patch16_224",
    "vit_small": "vit_small_patch16_224",
    "vit_base": "vit_base_patch16_224",
}
RECOMMENDED = ("convnet", "patchnet", *SHORT_NAMES, "resnet18", "resnet34", "resnet50")
OWN_PATCHES_FROM = 128  # px
PATCHED_FAMILIES = {"vision_transformer", "vision_transformer_relpos", "deit", "eva", "beit"}


def timm_arguments(name: str, *, image_size: int, channels: int) -> dict[str, object]:
    """Return the keyword arguments of `timm.create_model`, `model_name` among them.

    Raises UserError for a name that timm does not have, with the nearest one, and for an image
    size that no patch divides.
    """
    from timm.models import get_pretrained_cfg, is_model, model_entrypoint

    full = SHORT_NAMES.get(name, name)
    plain, dot, _ = full.partition(".")
    if dot and is_model(plain):
        raise UserError(f"encoder {name!r} names trained weights; training begins with {plain!r}")
    if not is_model(full):
        raise UserError(_unknown(name))
    arguments: dict[str, object] = {"model_name": full, "num_classes": 0, "in_chans": channels}
    cfg = get_pretrained_cfg(full, allow_unregistered=True)
    if cfg is not None and cfg.fixed_input_size:
        arguments["img_size"] = image_size
    own, family = (
        re.search(r"patch(\d+)", full),
        model_entrypoint(full).__module__.rsplit(".", 1)[1],
    )
    if family == "resnet":
        # Silent residual branches make an untrained ResNet look worse than it is: a baseline of
        # straw (on JPEG CIFAR-10 its probe falls from 36 to 21 %), and a slow start in short runs.
        arguments["zero_init_last"] = False
    if own and family in PATCHED_FAMILIES:
        arguments["patch_size"] = fit_patch(image_size, name=name, own=int(own[1]))
    return arguments


def fit_patch(image_size: int, *, name: str, own: int) -> int:
    """Return the side of a patch in px for square images of `image_size` px.

    own: the patch that the network comes with. Raises UserError if none divides the image into
    6x6 to 12x12 patches (below 128 px), or if `own` does not divide it.
    """
    if image_size >= OWN_PATCHES_FROM:
        if image_size % own:
            near = round(image_size / own) * own
            raise UserError(
                f"encoder {name!r} cuts images into patches of {own} px, which do not divide "
                f"{image_size} px; use an image size of {near} px"
            )
        return own
    fitting = [image_size // across for across in range(6, 13) if image_size % across == 0]
    if not fitting:
        near = max(8, round(image_size / 8) * 8)
        raise UserError(
            f"encoder {name!r} cannot cut {image_size} px into 6x6 to 12x12 equal patches; "
            f"use an image size of {near} px"
        )
    return min(fitting, key=lambda patch: abs(patch - image_size / 8))


def _unknown(name: str) -> str:
    from timm import list_models

    known = [*RECOMMENDED, *list_models()]
    there = f"there are {', '.join(RECOMMENDED)} and every name of timm.list_models()"
    return f"no encoder {name!r}{suggest(name.lower(), known)}; {there}"
