"""Features without a network: k-means on whitened patches, the peer that every small encoder has.

    python bench/patches.py cifar10 [--clusters 800] [--train 50000] [--test 10000] [--threads 2]

Coates, Lee, Ng: An Analysis of Single-Layer Networks in Unsupervised Feature Learning, AISTATS
2011. Patches of 6 x 6 px of the training images, each less its mean and over its deviation (10
added to the variance of values 0 to 255), whitened by ZCA (0.1 added), clustered by k-means. An
image is read at every place; a centre answers by how much nearer it is than the mean centre, or
not at all ("triangle", equation 4); answers are summed over the four quadrants. The accuracy is
that of selfsight's linear probe (the paper: a support vector machine) on the labels asked for.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from selfsight.allocator import keep_freed_memory
from selfsight.data.images import ImageSet, open_images
from selfsight.data.splits import stratified_sample
from selfsight.evaluation.embed import Encode, embed
from selfsight.evaluation.linear import linear_probe
from selfsight.nets.patch_answers import k_means

SIDE, SAMPLE = 6, 200_000  # px of a patch; patches for k-means
CONTRAST, WHITENING = 10.0, 0.1  # added to variances


def normalised(patches: Tensor) -> Tensor:
    """Return patches [n, pixels] of 0 to 255, each less its mean and over its deviation."""
    centred = patches - patches.mean(1, keepdim=True)
    return centred / (patches.var(1, keepdim=True) + CONTRAST).sqrt()


def whitening(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the ZCA matrix of normalised patches."""
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    return mean, vectors @ torch.diag((values + WHITENING).rsqrt()) @ vectors.T


def sampled(images: ImageSet, *, seed: int) -> Tensor:
    """Return SAMPLE normalised patches from random places of random images."""
    random = np.random.default_rng(seed)
    found = []
    for rows in np.array_split(random.integers(0, len(images), SAMPLE // 10), 20):
        unfolded = functional.unfold(torch.tensor(images.batch(rows)).float(), SIDE)
        places = torch.tensor(random.integers(0, unfolded.shape[2], (len(rows), 10)))
        chosen = unfolded.gather(2, places[:, None].expand(-1, unfolded.shape[1], -1))
        found.append(normalised(chosen.transpose(1, 2).flatten(0, 1)))
    return torch.cat(found)


def reader(images: ImageSet, *, clusters: int, seed: int) -> Encode:
    """Return the function from images to features that k-means on their patches gives."""
    patches = sampled(images, seed=seed)
    mean, matrix = whitening(patches)
    random = torch.Generator().manual_seed(seed)
    centres = k_means((patches - mean) @ matrix, clusters=clusters, random=random)
    squares = centres.square().sum(1)

    def encode(pixels: np.ndarray) -> np.ndarray:
        unfolded = functional.unfold(torch.tensor(pixels).float(), SIDE)  # [n, 108, places]
        count, places = len(unfolded), unfolded.shape[2]
        flat = (normalised(unfolded.transpose(1, 2).flatten(0, 1)) - mean) @ matrix
        apart = flat.square().sum(1, keepdim=True) + squares - 2 * flat @ centres.T
        distance = apart.clamp_(min=0).sqrt_()
        answers = (distance.mean(1, keepdim=True) - distance).clamp_(min=0)
        side = int(places**0.5)
        maps = answers.view(count, side, side, clusters).permute(0, 3, 1, 2)
        top, left = side // 2, side // 2
        quadrants = [
            maps[:, :, rows, columns].sum((2, 3))
            for rows in (slice(None, top), slice(top, None))
            for columns in (slice(None, left), slice(left, None))
        ]
        return torch.cat(quadrants, 1).numpy()

    return encode


def main() -> None:
    """Measure and print the accuracy and what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with train/ and test/ of class folders")
    parser.add_argument("--clusters", type=int, default=800)
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path(".selfsight-cache"))
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    began = time.perf_counter()
    parts = []
    for name, count in (("train", arguments.train), ("test", arguments.test)):
        images = open_images(
            str(arguments.images / name), size=arguments.size, cache=arguments.cache
        )
        rows = stratified_sample(images.labels.index, count=count, seed=arguments.seed)
        parts.append(images.part(rows))
    encode = reader(parts[0], clusters=arguments.clusters, seed=arguments.seed)
    learned = time.perf_counter() - began
    train, test = (embed(encode, images, batch=64) for images in parts)
    embedded = time.perf_counter() - began
    found = linear_probe(train, test, seed=arguments.seed)
    right = float((found.predicted == test.labelled().labels).mean())
    print(
        f"{arguments.clusters} clusters, {train.features.shape[1]} features: "
        f"{100 * right:.1f} % of {len(found.predicted):,} test images with "
        f"{len(parts[0]):,} labels (strength {found.regularisation:g}); "
        f"centres after {learned:.0f} s, features after {embedded:.0f} s, "
        f"probe after {time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
