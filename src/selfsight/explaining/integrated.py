"""Integrated gradients: what each pixel adds on the way from a plain image to this one.

Sundararajan et al., ICML 2017 (arXiv 1703.01365), equation 1: the difference to the baseline times
the mean gradient along the straight line between them. The sum over pixels and channels is the
target's difference between image and baseline (completeness); how far the sum misses it is
returned, and the steps are doubled until it misses by no more than a hundredth, or until there
are as many as allowed.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.explaining.maps import DIFFERENTIATED, Images, Maps, pieces, plain_colour
from selfsight.explaining.targets import Target, all_rows
from selfsight.nets.encoder import Encoder, evaluating

EXACT = 0.01  # of the difference between image and baseline


@dataclass(frozen=True, slots=True)
class IntegratedGradients:
    """Integrated gradients from the mean colour, summed over the channels.

    steps, most_steps: points on the line (midpoints of equal stretches), at first and at most.
    Its extra "completeness" is the relative error of the sum, 0 being exact.
    """

    steps: int = 32
    most_steps: int = 512

    def __call__(self, encoder: Encoder, images: Images, target: Target) -> Maps:
        """Return the maps; positive speaks for the target, negative against it."""
        found = [
            self._one(encoder, images[row : row + 1], target.part(all_rows(images)[row : row + 1]))
            for row in range(len(images))
        ]
        values, errors = (torch.stack(parts) for parts in zip(*found, strict=True))
        return Maps(values, signed=True, extras={"completeness": errors})

    def _one(
        self, encoder: Encoder, image: Float[Tensor, "1 channels height width"], target: Target
    ) -> tuple[Float[Tensor, "height width"], Float[Tensor, ""]]:
        baseline = plain_colour(encoder).expand_as(image)
        with evaluating(encoder), torch.no_grad():
            ends = encoder(torch.cat([image, baseline]))
        begin, end = target.linear(ends, torch.zeros(2, dtype=torch.int64)).cpu().double().flip(0)
        steps = self.steps
        while True:
            slopes = _mean_slope(encoder, image, baseline, target, steps)
            values = (slopes * (image - baseline)[0].cpu().double()).sum(0)
            difference = end - begin
            error = (values.sum() - difference).abs() / difference.abs().clamp(min=1e-12)
            if error <= EXACT or 2 * steps > self.most_steps:
                return values.to(image.dtype), error.to(image.dtype)
            steps *= 2


def _mean_slope(
    encoder: Encoder,
    image: Float[Tensor, "1 channels height width"],
    baseline: Float[Tensor, "1 channels height width"],
    target: Target,
    steps: int,
) -> Float[Tensor, "channels height width"]:
    """Return the target's mean gradient at the midpoints of `steps` stretches of the line.

    On the processor: not every device has doubles.
    """
    total = torch.zeros(image.shape[1:], dtype=torch.float64)
    for part in pieces(steps, image, pixels=DIFFERENTIATED):
        shares = (torch.tensor(part, dtype=image.dtype, device=image.device) + 0.5) / steps
        line = baseline + shares[:, None, None, None] * (image - baseline)
        line = line.detach().requires_grad_()
        with evaluating(encoder), torch.enable_grad():
            rows = torch.zeros(len(line), dtype=torch.int64, device=image.device)
            value = target.linear(encoder(line), rows).sum()
            (slopes,) = torch.autograd.grad(value, line)
        total += slopes.cpu().double().sum(0)
    return total / steps
