"""Methods broken on purpose: each without the part that keeps it from collapsing.

The part is taken out from outside, by a setting, a replaced function or a replaced layer: the
methods have no switches for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight import assemble, methods, preparation
from selfsight.method import Method


@dataclass(frozen=True)
class Break:
    """How a method is broken, and the collapse that must come of it."""

    method: str
    mode: str
    first: str  # a word of the remedy
    settings: Mapping[str, object] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)  # of its file
    altered: Callable[[Method], None] = lambda _method: None


@contextmanager
def broken(how: Break) -> Iterator[None]:
    """Break the method in every run that begins in this block; its settings are the caller's."""
    module = __import__(methods.find(how.method).__module__, fromlist=["_"])

    def build_broken(*given: Any, **named: Any) -> Method:
        method = assemble.build_method(*given, **named)
        how.altered(method)
        return method

    with ExitStack() as stack:
        for name, replacement in how.functions.items():
            stack.enter_context(mock.patch.object(module, name, replacement))
        stack.enter_context(mock.patch.object(preparation, "build_method", build_broken))
        yield


def cosine_without_stop(p: Tensor, z: Tensor) -> Tensor:
    return -F.cosine_similarity(p, z, dim=1).mean()


def without_predictor(method: Method) -> None:
    method.predictor = nn.Identity()


def codes_without_balance(scores: Tensor, *, epsilon: float, iterations: int) -> Tensor:
    return (scores.detach() / epsilon).softmax(1)


def any_spread_will_do(z: Tensor) -> Tensor:
    return 0 * z.sum()


def constant_keys(network: nn.Module, images: Tensor) -> Tensor:
    return torch.ones_like(network(images))


BROKEN = {
    "SimSiam without stop-gradient": Break(
        "simsiam",
        "dimensional",
        "gradient",
        functions={"negative_cosine": cosine_without_stop},
    ),
    "SimSiam without predictor": Break(
        "simsiam", "dimensional", "predictor", altered=without_predictor
    ),
    "BYOL without predictor and slow target": Break(
        "byol", "complete", "momentum", settings={"momentum": 0.0}, altered=without_predictor
    ),
    "DINO without centring": Break(
        "dino", "one-prototype", "centre_momentum", settings={"centre_momentum": 1.0}
    ),
    "DINO without sharpening": Break(
        "dino", "uniform", "teacher_temperature", settings={"teacher_temperature": 1.0}
    ),
    "SwAV without Sinkhorn": Break(
        "swav", "one-prototype", "iterations", functions={"sinkhorn": codes_without_balance}
    ),
    "VICReg without the variance term": Break(
        "vicreg", "complete", "variance", functions={"_lack_of_spread": any_spread_will_do}
    ),
    "Barlow Twins without the off-diagonal term": Break(
        "barlow_twins", "dimensional", "off_diagonal", settings={"off_diagonal": 0.0}
    ),
    "MoCo with a constant key": Break(
        "moco", "uniform", "keys", functions={"shuffled": constant_keys}
    ),
    "NT-Xent with a huge temperature": Break(
        "simclr", "uniform", "temperature", settings={"temperature": 100.0}
    ),
}
