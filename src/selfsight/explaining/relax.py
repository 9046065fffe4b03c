"""RELAX: how similar the image stays when random parts of it are hidden, and how surely.

Wickstrøm et al., IJCV 2023 (arXiv 2112.10161), equations 3 and 5. With random masks M_n and scores
s_n of the masked images, importance is R = sum M_n s_n / sum M_n and its uncertainty is
U = sum M_n (s_n - R)^2 / sum M_n, pixel by pixel. Hidden means the mean colour, not black.

The masks are those of RISE (Petsiuk et al., BMVC 2018, arXiv 1806.07421): a coarse random grid,
one cell larger than the image, enlarged smoothly and shifted at random by up to one cell.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.explaining.maps import LOOKED_AT, Images, Maps, features_of, pieces, plain_colour
from selfsight.explaining.targets import Target
from selfsight.nets.encoder import Encoder

SMALL = 64  # px of the shorter side, up to which the grid is coarser


@dataclass(frozen=True, slots=True)
class Relax:
    """RELAX with random masks; its extra "uncertainty" has the maps' shape.

    masks: how many. cells: of the grid along the shorter side; 0 for 5 up to 64 px, 7 above.
    kept: the probability that a cell stays visible.
    """

    masks: int = 500
    cells: int = 0
    kept: float = 0.5
    seed: int = 0

    def __call__(self, encoder: Encoder, images: Images, target: Target) -> Maps:
        """Return the maps. All images see the same masks."""
        cells = self.cells or (5 if min(images.shape[2:]) <= SMALL else 7)
        generator = torch.Generator().manual_seed(self.seed)
        height, width = images.shape[2:]
        sums = torch.zeros(3, len(images), height, width, dtype=torch.float64)
        fill = plain_colour(encoder)
        for part in pieces(self.masks, images, pixels=LOOKED_AT):
            masks = random_masks(
                len(part), height, width, cells=cells, kept=self.kept, generator=generator
            ).to(images)
            for row, image in enumerate(images):
                hidden = fill + masks[:, None] * (image - fill)
                rows = torch.full((len(part),), row, device=images.device)
                scores = target.score(features_of(encoder, hidden), rows)
                sums[:, row] += moments(masks, scores)
        values, uncertainty = weighed(sums)
        return Maps(values.to(images), signed=False, extras={"uncertainty": uncertainty.to(images)})


def moments(
    masks: Float[Tensor, "masks height width"], scores: Float[Tensor, "masks"]
) -> Float[Tensor, "3 height width"]:
    """Return the sums over the masks of M, M s and M s^2, in double precision."""
    scores, masks = scores.cpu().double(), masks.cpu().double()  # not every device has doubles
    powers = torch.stack([scores**power for power in range(3)])
    return torch.einsum("pm,mhw->phw", powers, masks)


def weighed(
    sums: Float[Tensor, "3 *pixels"],
) -> tuple[Float[Tensor, "*pixels"], Float[Tensor, "*pixels"]]:
    """Return importance and uncertainty from the three sums; 0 where no mask showed the pixel."""
    weight = sums[0].clamp(min=1e-12)
    mean = sums[1] / weight
    return mean, (sums[2] / weight - mean**2).clamp(min=0)


def random_masks(
    count: int,
    height: int,
    width: int,
    *,
    cells: int,
    kept: float,
    generator: torch.Generator,
) -> Float[Tensor, "count height width"]:
    """Return smooth random masks in [0, 1]; cells are square and `cells` fill the shorter side."""
    cell = -(-min(height, width) // cells)
    rows, columns = (-(-length // cell) + 1 for length in (height, width))
    coarse = (torch.rand(count, 1, rows, columns, generator=generator) < kept).float()
    fine = F.interpolate(coarse, (rows * cell, columns * cell), mode="bilinear")[:, 0]
    shifts = torch.randint(0, cell, (count, 2), generator=generator)
    return torch.stack(
        [
            mask[top : top + height, left : left + width]
            for mask, (top, left) in zip(fine, shifts.tolist(), strict=True)
        ]
    )
