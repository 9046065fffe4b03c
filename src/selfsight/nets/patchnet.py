"""A network for small images and little time: k-means twice, and between them one linear layer.

An image is read at 32 px at most, by 6 px patches at two scales (`patch_answers`): as it is, and
at half its size. The square roots of the mean answers in the four quadrants, those of the image and
those of its mirror image, go through a linear layer. Its 1024 outputs are the first features; how
much nearer than the mean each of 2048 prototypes is to their direction are the others.

The patches are found in images, then the linear layer that views of them agree on most
(`invariance`), then the prototypes by k-means, all without a gradient. A method may go on from
there; it moves the linear layer only.

It speaks the few words of timm that the encoder uses, as `convnet` does.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.nets.invariance import Moments
from selfsight.nets.patch_answers import PatchAnswers, k_means, triangle

CLUSTERS, LINEAR, PROTOTYPES = 400, 1024, 2048
READ_AT = 32  # px of an image, at most
AT_ONCE = 2**14  # places whose answers are in memory, about: caches are small

Images = Float[Tensor, "batch channels height width"]
Views = Float[Tensor, "_pairs channels _height _width"]
ROOT = 1e-6  # added to answers, because the root has no slope at 0
Map = Float[Tensor, "batch features 2 2"]


class PatchNet(nn.Module):
    """The network `patchnet`: 3072 features of images of any size."""

    level: Tensor
    scale: Tensor
    prototypes: Tensor
    num_features = head_hidden_size = LINEAR + PROTOTYPES

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.fine = PatchAnswers(channels=channels, clusters=CLUSTERS, stride=2)
        self.coarse = PatchAnswers(channels=channels, clusters=CLUSTERS, stride=1)
        answers = 2 * CLUSTERS
        self.register_buffer("level", torch.zeros(answers, 2, 2))
        self.register_buffer("scale", torch.ones(answers, 2, 2))
        self.weight = nn.Parameter(torch.randn(LINEAR, answers, 2, 2) / (4 * answers) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(LINEAR))
        prototypes = F.normalize(torch.randn(PROTOTYPES, LINEAR), dim=1)
        self.register_buffer("prototypes", prototypes)
        self.quarters = nn.Identity()  # where the map can be seen from outside
        self.feature_info = [{"num_chs": LINEAR, "reduction": 8, "module": "quarters"}]

    def group_matcher(self, *, coarse: bool) -> dict[str, str]:  # noqa: ARG002
        """Return the pattern by which timm sorts weights into layers: there is one."""
        return {"stem": r"^(?:weight|bias)"}

    def forward(self, pixels: Images) -> Float[Tensor, "batch dim"]:
        """Return the mean over the quadrants of the map, and how near the prototypes are."""
        linear = self.forward_features(pixels).mean((2, 3))
        return torch.cat([linear, self._nearness(linear)], 1)

    def forward_features(self, pixels: Images) -> Map:
        """Return what each quadrant adds to the features, times four."""
        here, mirrored = self.answers(pixels), self.answers(pixels.flip(3))
        quarters: Map = self.quarters((self._read_out(here) + self._read_out(mirrored).flip(3)) / 2)
        return quarters

    def forward_intermediates(self, pixels: Images, *, intermediates_only: bool) -> list[Map]:
        """Return the only map there is."""
        assert intermediates_only, "there is nothing else to return"
        return [self.forward_features(pixels)]

    def answers(self, pixels: Images) -> Float[Tensor, "batch answers 2 2"]:
        """Return the roots of the mean answers of both scales in the quadrants."""
        with torch.autocast(pixels.device.type, enabled=False):
            pixels = read(pixels.float())
            if torch.compiler.is_exporting():  # to a graph for batches of any size
                return self._answers(pixels)
            places = pixels.shape[2] * pixels.shape[3] // self.fine.stride**2
            parts = torch.split(pixels, max(1, AT_ONCE // places))
            return torch.cat([self._answers(part) for part in parts])

    def find_patches(self, pixels: Images, *, seed: int) -> None:
        """Find the patches of both scales in some normalised images."""
        self.fine.learn(read(pixels), seed=seed)
        self.coarse.learn(F.avg_pool2d(read(pixels), 2, ceil_mode=True), seed=seed)

    @torch.no_grad()
    def find_linear(self, views: Iterable[tuple[Views, Views]]) -> None:
        """Find the linear layer that views agree on, after the patches.

        Each of `views` is a pair of normalised batches with the same images in the same order.
        """
        moments = Moments(self.level.numel(), device=self.level.device)
        for pair in views:
            first, second = ((self.answers(v) + self.answers(v.flip(3))) / 2 for v in pair)
            moments.add(first.flatten(1), second.flatten(1))
        level, scale = moments.scaling()
        self.level.copy_(level.view_as(self.level))
        self.scale.copy_(scale.view_as(self.scale))
        directions = moments.directions(LINEAR)
        self.weight.zero_()
        self.weight[: directions.shape[1]].copy_(directions.T.view(-1, *self.level.shape))
        self.bias.zero_()

    @torch.no_grad()
    def find_prototypes(self, pixels: Images, *, seed: int) -> None:
        """Find the prototypes of some normalised images, after the linear layer."""
        linear = [self.forward_features(part).mean((2, 3)) for part in torch.split(pixels, 256)]
        self.prototypes.copy_(
            k_means(
                F.normalize(torch.cat(linear), dim=1),
                clusters=PROTOTYPES,
                random=torch.Generator().manual_seed(seed),
            )
        )

    def _nearness(self, linear: Float[Tensor, "batch linear"]) -> Float[Tensor, "batch prototypes"]:
        with torch.autocast(linear.device.type, enabled=False):
            directions = F.normalize(linear.float(), dim=1)
            squares = directions.square().sum(1, keepdim=True) + self.prototypes.square().sum(1)
            return triangle(squares - 2 * directions @ self.prototypes.T)

    def _answers(self, pixels: Images) -> Float[Tensor, "batch answers 2 2"]:
        scales = self.fine(pixels), self.coarse(F.avg_pool2d(pixels, 2, ceil_mode=True))
        means = torch.cat([F.adaptive_avg_pool2d(answers, 2) for answers in scales], 1)
        return (means + ROOT).sqrt()

    def _read_out(self, answers: Float[Tensor, "batch answers 2 2"]) -> Map:
        said = torch.einsum("baij,faij->bfij", (answers - self.level) * self.scale, self.weight)
        return 4 * said + self.bias[:, None, None]


def read(pixels: Images) -> Float[Tensor, "batch channels _height _width"]:
    """Return the images at the size at which they are read."""
    rows, columns = (min(READ_AT, side) for side in pixels.shape[2:])
    return F.adaptive_avg_pool2d(pixels, (rows, columns))
