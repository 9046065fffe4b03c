"""The protocol of an assessment, in full: what every number in it means."""

from typing import Any

from selfsight.assessment.opening import Assessment
from selfsight.evaluation import protocols

STATED = {
    "knn": protocols.KNN,
    "linear": protocols.LINEAR,
    "finetune": protocols.FINETUNE,
    "scratch": protocols.SCRATCH,
}


def stated(assessment: Assessment) -> dict[str, Any]:
    """Return how the numbers were measured, as texts and numbers by name."""
    plan = assessment.plan
    used = dict.fromkeys(cell.protocol for cell in assessment.cells)
    return {
        "split": "labels are drawn from the training images; every setting (strength, rate, views, "
        "number of steps) was chosen on drawn labels that were held back; the test images were "
        "read once by every finished classifier and chose nothing",
        "labels": "the same images for every arm: so many or such a share of each class, at least "
        "one, in an order that the seed decides, so that fewer labels are among more; listed in "
        "subsets/",
        "seeds": list(plan.seeds),
        "what a seed decides": "the labels, the split that chooses settings, the first weights of "
        "training from scratch, order and views; the untrained encoder is one, of the first seed",
        "effort": plan.effort,
        "precision": plan.precision,
        "feature": protocols.FEATURE,
        "pixels": protocols.PIXELS,
        **{name: STATED[name] for name in STATED if name in used},
        "clusters": protocols.CLUSTERS,
        "retrieval": protocols.RETRIEVAL,
        "spread": "standard deviation over seeds",
        "interval": "95 %; of differences paired by seed and test image: Student's t over seeds "
        "and over test images (and four made-up ones, two a step above and two below), as the root "
        "of the sum of their squares; the luck of the pretraining run and that of the one "
        "untrained encoder are not in it; not corrected for the number of differences",
        "balanced accuracy": "mean over classes of the share read right",
        "overtaking": "the number of labels where training from scratch comes to lead for good, on "
        "a line between two amounts over the logarithm",
    }
