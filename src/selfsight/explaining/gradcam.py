"""Grad-CAM: which places of a stage push the target up.

Selvaraju et al., ICCV 2017 (arXiv 1610.02391), equations 1 and 2: with A_k the k-th map of a stage
and y the target, alpha_k is the mean over places of dy/dA_k, and the map is ReLU(sum alpha_k A_k).
For a target linear in features that are the mean over the places of the last stage, alpha_k is the
direction's k-th number divided by the number of places.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.explaining.maps import DIFFERENTIATED, Images, Maps, pieces
from selfsight.explaining.places import as_map, fine_stage, recording
from selfsight.explaining.targets import Target, all_rows
from selfsight.nets.encoder import Encoder, evaluating


@dataclass(frozen=True, slots=True)
class GradCam:
    """Grad-CAM at a stage of the network, enlarged to the image (bilinear).

    stage: a module's name as in `feature_info`, or "auto": the deepest fine one (see `places`).
    """

    stage: str = "auto"

    def __call__(self, encoder: Encoder, images: Images, target: Target) -> Maps:
        """Return the maps. Raises UserError for a network that does not tell its stages."""
        stage = fine_stage(encoder, images) if self.stage == "auto" else self.stage
        drawn = [
            _places(encoder, images[part.start : part.stop], target.part(rows), stage)
            for part in pieces(len(images), images, pixels=DIFFERENTIATED)
            for rows in [all_rows(images)[part.start : part.stop]]
        ]
        values = F.interpolate(
            torch.cat(drawn)[:, None], images.shape[2:], mode="bilinear", align_corners=False
        )
        return Maps(values[:, 0], signed=False)


def _places(
    encoder: Encoder, images: Images, target: Target, stage: str
) -> Float[Tensor, "batch rows columns"]:
    # The pixels ask for gradients so that a frozen network has a graph too.
    pixels = images.detach().clone().requires_grad_()
    with evaluating(encoder), torch.enable_grad(), recording(encoder, [stage]) as recorded:
        value = target.linear(encoder(pixels), all_rows(images)).sum()
        found = recorded[stage]
        (slope,) = torch.autograd.grad(value, found)
    maps, slopes = (as_map(encoder, part.detach(), images) for part in (found, slope))
    weights = slopes.mean((2, 3), keepdim=True)
    return F.relu((weights * maps).sum(1))
