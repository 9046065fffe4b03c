import math

import pytest
import torch
from torch import nn

from selfsight.engine import Engine
from selfsight.loop import train
from selfsight.method import Step
from selfsight.methods.simclr import SimCLR
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser


def method() -> SimCLR:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
        return SimCLR(encoder, hidden=32, projection=16)


def pictures(number: int, *, batch: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randint(0, 256, (batch, 3, 16, 16), dtype=torch.uint8, generator=generator)


def run(network: nn.Module, *, steps: int, batch_at=pictures, lr: float = 1e-3, **rest):
    return train(
        network,
        batch_at,
        engine=Engine(device="cpu", precision="fp32"),
        optimiser=build_optimiser("sgd", network.param_groups(), weight_decay=0.0),
        lr=lr,
        progress=lambda step: step / steps,
        **rest,
    )


def test_a_generator_can_be_held_for_one_step() -> None:
    record = next(run(method(), steps=10))
    assert (record.step, record.progress, record.images) == (1, 0.1, 8)
    assert math.isfinite(record.loss)


def test_the_rate_follows_warm_up_and_cosine() -> None:
    rates = [record.lr for record in run(method(), steps=10, lr=2.0, warm_up=0.2)]
    assert rates[:3] == [0.0, 1.0, 2.0]
    assert rates[-1] == pytest.approx(2.0 * 0.5 * (1 + math.cos(math.pi * 0.7 / 0.8)))


def test_a_group_with_a_fixed_rate_keeps_the_peak() -> None:
    network = method()
    optimiser = build_optimiser(
        "sgd", [{"params": list(network.parameters()), "fixed_rate": True}], weight_decay=0.0
    )
    steps = train(
        network,
        pictures,
        engine=Engine(device="cpu", precision="fp32"),
        optimiser=optimiser,
        lr=0.5,
        progress=lambda step: step / 4,
    )
    for _ in steps:
        assert {group["lr"] for group in optimiser.param_groups} == {0.5}


@pytest.mark.parametrize("clip", [1e-3, 1e9])
def test_a_group_with_a_clip_has_each_tensors_gradient_shortened(clip: float) -> None:
    network = method()
    group = {"params": list(network.parameters()), "clip": clip}
    steps = train(
        network,
        pictures,
        engine=Engine(device="cpu", precision="fp32"),
        optimiser=build_optimiser("sgd", [group], weight_decay=0.0),
        lr=0.5,
        progress=lambda step: step / 4,
    )
    next(steps)
    lengths = [weight.grad.norm().item() for weight in network.parameters()]
    assert max(lengths) == pytest.approx(clip, rel=1e-2) if clip < 1 else max(lengths) < 1e3
    assert sum(length > 0.99e-3 for length in lengths) > 3  # each by itself


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    list(run(method(), steps=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_and_seeds_draw_different_views() -> None:
    def losses(seed: int) -> list[float]:
        return [
            r.loss
            for r in run(method(), steps=3, batch_at=lambda _: pictures(0), lr=0.0, seed=seed)
        ]

    one, other = losses(1), losses(2)
    assert len({*one, *other}) == 6


def test_a_loss_that_is_no_number_ends_the_training_without_a_step() -> None:
    network = method()
    with torch.no_grad():
        network.projector[-1].weight.fill_(math.nan)
    weights = network.encoder.state_dict()["network.blocks.0.0.weight"].clone()
    records = list(run(network, steps=10))
    assert len(records) == 1
    assert not records[0].finite
    assert torch.equal(network.encoder.state_dict()["network.blocks.0.0.weight"], weights)


class Averaging(SimCLR):
    """A method whose loss is a plain mean over images, so that two halves make a whole."""

    def forward(self, views, progress):
        h = self.encoder.eval()(views[0])  # batch norm in evaluation mode: images stand alone
        return Step(h.pow(2).mean(), watched=h, logs={})


def test_accumulated_halves_move_the_weights_like_the_whole_batch() -> None:
    def weights(batch_at, accumulate: int) -> torch.Tensor:
        network = method()
        network.__class__ = Averaging
        network.views = lambda images: [images.float() / 255] * 2
        list(run(network, steps=1, batch_at=batch_at, lr=0.1, accumulate=accumulate))
        return network.encoder.network.blocks[0][0].weight.detach()

    whole = torch.cat([pictures(0), pictures(1)])
    torch.testing.assert_close(
        weights(pictures, 2), weights(lambda _: whole, 1), atol=1e-6, rtol=1e-5
    )


def test_a_record_says_what_its_time_was_spent_on() -> None:
    for record in run(method(), steps=2, accumulate=2):
        assert list(record.spent) == ["reading", "views", "model", "update"]
        assert 0 < sum(record.spent.values()) <= record.seconds


def test_a_record_keeps_the_watched_vectors_and_nothing_beside_them() -> None:
    watched = next(run(method(), steps=10)).watched
    assert watched.shape == (8, 16)
    assert watched.untyped_storage().nbytes() == watched.nbytes
