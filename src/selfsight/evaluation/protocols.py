"""The protocols in words, as every table of numbers must state them."""

from selfsight.evaluation.clusters import FITTED, STARTS
from selfsight.evaluation.finetune import (
    BATCHES,
    FINE_TUNING,
    KEPT,
    MOST_HELD_BACK,
    VIEWS_PER_LABEL,
)
from selfsight.evaluation.finetune import HELD_BACK as TUNED_ON
from selfsight.evaluation.knn import NEIGHBOURS, TEMPERATURE
from selfsight.evaluation.linear import (
    HELD_BACK,
    ROWS_A_DIMENSION,
    STRENGTHS,
    SWEEP_ROWS,
    UNSWEPT,
)
from selfsight.evaluation.logistic import MAX_STEPS, TOLERANCE
from selfsight.evaluation.retrieval import QUERIES
from selfsight.evaluation.supervision import (
    CROP,
    HUE,
    JITTERED,
    SMOOTHING,
    TONE,
    VIEWS,
    WARM_UP,
    WEIGHT_DECAY,
)
from selfsight.evaluation.tuning import LOOKS, MOST_RACED, RACE, RATES

FEATURE = (
    "output of the frozen encoder, before any projection head; images without augmentation; "
    "batch norm with its running statistics"
)
PIXELS = "area-averaged to at most 32 x 32 pixels, flattened"
KNN = {
    "normalisation": "each feature vector divided by its length",
    "metric": "cosine",
    "weighting": "exp(cosine / temperature), equal votes to the lowest class",
    "temperature": TEMPERATURE,
    "neighbours": f"{NEIGHBOURS}, or all labelled training images where there are fewer",
}
LINEAR = {
    "normalisation": "each dimension to mean 0, deviation 1 of the training part",
    "solver": f"L-BFGS until the largest gradient per image is {TOLERANCE:g}, "
    f"at most {MAX_STEPS} steps",
    "regularisation": "strength / 2 x squared weights, against the sum of losses; of "
    + ", ".join(f"{strength:g}" for strength in STRENGTHS)
    + f" the most accurate on {HELD_BACK:.0%} of the labels of each class, "
    f"of at most {SWEEP_ROWS} training images, or {ROWS_A_DIMENSION} times the features if that is "
    f"more; {UNSWEPT:g} where no class has two",
}
TRAINED = {
    "optimiser": f"AdamW, weight decay {WEIGHT_DECAY:g}, gradients cut to length 1, labels "
    f"smoothed by {SMOOTHING:g}; the rate rises over {WARM_UP:.0%} of the steps, then half a "
    "cosine; batch norm in training mode, its averages quick enough to forget the start five "
    "times",
    "budget": f"{VIEWS_PER_LABEL} n^(2/3) views for n labels, times the effort, in batches of "
    f"about n / 8, from {BATCHES[0]} to {BATCHES[1]}",
    "tuning": f"on {TUNED_ON:.0%} of the labels of each class, at most {MOST_HELD_BACK:,}: rates "
    + ", ".join(f"{rate:g}" for rate in sorted(RATES))
    + f" through {RACE:.0%} of the steps (at most {MOST_RACED:,} views), then, with the best of "
    "them, views of "
    + "; ".join(VIEWS)
    + f" (crops of {CROP[0]:.0%} of the image or more; in {JITTERED:.0%} of views brightness, "
    f"contrast and saturation by up to {TONE:g} and hues by up to {HUE:g} of a turn)"
    + f"; the best through all steps, stopped at the best of {LOOKS} places; then "
    "anew with all labels by a schedule that ends there, unless fewer than "
    f"{KEPT:.0%} were held back. With one label a class: rate {RATES[0]:g}, {VIEWS[0]}, all steps",
}
FINETUNE = TRAINED | {
    "start": "the linear probe, on standardised features; its classifier is trained on with the "
    "network; where no place is better on the labels held back, the probe is the result",
    "layers": "all; the rate falls geometrically from the classifier to "
    f"{FINE_TUNING.lowest:g} of it at the first layer",
}
SCRATCH = TRAINED | {
    "start": "fresh random weights for each seed, and a classifier that is zero, on features as "
    "they are",
    "layers": "all, with one rate",
    "same as fine-tuning": "network, views, labelled images, budget, rates, tuning and stopping",
}
CLUSTERS = {
    "fit": f"k-means on at most {FITTED:,} labelled training images without their labels; k is "
    f"the number of classes; best of {STARTS} starts; features divided by their length",
    "scores": "NMI (arithmetic mean) and ARI with the labels of the test images; accuracy after "
    "each cluster was named for one class by the training labels (Hungarian method)",
}
RETRIEVAL = (
    f"mean average precision of at most {QUERIES:,} test images as queries to all labelled "
    "training images, ranked by cosine"
)
