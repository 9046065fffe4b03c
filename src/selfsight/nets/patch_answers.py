"""Convolution filters that no gradient teaches: k-means on whitened patches of images.

Coates, Lee, Ng: An Analysis of Single-Layer Networks in Unsupervised Feature Learning, AISTATS
2011. Square patches, each less its mean and over its deviation, are whitened by ZCA and clustered.
A centre answers a patch by how much nearer it is than the mean centre, or not at all ("triangle",
equation 4). The numbers that the paper adds to variances are scaled from pixels of 0 to 255 to
normalised pixels.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 6  # px of a patch
CONTRAST = 10 / 64**2  # added to a patch's variance; the paper's 10 for pixels of deviation 64
WHITENING = 0.1  # added to the variances of whitened directions
SAMPLED, FITTED, ROUNDS = 100_000, 8192, 10  # patches, at least; at a time; Lloyd's rounds
NEAREST = 1e-6  # of squared distances, whose root has no slope at 0

Images = Float[Tensor, "batch channels height width"]


class PatchAnswers(nn.Module):
    """The answers of `clusters` centres to the patches at every `stride`th place.

    Until `learn` is called the centres are random. All that is learnt is in buffers: no optimiser
    moves it, and it is saved and loaded with the weights.
    """

    whitening: Tensor
    centre: Tensor
    centres: Tensor

    def __init__(self, *, channels: int, clusters: int, stride: int) -> None:
        super().__init__()
        pixels = channels * SIDE**2
        self.clusters, self.stride = clusters, stride
        self.register_buffer("whitening", torch.eye(pixels))
        self.register_buffer("centre", torch.zeros(pixels))
        self.register_buffer("centres", torch.randn(clusters, pixels))

    def forward(self, pixels: Images) -> Float[Tensor, "batch clusters rows columns"]:
        """Return how much nearer than the mean centre each centre is to the patch at each place.

        Patches are never laid out: taking the mean off, whitening and the products with the centres
        are two convolutions. Of images smaller than a patch the edge is repeated.
        """
        pixels, step = _large_enough(pixels), self.stride
        count = pixels.shape[1] * SIDE**2
        mean = F.avg_pool2d(pixels, SIDE, stride=step).mean(1, keepdim=True)
        square = F.avg_pool2d(pixels.square(), SIDE, stride=step).mean(1, keepdim=True)
        variance = (square - mean.square()).clamp(min=0) * (count / (count - 1))
        whitener = self.whitening.T - self.whitening.mean(0)[:, None]
        white = F.conv2d(pixels, whitener.view(count, -1, SIDE, SIDE), stride=step)
        white = white * (variance + CONTRAST).rsqrt()
        white = white - (self.centre @ self.whitening)[:, None, None]
        product = F.conv2d(white, -2 * self.centres[:, :, None, None], self.centres.square().sum(1))
        return triangle(product + white.square().sum(1, keepdim=True))

    @torch.no_grad()
    def learn(self, pixels: Images, *, seed: int) -> None:
        """Find the whitening and the centres on patches of some images."""
        random = torch.Generator().manual_seed(seed)
        patches = normalised(_sampled(pixels, random))
        self.centre.copy_(patches.mean(0))
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))
        whitening = vectors @ torch.diag((values.clamp(min=0) + WHITENING).rsqrt()) @ vectors.T
        self.whitening.copy_(whitening)
        white = (patches - self.centre) @ self.whitening
        self.centres.copy_(k_means(white, clusters=self.clusters, random=random))


def triangle(squares: Float[Tensor, "batch clusters *places"]) -> Tensor:
    """Return how much nearer than the mean centre each is, from squared distances."""
    distance = squares.clamp(min=NEAREST).sqrt()
    return (distance.mean(1, keepdim=True) - distance).clamp(min=0)


def normalised(patches: Float[Tensor, "*many patch"]) -> Float[Tensor, "*many patch"]:
    """Return patches, each less its mean and over its deviation."""
    centred = patches - patches.mean(-1, keepdim=True)
    return centred / (patches.var(-1, keepdim=True) + CONTRAST).sqrt()


def _large_enough(pixels: Images) -> Float[Tensor, "batch channels _height _width"]:
    more = [max(0, SIDE - side) for side in pixels.shape[:1:-1]]
    return F.pad(pixels, (0, more[0], 0, more[1]), mode="replicate") if any(more) else pixels


def _sampled(pixels: Images, random: torch.Generator) -> Float[Tensor, "patches patch"]:
    """Return patches from random places of the images, equally many of each."""
    each = -(-SAMPLED // len(pixels))
    found = []
    for part in torch.split(pixels, 256):
        patches = F.unfold(_large_enough(part), SIDE).transpose(1, 2)
        places = torch.randint(patches.shape[1], (len(part), each), generator=random)
        wanted = places.to(part.device)[..., None].expand(-1, -1, patches.shape[2])
        found.append(patches.gather(1, wanted).flatten(0, 1))
    return torch.cat(found)


def k_means(
    patches: Float[Tensor, "patches dim"], *, clusters: int, random: torch.Generator
) -> Float[Tensor, "clusters dim"]:
    """Return the centres; one that loses all its patches begins anew at a random patch."""
    order = torch.randint(len(patches), (clusters,), generator=random)
    if clusters <= len(patches):
        order = torch.randperm(len(patches), generator=random)[:clusters]
    centres = patches[order.to(patches.device)].clone()
    for _ in range(ROUNDS):
        sums, counts = torch.zeros_like(centres), patches.new_zeros(clusters)
        half = centres.square().sum(1) / 2
        for block in torch.split(patches, FITTED):
            nearest = (block @ centres.T - half).argmax(1)
            sums.index_add_(0, nearest, block)
            counts += torch.bincount(nearest, minlength=clusters)
        lost = counts == 0
        centres = sums / counts.clamp(min=1)[:, None]
        again = torch.randint(len(patches), (int(lost.sum()),), generator=random)
        centres[lost] = patches[again.to(patches.device)]
    return centres
