"""Which images to hold out, to label, and to train on at a step: pure functions of a seed.

The order comes from sorting raw random words of PCG64, which NumPy promises never to change; what
its shuffle makes of them may change.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Int

from selfsight.errors import UserError

SPLIT, SUBSET, EPOCH, SHARE = (
    1,
    2,
    3,
    4,
)  # purposes, so that one seed gives unrelated orders for each


def split(
    n: int, *, fraction: float, seed: int
) -> tuple[Int[np.ndarray, "train"], Int[np.ndarray, "held_out"]]:
    """Return the rows to train on and those to hold out, each sorted and at least one.

    Raises UserError for fewer than two images or a fraction outside 0..1.
    """
    if n < 2:
        raise UserError(f"holding images out takes at least 2, but there are {n}")
    if not 0 < fraction < 1:
        raise UserError(f"the share to hold out is {fraction}; it must lie between 0 and 1")
    count = min(max(round(n * fraction), 1), n - 1)
    order = _order(n, (seed, SPLIT))
    return np.sort(order[count:]), np.sort(order[:count])


def share_of(n: int, *, fraction: float, seed: int) -> Int[np.ndarray, "rows"]:
    """Return the sorted rows of a share of n images; a smaller share lies within a larger one."""
    assert 0 < fraction <= 1
    return np.sort(_order(n, (seed, SHARE))[: max(1, round(n * fraction))])


def stratified_subset(
    labels: Int[np.ndarray, "images"], *, per_class: int, seed: int
) -> Int[np.ndarray, "rows"]:
    """Return the rows of `per_class` images of every class, or of all in a smaller class, sorted.

    Rows with label -1 are in no class.
    """
    order = _order(len(labels), (seed, SUBSET))
    shuffled = labels[order]
    chosen = [order[shuffled == label][:per_class] for label in np.unique(labels[labels >= 0])]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *chosen]))


def stratified_share(
    labels: Int[np.ndarray, "images"], *, share: float, seed: int
) -> Int[np.ndarray, "rows"]:
    """Return the rows of a share of every class, at least one of each, sorted.

    Rows with label -1 are in no class. A smaller share lies within a larger one.
    """
    order = _order(len(labels), (seed, SUBSET))
    shuffled = labels[order]
    chosen = [np.empty(0, dtype=np.int64)]
    for label in np.unique(labels[labels >= 0]):
        members = order[shuffled == label]
        chosen.append(members[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(chosen))


def stratified_sample(
    labels: Int[np.ndarray, "images"], *, count: int, seed: int
) -> Int[np.ndarray, "rows"]:
    """Return `count` labelled rows, sorted, with the classes in the proportions of the whole.

    Sorted by (rank within the class + 1/2) / class size, any beginning is in proportion.
    """
    order = _order(len(labels), (seed, SUBSET))
    order = order[labels[order] >= 0]
    place = np.empty(len(order))
    for label in np.unique(labels[order]):
        members = np.flatnonzero(labels[order] == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(order[np.argsort(place, kind="stable")][:count])


def even_sample(
    labels: Int[np.ndarray, "images"], *, count: int, seed: int
) -> Int[np.ndarray, "rows"]:
    """Return `count` labelled rows, sorted, as many of each class as of any other that has enough.

    Classes take turns, each with its images in the order of the seed; so are the classes of a turn.
    """
    order = _order(len(labels), (seed, SUBSET))
    order = order[labels[order] >= 0]
    turn = np.empty(len(order))
    for label in np.unique(labels[order]):
        members = np.flatnonzero(labels[order] == label)
        turn[members] = np.arange(len(members))
    return np.sort(order[np.argsort(turn, kind="stable")][:count])


def batch_rows(step: int, *, images: int, batch: int, seed: int) -> Int[np.ndarray, "batch"]:
    """Return the rows of the batch at a step, counted from 0 over the whole run.

    Every epoch goes through all images in a new order; what is left over after its last full
    batch is dropped. Raises UserError if there are fewer images than a batch takes.
    """
    if not 1 <= batch <= images:
        raise UserError(f"batch is {batch}; with {images} images it must lie in 1..{images}")
    epoch, number = divmod(step, images // batch)
    return _epoch(images, seed, epoch)[number * batch : (number + 1) * batch].copy()


def endless_rows(step: int, *, images: int, batch: int, seed: int) -> Int[np.ndarray, "batch"]:
    """Return the rows of the batch at a step, counted from 0, of one order without end.

    Epochs follow one another without a gap, so a batch may be larger than the set: it then holds
    every image as often as any other, give or take one.
    """
    places = np.arange(step * batch, (step + 1) * batch)
    epochs, within = np.divmod(places, images)
    return np.concatenate(
        [_epoch(images, seed, int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)]
    )


@lru_cache(maxsize=2)
def _epoch(images: int, seed: int, epoch: int) -> Int[np.ndarray, "images"]:
    return _order(images, (seed, EPOCH, epoch))


def _order(n: int, key: tuple[int, ...]) -> Int[np.ndarray, "n"]:
    words = np.random.PCG64(np.random.SeedSequence(key)).random_raw(n)
    return np.argsort(words, kind="stable")
