"""What the explained images are compared with: another view, a neighbour, a cluster or a class.

An aim is found once, with one encoder, and then gives the target in the feature space of any
encoder: of the same network with random weights, or of another one put beside it. Both ends of a
similarity are always of the same network.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsight.data.images import quiet
from selfsight.errors import UserError
from selfsight.explaining.bank import Bank, Progress
from selfsight.explaining.groups import clusters_of, neighbours
from selfsight.explaining.maps import Images, features_of
from selfsight.explaining.probe import fit_probe
from selfsight.explaining.targets import ClassOf, Similarity, Target
from selfsight.nets.encoder import Encoder
from selfsight.views.augmentation import Augmentation

Toward = Literal["itself", "neighbour", "cluster", "label"]
VIEWS = 4  # whose mean direction is the reference: one alone may have lost the object
VIEW_AREA = (0.6, 0.9)  # of the image, in a view: never all of it


class Aim(ABC):
    """What gives the target in an encoder's feature space."""

    @abstractmethod
    def __call__(self, encoder: Encoder, *, progress: Progress) -> Target:
        """Return the target of the explained images."""

    @abstractmethod
    def strangers(self) -> Int[np.ndarray, "images"]:
        """Return for each explained image another one, -1 where there is none.

        The other one's target asks for something else, and is not made of the image itself.
        """


@dataclass(frozen=True, slots=True)
class OtherViews(Aim):
    """Views of each image itself, cut differently; image by image."""

    views: Float[Tensor, "images_views channels side side"]
    bank: Bank
    foil: Int[np.ndarray, "foil"]  # rows of the bank

    def __call__(self, encoder: Encoder, *, progress: Progress) -> Target:
        """Return the similarity to the views' mean direction."""
        found = F.normalize(features_of(encoder, encoder.fit(self.views)), dim=1)
        references = found.reshape(-1, VIEWS, found.shape[1]).mean(1)
        return Similarity(references, foil_of(encoder, self.bank, self.foil, progress=progress))

    def strangers(self) -> Int[np.ndarray, "images"]:
        """Return the next image."""
        return _next(len(self.views) // VIEWS, operator.ne)


@dataclass(frozen=True, slots=True)
class Others(Aim):
    """Other images that each explained image is compared with: one neighbour, or a cluster."""

    rows: Int[np.ndarray, "images"]  # of the explained images, in the bank
    members: tuple[Int[np.ndarray, "_members"], ...]  # rows of the bank, image by image
    bank: Bank
    foil: Int[np.ndarray, "foil"]

    def __call__(self, encoder: Encoder, *, progress: Progress) -> Target:
        """Return the similarity to the mean direction of each image's others."""
        rows, place = np.unique(np.concatenate(self.members), return_inverse=True)
        found = F.normalize(self.bank.features(encoder, rows, progress=progress), dim=1)
        ends = np.cumsum([len(each) for each in self.members])[:-1]
        centres = [found[torch.from_numpy(part)].mean(0) for part in np.split(place, ends)]
        foil = foil_of(encoder, self.bank, self.foil, progress=progress)
        return Similarity(torch.stack(centres), foil)

    def strangers(self) -> Int[np.ndarray, "images"]:
        """Return the next image that is compared with others, this one not among them."""
        members = [set(each.tolist()) for each in self.members]
        return _next(
            len(members),
            lambda row, other: (
                self.rows[row] not in members[other] and members[row] != members[other]
            ),
        )


@dataclass(frozen=True, slots=True)
class OwnClass(Aim):
    """The class of each explained image, as a probe reads it that has not seen these images."""

    classes: Int[np.ndarray, "images"]
    bank: Bank
    seen: Int[np.ndarray, "seen"]  # rows of the bank that the probe is fitted on

    def __call__(self, encoder: Encoder, *, progress: Progress) -> Target:
        """Return the probe's answer. Raises UserError if it would see fewer than two classes."""
        features = self.bank.features(encoder, self.seen, progress=progress)
        weights, offsets = fit_probe(
            features, self.bank.labels[self.seen], classes=len(self.bank.names)
        )
        return ClassOf(weights, offsets, torch.from_numpy(self.classes).to(weights.device))

    def strangers(self) -> Int[np.ndarray, "images"]:
        """Return the next image of another class."""
        return _next(len(self.classes), lambda row, other: self.classes[row] != self.classes[other])


def find_aim(
    toward: Toward,
    *,
    images: Images,
    rows: Int[np.ndarray, "images"],
    bank: Bank,
    features: Float[Tensor, "bank dim"],
    foil: Int[np.ndarray, "foil"],
    seed: int,
) -> Aim:
    """Return the aim of the explained images.

    rows: of the explained images in the bank. features: of the whole bank, by the encoder that is
    explained. Raises UserError for a bank that has too few images or labels.
    """
    if toward == "itself":
        return OtherViews(other_views(images, seed=seed), bank, foil)
    if toward == "label":
        seen = np.setdiff1d(np.flatnonzero(bank.labels >= 0), rows)
        _check_seen(bank, rows, seen)
        return OwnClass(bank.labels[rows], bank, seen)
    if toward == "neighbour":
        nearest = neighbours(features, rows, count=1)
        return Others(rows, tuple(nearest), bank, foil)
    return Others(rows, clusters_of(features, rows, seed=seed), bank, foil)


def _check_seen(bank: Bank, rows: Int[np.ndarray, "images"], seen: Int[np.ndarray, "seen"]) -> None:
    """Raise UserError if an explained image's class is in no other image."""
    for row in rows.tolist():
        if bank.labels[row] not in bank.labels[seen]:
            raise UserError(
                f"maps toward a label need images of class {bank.name_of(row)} besides the "
                "explained ones; explain fewer images (count), or give more with labels"
            )


def _next(count: int, differ: Callable[[int, int], bool]) -> Int[np.ndarray, "images"]:
    """Return for each of `count` images the next one that differs from it, -1 for none."""
    found = np.full(count, -1)
    for row in range(count):
        others = ((row + step) % count for step in range(1, count))
        found[row] = next((other for other in others if differ(row, other)), -1)
    return found


def other_views(images: Images, *, seed: int) -> Float[Tensor, "images_views channels side side"]:
    """Return square views of each image, image by image; none is the image itself.

    They are crops only: an encoder need not be blind to colours, and a mirror may turn an image
    into something else (digits, letters, left and right hands).
    """
    augment = Augmentation(min(images.shape[2:]), area=VIEW_AREA, flip=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return augment(images.repeat_interleave(VIEWS, dim=0))


def foil_of(
    encoder: Encoder, bank: Bank, rows: Int[np.ndarray, "foil"], *, progress: Progress = quiet
) -> Float[Tensor, "dim"]:
    """Return the mean direction of some images' features; zeros for none."""
    if not len(rows):
        return torch.zeros(encoder.dim).to(encoder.mean)
    return F.normalize(bank.features(encoder, rows, progress=progress), dim=1).mean(0)
