"""Patch features as colours: the principal directions of all places of a group of images.

Places with similar features get similar colours, in all images of the group alike; as in the
figures of DINOv2 (Oquab et al., 2023, arXiv 2304.07193). The sign of a principal direction is
arbitrary, so it is fixed: the weight that is largest in size is positive.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.explaining.maps import LOOKED_AT, Images, pieces
from selfsight.explaining.places import as_map, fine_stage, recording
from selfsight.nets.encoder import Encoder, evaluating

COLOURS = 3
ENDS = 0.02  # of the values at either end share the darkest or the brightest colour


def parts_of(
    encoder: Encoder, images: Images, *, stage: str = "auto"
) -> Float[Tensor, "batch 3 rows columns"]:
    """Return three numbers in [0, 1] for every place of a stage: red, green and blue.

    stage: a module as in `feature_info`, or the deepest fine one. Raises UserError for a network
    that does not tell its stages.
    """
    name = fine_stage(encoder, images) if stage == "auto" else stage
    found = []
    with evaluating(encoder), torch.no_grad(), recording(encoder, [name]) as recorded:
        for part in pieces(len(images), images, pixels=LOOKED_AT):
            encoder(images[part.start : part.stop])
            found.append(as_map(encoder, recorded[name], images))
    features = torch.cat(found).cpu().double()
    rows = features.movedim(1, 3).flatten(0, 2)
    weights = principal(rows)
    places = (rows - rows.mean(0)) @ weights
    low, high = (torch.quantile(places, share, dim=0) for share in (ENDS, 1 - ENDS))
    shares = ((places - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    colours = shares.reshape(len(images), *features.shape[2:], COLOURS)
    return colours.movedim(3, 1).float()


def principal(rows: Float[Tensor, "places features"]) -> Float[Tensor, "features 3"]:
    """Return the three strongest principal directions with their signs fixed, strongest first."""
    centred = rows - rows.mean(0)
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :COLOURS]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    weights: Float[Tensor, "features 3"] = axes * torch.where(largest < 0, -1.0, 1.0)
    return weights
