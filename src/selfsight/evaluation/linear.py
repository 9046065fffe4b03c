"""The linear probe: how much of the labels a linear classifier can read from frozen features.

Features are standardised with the mean and deviation of the training part. The classifier is the
multinomial logistic regression that minimises

    sum over images of -log softmax(W x + b)[label]  +  strength / 2 * |W|^2,

a convex problem with one solution, so the number depends on no learning rate and no schedule. The
strength (scikit-learn's 1 / C) is chosen from STRENGTHS by accuracy on a stratified fifth of the
training labels; the test part is never looked at. Large sets choose on a sample: `sweep_rows`.
Against the sum of losses, unlike their mean, the best strength hardly moves with the number of
images, unless the features are almost as many: then too strong a one is chosen, so wide features
choose on more. Then all training labels are fitted (`logistic.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from selfsight.errors import UserError
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.logistic import Fitted, Problem, fit

STRENGTHS = (1e5, 1e4, 1e3, 1e2, 1e1, 1e0)  # strong to weak: each starts from the one before
UNSWEPT = 1e2  # where no class has a second image to choose with
SWEEP_ROWS, ROWS_A_DIMENSION = 10_000, 8  # that a strength is chosen on, whichever is more
HELD_BACK = 0.2
DOUBLE = 2**22  # numbers in the features: up to here float64, whose rounding hides no decrease


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """What the probe answered and how it was set."""

    predicted: Int64[np.ndarray, "images"]  # one class per labelled test image
    regularisation: float  # the chosen strength
    sweep: tuple[tuple[float, float], ...]  # (strength, accuracy on the held-back labels)
    converged: bool  # whether the last fit reached its tolerance


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted linear probe: standardisation and classifier, and how it was set."""

    centre: Float32[np.ndarray, "dim"]
    scale: Float32[np.ndarray, "dim"]
    fitted: Fitted
    regularisation: float  # the chosen strength
    sweep: tuple[tuple[float, float], ...]  # (strength, accuracy on the held-back labels)

    def predict(self, features: Float32[np.ndarray, "images dim"]) -> Int64[np.ndarray, "images"]:
        """Return the class of every image; of equal ones the lowest."""
        found: Int64[np.ndarray, "images"] = self.scores(features).numpy().argmax(axis=1)
        return found

    def scores(
        self, features: Float32[np.ndarray, "images dim"]
    ) -> Float64[Tensor, "images classes"]:
        """Return the logits of every image."""
        queries = torch.from_numpy((features - self.centre) * self.scale)
        return self.fitted.scores(queries.double() if features.size <= DOUBLE else queries)


def sweep_rows(dim: int) -> int:
    """Return on how many images, at most, a strength for so many features is chosen."""
    return max(SWEEP_ROWS, ROWS_A_DIMENSION * dim)


def linear_probe(
    train: Embeddings, test: Embeddings, *, seed: int, strengths: Sequence[float] = STRENGTHS
) -> LinearProbe:
    """Return the linear probe's answers for the labelled images of `test`; see `probe_of`."""
    found = probe_of(train, seed=seed, strengths=strengths)
    return LinearProbe(
        found.predict(test.labelled().features),
        found.regularisation,
        found.sweep,
        converged=found.fitted.converged,
    )


