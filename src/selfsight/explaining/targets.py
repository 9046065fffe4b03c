"""The scalar that a map explains, for an encoder that has no classes.

An encoder returns a vector, so something has to be asked of it: how similar is it to a reference?
Two forms of the question are needed, from the same reference.

- `linear`, the inner product of the feature with a direction, is what gradients are taken of. The
  cosine is not: at an image's own feature it has a maximum, and all its gradients are zero. That
  also forbids an image as its own reference; another view of it takes that place (see `aims`).
- `score`, the cosine, is what is measured when parts of an image are hidden. A network's features
  may grow or shrink on such images, and the cosine does not mind.

The inner product as the scalar: Crabbé & van der Schaar, 2022 (arXiv 2203.01928). With a foil, the
similarity to other images is subtracted, so that a map shows what is particular to the reference:
Lin et al., ICLR 2023 (arXiv 2210.00107), equation 3.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

Rows = Int[Tensor, "n"]  # which of the explained images each row of features belongs to


class Target(ABC):
    """One scalar for each explained image."""

    @abstractmethod
    def linear(self, features: Float[Tensor, "n dim"], rows: Rows) -> Float[Tensor, "n"]:
        """Return the scalar to differentiate, linear in the features."""

    @abstractmethod
    def score(self, features: Float[Tensor, "n dim"], rows: Rows) -> Float[Tensor, "n"]:
        """Return the scalar to measure: a cosine in [-1, 1], less a foil's, or a probability."""

    @abstractmethod
    def part(self, rows: Rows) -> "Target":
        """Return the target of some of the images."""


@dataclass(frozen=True, slots=True)
class Similarity(Target):
    """How similar each image is to a reference, less its mean similarity to a foil.

    references: one row an image. foil: the mean direction of the foil's features; zeros for none.
    """

    references: Float[Tensor, "images dim"]
    foil: Float[Tensor, "dim"]

    def linear(self, features: Float[Tensor, "n dim"], rows: Rows) -> Float[Tensor, "n"]:
        """Return the inner product with the reference's direction, less the foil's."""
        return (features * self._directions()[rows]).sum(1)

    def score(self, features: Float[Tensor, "n dim"], rows: Rows) -> Float[Tensor, "n"]:
        """Return the cosine with the reference, less the mean cosine with the foil."""
        return self.linear(F.normalize(features, dim=1), rows)

    def part(self, rows: Rows) -> "Similarity":
        """Return the target of some of the images."""
        return Similarity(self.references[rows], self.foil)

    def _directions(self) -> Float[Tensor, "images dim"]:
        return F.normalize(self.references, dim=1) - self.foil


@dataclass(frozen=True, slots=True)
class ClassOf(Target):
    """How surely a linear probe reads a class from an image.

    weights, offsets: of the probe, one column a class. classes: the class asked of each image.
    """

    weights: Float[Tensor, "dim classes"]
    offsets: Float[Tensor, "classes"]
    classes: Int[Tensor, "images"]

    def linear(self, features: Float[Tensor, "n dim"], rows: Rows) -> Float[Tensor, "n"]:
        """Return the class's logit, less the mean of all logits (a softmax sees no more)."""
        logits = features @ self.weights + self.offsets
        return logits.gather(1, self.classes[rows, None])[:, 0] - logits.mean(1)

    def score(self, features: Float[Tensor, "n dim"], rows: Rows) -> Float[Tensor, "n"]:
        """Return the probability that the probe gives the class."""
        logits = features @ self.weights + self.offsets
        return torch.softmax(logits, 1).gather(1, self.classes[rows, None])[:, 0]

    def part(self, rows: Rows) -> "ClassOf":
        """Return the target of some of the images."""
        return ClassOf(self.weights, self.offsets, self.classes[rows])


def all_rows(images: Tensor) -> Rows:
    """Return the row of every image of a batch."""
    return torch.arange(len(images), device=images.device)
