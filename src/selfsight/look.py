"""A look at a run while it goes on: did it collapse, does it learn, how far is it?"""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from selfsight.data.images import ImageSet
from selfsight.diagnosis.spread import effective_rank, ideal_spread, mean_cosine, spread
from selfsight.evaluation.embed import Embeddings, embed, encoder_function
from selfsight.evaluation.knn import knn_accuracy
from selfsight.gather import alone
from selfsight.loop import Record
from selfsight.material import Material
from selfsight.method import Method, Step

BANK, QUERIES = 1000, 500  # images of the live kNN
NEIGHBOURS, TEMPERATURE = 20, 0.07
MOST, FEWEST = 128, 64  # images on which a collapse is looked for
ENTROPIES = ("assignment_entropy", "mean_assignment_entropy", "sure_assignment_entropy")


def looker(
    material: Material, *, batch: int, groups: int, seed: int
) -> Callable[[Method, Record, float, bool], dict[str, Any]]:
    """Return a function that measures a method after a step, on images that never change.

    groups: see `Method.groups`. It takes the method, the record of its last step, the mean loss
    since the last look and whether to ask the neighbours, which takes longest. It returns the
    fields of a "look" record:

    - of the training: step, progress, loss, and what that would be for a network that knows nothing
      (knows_nothing), that solves the task (perfect), whose outputs are equal
      (collapsed_in_training, None if no fixed number); loss_share is 0 at the first, 1 at the
      second;
    - of the watched images: loss_watched and, as above, collapsed; spread, spread_ideal,
      effective_rank, mean_cosine; vectors_tell, whether a collapse shows in these; scale, the
      vectors' standard deviation, None where their length does not matter; the assignments'
      entropies as shares of ln K, None without prototypes;
    - knn, the accuracy of the live kNN, None where it is not asked or where there are no labels on
      both sides.
    """
    bank = _labelled(material.labelled, BANK, seed)
    queries = _labelled(material.held_out, QUERIES, seed)
    watched = _watched(material, batch=batch, groups=groups)

    def look(method: Method, record: Record, loss: float, neighbours: bool) -> dict[str, Any]:
        nothing, perfect = method.knows_nothing(batch), method.perfect(batch)
        fields = {
            "kind": "look",
            "step": record.step,
            "progress": record.progress,
            "knows_nothing": nothing,
            "perfect": perfect,
            "collapsed_in_training": method.collapsed(batch),
            "loss": loss,
            "loss_share": (nothing - loss) / (nothing - perfect),
            "vectors_tell": method.vectors_tell,
            "knn": None,
        }
        device = next(method.parameters()).device
        if not record.finite:
            return fields | _nowhere(record.watched.shape[1])
        if neighbours and len(bank) and len(queries):
            encode = encoder_function(method.exported, device=str(device))
            fields["knn"] = _knn(embed(encode, bank), embed(encode, queries))
        step = _rehearsed(method, watched.to(device), record.progress, seed)
        return fields | _measured(method, step, images=len(watched))

    return look


def _knn(bank: Embeddings, queries: Embeddings) -> float | None:
    """Return the live kNN accuracy, or None when the weights have just become no numbers."""
    if not (np.isfinite(bank.features).all() and np.isfinite(queries.features).all()):
        return None
    return knn_accuracy(bank, queries, k=NEIGHBOURS, temperature=TEMPERATURE)


def _rehearsed(method: Method, images: torch.Tensor, progress: float, seed: int) -> Step:
    """Return the step that a copy of the method makes of the images: looking changes nothing."""
    copy = deepcopy(method).train()
    with alone(), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return copy(copy.views(images), min(progress, 0.999))  # type: ignore[no-any-return]


def _measured(method: Method, step: Step, *, images: int) -> dict[str, Any]:
    z = step.watched.float()
    scale = float(z.std(0).mean()) if method.scale_matters else None
    return {
        "spread": spread(z),
        "spread_ideal": ideal_spread(z.shape[1]),
        "effective_rank": effective_rank(z),
        "mean_cosine": mean_cosine(z),
        "scale": scale,
        "loss_watched": float(step.loss),
        "collapsed": method.collapsed(images),
        **{name: float(step.logs[name]) if name in step.logs else None for name in ENTROPIES},
    }


def _nowhere(dim: int) -> dict[str, Any]:
    """Return the measurements of a network that has diverged: none of them is a number."""
    names = ("spread", "effective_rank", "mean_cosine", "loss_watched")
    nothing = dict.fromkeys(("scale", "collapsed", *ENTROPIES))
    return dict.fromkeys(names, math.nan) | {"spread_ideal": ideal_spread(dim)} | nothing


def _watched(material: Material, *, batch: int, groups: int) -> torch.Tensor:
    """Return a batch of images, halved while it is more than is needed or than are held out.

    What is left is still a multiple of the method's groups. Where far too few are held out,
    training images show a collapse as well.
    """
    count, held_out = batch, len(material.held_out)
    while count % (2 * groups) == 0 and count > FEWEST and count > min(MOST, held_out):
        count //= 2
    images = material.held_out if held_out >= count else material.train
    rows = np.linspace(0, len(images) - 1, count).astype(np.int64)
    return torch.from_numpy(images.batch(rows))


def _labelled(images: ImageSet, count: int, seed: int) -> ImageSet:
    rows = np.flatnonzero(images.labels.index >= 0)
    chosen = np.random.default_rng(seed).permutation(rows)[:count]
    return images.part(np.sort(chosen))
