"""What tests of losses are given: closed-form matrices, checks against them, small networks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight import methods
from selfsight.method import Method
from selfsight.nets.encoder import Encoder, build_encoder


def closed_form(rows: int, columns: int, shift: int) -> Tensor:
    """Return ((7919 k² + 104729 k + shift) mod 1009) / 504.5 - 1 for k = 0, 1, …, row by row."""
    k = torch.arange(rows * columns).reshape(rows, columns)
    return ((7919 * k * k + 104729 * k + shift) % 1009).double() / 504.5 - 1


Z1 = closed_form(4, 3, 1)
Z2 = 0.6 * Z1 + 0.8 * closed_form(4, 3, 2000)
QUEUE = F.normalize(closed_form(5, 3, 3), dim=1)
A = closed_form(8, 4, 4)
B = A + 0.5 * closed_form(8, 4, 5000)


def is_close(value: Tensor, expected: float, *, within: float = 1e-6) -> bool:
    return abs(value.item() - expected) < within


def gradient(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    point = at.clone().requires_grad_()
    return torch.autograd.grad(loss(point), point)[0]


def assert_gradient(
    loss: Callable[[Tensor], Tensor], *, at: Tensor, first_row: list[float], length: float
) -> None:
    found = gradient(loss, at)
    expected = torch.tensor(first_row, dtype=found.dtype)
    torch.testing.assert_close(found[0], expected, atol=2e-6, rtol=0)
    assert abs(found.norm().item() - length) < 2e-6


def equal_rows(rows: int, columns: int) -> Tensor:
    return torch.linspace(-1, 2, columns, dtype=torch.float64).expand(rows, columns)


def random_pair(rows: int = 256, columns: int = 128) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, rows, columns, generator=generator)
    return first, second


def rotation(columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    square = torch.randn(columns, columns, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(square)[0]


def small(name: str, **settings: object) -> Method:
    """Return a method with narrow heads on the convnet at 16 px."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
        return methods.find(name)(encoder, **settings).train()


def pictures(count: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


def views_of(method: Method, *, count: int = 8) -> list[Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        return method.views(pictures(count))


class Tiny(nn.Module):
    """Two convolutions that know timm's words: what a shortcut takes, in a training of a second."""

    num_features = head_hidden_size = 32

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(pixels).mean((2, 3))


def tiny(size: int) -> Encoder:
    torch.manual_seed(0)
    grey, quarter = [0.5] * 3, [0.25] * 3
    return Encoder(Tiny(), name="tiny", image_size=size, stem="standard", mean=grey, std=quarter)


def learnt(method: Method, draw: Callable[[], Tensor], *, steps: int) -> tuple[float, float]:
    """Train on images that are new at every step; return the last quarter's loss and accuracy."""
    torch.manual_seed(1)
    optimiser = torch.optim.AdamW(method.parameters(), lr=5e-3)
    taken = []
    for _ in range(steps):
        step = method.train()(method.views(draw()), 0.0)
        optimiser.zero_grad()
        step.loss.backward()
        optimiser.step()
        taken.append((step.loss.item(), step.logs["accuracy"].item()))
    last = taken[-(steps // 4) :]
    loss, accuracy = (sum(column) / len(last) for column in zip(*last, strict=True))
    return loss, accuracy