def probe_of(train: Embeddings, *, seed: int, strengths: Sequence[float] = STRENGTHS) -> Probe:
    """Return the linear probe fitted on the labelled images of `train`.

    strengths: to choose from, strong to weak. The seed decides which training labels choose one.
    A class with one image is fitted and never held back. Raises UserError if the training labels
    name fewer than two classes, or where `Embeddings.labelled` does.
    """
    train = train.labelled()
    rows, dim = train.features.shape
    classes = int(train.labels.max()) + 1
    if len(np.unique(train.labels)) < 2:
        raise UserError("a linear probe needs training labels of two or more classes; there is one")
    precision = torch.float64 if train.features.size <= DOUBLE else torch.float32
    centre, scale = _scaling(train.features)
    features = torch.from_numpy((train.features - centre) * scale).to(precision)
    labels = torch.from_numpy(train.labels)

    rng = np.random.default_rng(seed)
    chosen = stratified_mask(train.labels, min(1.0, sweep_rows(dim) / rows), rng, smallest=1)
    axes, variances = _principal(features[chosen])
    problem = Problem(features, labels, axes, variances, classes)

    held_back = chosen & stratified_mask(
        np.where(chosen, train.labels, -1), HELD_BACK, rng, smallest=2
    )
    sweep, start = _sweep(
        problem, torch.from_numpy(chosen), torch.from_numpy(held_back), strengths=strengths
    )
    # Of equals the strongest, which comes first.
    strength = max(sweep, key=lambda pair: pair[1])[0] if sweep else UNSWEPT
    fitted = fit(problem, strength=strength, start=start[strength])
    return Probe(centre, scale, fitted, strength, tuple(sweep))


def _sweep(
    problem: Problem,
    chosen: Bool[Tensor, "images"],
    held_back: Bool[Tensor, "images"],
    *,
    strengths: Sequence[float],
) -> tuple[list[tuple[float, float]], dict[float, Fitted]]:
    """Return (strength, accuracy on the labels held back) and the classifier, strong to weak."""
    rows = chosen & ~held_back
    part = replace(problem, features=problem.features[rows], labels=problem.labels[rows])
    queries, answers = problem.features[held_back], problem.labels[held_back]
    dim = problem.features.shape[1]
    fitted = Fitted(
        torch.zeros(dim, problem.classes, dtype=torch.float64),
        torch.zeros(problem.classes, dtype=torch.float64),
        converged=False,
    )
    if len(answers) == 0:  # every class has a single image: nothing to choose with
        return [], {UNSWEPT: fitted}
    sweep, found = [], {}
    for strength in strengths:
        fitted = fit(part, strength=strength, start=fitted)
        sweep.append((strength, float((fitted.predict(queries) == answers).double().mean())))
        found[strength] = fitted
    return sweep, found


def _scaling(
    train: Float32[np.ndarray, "images dim"],
) -> tuple[Float32[np.ndarray, "dim"], Float32[np.ndarray, "dim"]]:
    """Return what to subtract from and to multiply with each dimension: mean 0, deviation 1."""
    mean = train.mean(axis=0, dtype=np.float64)
    deviation = train.std(axis=0, dtype=np.float64)
    # A dimension that varies by no more than float32 rounds is constant: its dust is no signal.
    constant = deviation <= 1e-6 * np.abs(mean)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation)).astype(np.float32)
    return mean.astype(np.float32), scale


def _principal(
    features: Float[Tensor, "images dim"],
) -> tuple[Float[Tensor, "dim axes"], Float[Tensor, "axes"]]:
    """Return the principal directions and the variances along them.

    Few images in many dimensions fill a small part of them, and the weights that solve the problem
    lie in it: the directions of that part are enough, and found in a fraction of the time.
    """
    images, dim = features.shape
    if images < min(dim, SWEEP_ROWS // 2):  # so few are never a sample of more
        _, roots, rows = torch.linalg.svd(features / images**0.5, full_matrices=False)
        return rows.T.contiguous(), roots.square()
    variances, axes = torch.linalg.eigh(features.T @ features / images)
    return axes, variances.clamp(min=0)


def stratified_mask(
    labels: Int64[np.ndarray, "images"], share: float, rng: np.random.Generator, *, smallest: int
) -> Bool[np.ndarray, "images"]:
    """Return a mask with a share, but at least one, of every class of `smallest` images or more.

    -1 is no class.
    """
    mask = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels[labels >= 0]):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) >= smallest:
            mask[rows[: max(1, int(share * len(rows)))]] = True
    return mask
