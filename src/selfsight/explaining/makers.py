"""The maps by name, and which of them an encoder can have."""

import torch

from selfsight.errors import UserError, suggest
from selfsight.explaining.attention import Attention, attentions
from selfsight.explaining.gradcam import GradCam
from selfsight.explaining.integrated import IntegratedGradients
from selfsight.explaining.maps import MapMaker
from selfsight.explaining.occlusion import Occlusion
from selfsight.explaining.places import stage_names
from selfsight.explaining.relax import Relax
from selfsight.nets.encoder import Encoder

TITLES = {
    "gradcam": "Grad-CAM",
    "integrated": "Integrated gradients",
    "occlusion": "Occlusion",
    "relax": "RELAX",
    "attention": "Attention rollout",
}
IGNORES_TARGET = frozenset({"attention"})


def map_names(words: str, encoders: list[Encoder]) -> list[str]:
    """Return the names of the maps to draw, in the order of TITLES.

    words: "auto" for all that every encoder has, or names with commas between. Raises UserError
    for a name that is none, and for a map that one of the encoders does not have.
    """
    if words.strip() == "auto":
        return [name for name in TITLES if all(_missing(name, each) is None for each in encoders)]
    asked = [word.strip() for word in words.split(",") if word.strip()]
    for name in asked:
        if name not in TITLES:
            raise UserError(
                f"no map {name!r}{suggest(name, list(TITLES))}; there are: {', '.join(TITLES)}"
            )
        for encoder in encoders:
            if (fault := _missing(name, encoder)) is not None:
                raise fault
    if not asked:
        raise UserError(f"--maps names no map; there are: auto, {', '.join(TITLES)}")
    return [name for name in TITLES if name in asked]


def maker_of(name: str, *, seed: int) -> MapMaker:
    """Return what draws the map of that name with its defaults."""
    makers: dict[str, MapMaker] = {
        "gradcam": GradCam(),
        "integrated": IntegratedGradients(),
        "occlusion": Occlusion(),
        "relax": Relax(seed=seed),
        "attention": Attention(),
    }
    return makers[name]


def _missing(name: str, encoder: Encoder) -> UserError | None:
    """Return why an encoder has no map of that name, or None if it has."""
    try:
        if name == "gradcam":
            stage_names(encoder)
        elif name == "attention":
            side = encoder.image_size
            attentions(encoder, torch.zeros(1, encoder.channels, side, side).to(encoder.mean))
    except UserError as error:
        return error
    return None
