"""A small network that learns to tell numbers from changed images: a reader, and a control.

As positive control it learns the numbers of a planted cue, tied to nothing, so that content is of
no use to it. If even this network's features do not make a probe follow the cue, the test cannot
see the cue in these images (it may be too weak, or drown in what is there), and a null result for
another encoder says nothing.

As reader of the view audit it learns the labels from views of one operation: what it cannot learn
is hard to find in them.
"""

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn

from selfsight.data.images import ImageSet
from selfsight.diagnosis.shortcuts.shown import Change
from selfsight.evaluation.embed import Encode
from selfsight.nets.pixels import centre, unit_range

STEPS = 150
BATCH = 64
RATE = 3e-3  # of Adam, at its peak
SIDE = 64  # px, at most
WIDTHS = ((16, 1), (32, 2), (64, 2))  # channels, stride: a tenth of `convnet`'s work

Numbers = Int64[np.ndarray, "images"]
Pixels = UInt8[np.ndarray, "batch 3 height width"]


def small_network(
    images: ImageSet, change: Change, numbers: Numbers, *, seed: int, steps: int = STEPS
) -> Encode:
    """Return the features of a network trained to tell the number of each image, once changed.

    Some seconds on a processor: 150 steps of 64 images, Adam, one cycle of the rate.
    """
    side = min(SIDE, images.pixels.shape[-1])
    rng = np.random.default_rng((seed, 6))
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        network = _network()
        head = nn.Linear(WIDTHS[-1][0], int(numbers.max()) + 1)
        optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        for _ in range(steps):
            rows = rng.integers(len(images), size=min(BATCH, len(images)))
            pixels = _ready(change(images.batch(rows), rows), side)
            answers = torch.from_numpy(numbers[rows])
            loss = nn.functional.cross_entropy(head(network(pixels)), answers)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    network.eval()

    def encode(pixels: Pixels) -> Float32[np.ndarray, "batch dim"]:
        with torch.inference_mode():
            return np.asarray(network(_ready(pixels, side)))

    return encode


def _network() -> nn.Sequential:
    layers: list[nn.Module] = []
    width = 3
    for wider, stride in WIDTHS:
        layers.append(nn.Conv2d(width, wider, 3, stride=stride, padding=1, bias=False))
        layers += [nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _ready(pixels: Pixels, side: int) -> Float[Tensor, "batch 3 side side"]:
    return centre(unit_range(torch.tensor(pixels)), side=side) * 4 - 2
