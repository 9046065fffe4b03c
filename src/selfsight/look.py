"""A look at a run while it goes on: did it collapse, does it learn, how far is it?"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from selfsight.data.images import ImageSet
from selfsight.diagnosis.spread import effective_rank, ideal_spread, mean_cosine, spread
from selfsight.evaluation.embed import embed, encoder_function
from selfsight.evaluation.knn import knn_accuracy
from selfsight.loop import Record
from selfsight.material import Material
from selfsight.method import Method

BANK, QUERIES = 1000, 500  # images of the live kNN
NEIGHBOURS, TEMPERATURE = 20, 0.07


def looker(
    material: Material, *, batch: int, seed: int
) -> Callable[[Method, Record, float], dict[str, Any]]:
    """Return a function that measures a method after a step, on images that never change.

    It takes the method, the record of its last step and the mean loss since the last look, and
    returns the fields of a "look" record. kNN is None where there are no labels on both sides.
    """
    bank = _labelled(material.train, BANK, seed)
    queries = _labelled(material.held_out, QUERIES, seed)

    def look(method: Method, record: Record, loss: float) -> dict[str, Any]:
        nothing = method.knows_nothing(batch)
        watched = record.watched
        knn = None
        if len(bank) and len(queries) and record.finite:
            encode = encoder_function(method.exported, device=str(watched.device))
            knn = knn_accuracy(
                embed(encode, bank),
                embed(encode, queries),
                k=NEIGHBOURS,
                temperature=TEMPERATURE,
            )
        return {
            "kind": "look",
            "step": record.step,
            "progress": record.progress,
            "knows_nothing": nothing,
            "loss": loss,
            "loss_share": (nothing - loss) / (nothing - method.perfect),
            "spread": spread(watched),
            "spread_ideal": ideal_spread(watched.shape[1]),
            "effective_rank": effective_rank(watched) if math.isfinite(loss) else math.nan,
            "mean_cosine": mean_cosine(watched),
            "knn": knn,
        }

    return look


def _labelled(images: ImageSet, count: int, seed: int) -> ImageSet:
    rows = np.flatnonzero(images.labels.index >= 0)
    chosen = np.random.default_rng(seed).permutation(rows)[:count]
    return images.part(np.sort(chosen))
