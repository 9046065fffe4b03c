"""A linear classifier of frozen features, with its weights: the class that a map is drawn toward.

How well classes can be read is measured elsewhere (`evaluation.linear`, which keeps no weights);
here only a direction is needed, from at most some thousand images: scikit-learn's solver finds it.
"""

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from selfsight.errors import UserError

STRENGTH = 10.0  # of the regularisation, half times the squared weights against the sum of losses
MOST_STEPS = 300


def fit_probe(
    features: Float[Tensor, "images dim"], labels: Int[np.ndarray, "images"], *, classes: int
) -> tuple[Float[Tensor, "dim classes"], Float[Tensor, "classes"]]:
    """Return the weights and offsets of a logistic regression on features as they are.

    The features are standardised for the fit, and the result is folded back. A class without an
    image gets the weights 0 and an offset that makes it improbable. Raises UserError if there are
    fewer than two classes.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    known = labels >= 0
    present = np.unique(labels[known])
    if len(present) < 2:
        raise UserError(
            "maps toward a label need labelled images of two or more classes besides the "
            "explained ones; put the images in one folder per class, or give --labels FILE.csv"
        )
    numbers = features.cpu().double().numpy()[known]
    mean, deviation = numbers.mean(0), numbers.std(0)
    scale = 1 / np.where(deviation <= 1e-6 * np.abs(mean), np.inf, deviation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the direction is good enough by then
        solved = LogisticRegression(C=1 / STRENGTH, max_iter=MOST_STEPS).fit(
            (numbers - mean) * scale, labels[known]
        )
    rows, offsets = solved.coef_, solved.intercept_
    if len(present) == 2:  # which scikit-learn solves with a single row, for the second class
        rows, offsets = np.stack([-rows[0], rows[0]]) / 2, np.array([-1, 1]) * offsets / 2
    weights = np.zeros((features.shape[1], classes))
    biases = np.full(classes, -1e3)
    weights[:, present] = (rows * scale).T
    biases[present] = offsets - (rows * scale) @ mean
    return torch.tensor(weights).to(features), torch.tensor(biases).to(features)
