"""The solver of the linear probe: multinomial logistic regression with a penalty on the weights.

The solver is L-BFGS after a change of variables. Features of networks and pixels have a few strong
directions and many weak ones, on which L-BFGS takes up to a thousand steps; with W = P V and P made
of the principal directions, each divided by the root of its curvature at the start, it takes tens.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

TOLERANCE = 1e-4  # largest gradient, per image, in the changed variables
MAX_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """Standardised images with labels, and the change of variables for them."""

    features: Float[Tensor, "images dim"]
    labels: Int64[Tensor, "images"]
    axes: Float[Tensor, "dim axes"]  # principal directions, as columns
    variances: Float[Tensor, "axes"]  # of the features along them
    classes: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A linear classifier of standardised features."""

    weights: Float64[Tensor, "dim classes"]
    offsets: Float64[Tensor, "classes"]
    converged: bool

    def predict(self, features: Float[Tensor, "images dim"]) -> Int64[Tensor, "images"]:
        """Return the class of every image; of equal ones the lowest."""
        # numpy's argmax takes the first of equals, torch's any.
        return torch.from_numpy(self.scores(features).numpy().argmax(axis=1))

    def scores(self, features: Float[Tensor, "images dim"]) -> Float64[Tensor, "images classes"]:
        """Return the logits of every image."""
        return features @ self.weights.to(features.dtype) + self.offsets


def fit(problem: Problem, *, strength: float, start: Fitted) -> Fitted:
    """Return the classifier that solves a problem, found from `start`; see the module."""
    n, classes = len(problem.labels), problem.classes
    decay = strength / n
    targets = torch.nn.functional.one_hot(problem.labels, classes).double()
    scales = torch.sqrt(problem.variances.double() / classes + decay)
    to_weights = problem.axes.double() / scales
    exact = problem.features.dtype
    root = classes**0.5
    begin = torch.cat(
        [
            (problem.axes.T.double() @ start.weights) * scales[:, None],
            start.offsets[None] / root,
        ]
    )
    variables = begin.requires_grad_()

    def closure() -> Float[Tensor, ""]:
        weights = to_weights @ variables[:-1].detach()
        # Sums in float64: the line search compares losses that differ in the seventh digit.
        scores = (problem.features @ weights.to(exact)).double() + variables[-1].detach() * root
        logs = torch.log_softmax(scores, dim=1)
        loss = -(targets * logs).sum() / n + decay / 2 * weights.square().sum()
        errors = (logs.exp() - targets) / n
        # Transposed, because that product of thin matrices is ten times faster.
        slope = (errors.to(exact).T @ problem.features).T.double() + decay * weights
        variables.grad = torch.cat([to_weights.T @ slope, errors.sum(dim=0, keepdim=True) * root])
        return loss

    solver = torch.optim.LBFGS(
        [variables],
        max_iter=MAX_STEPS,
        max_eval=2 * MAX_STEPS,
        tolerance_grad=TOLERANCE,
        tolerance_change=1e-12,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    solver.step(closure)  # type: ignore[no-untyped-call]
    closure()
    assert variables.grad is not None
    converged = bool(variables.grad.abs().max() <= TOLERANCE)
    found = variables.detach()
    return Fitted(to_weights @ found[:-1], found[-1] * root, converged)
