"""Inpainting: the loss is the hole's, the network is told where it is, the critic plays fair."""

from math import log

import pytest
import torch
from torch import Tensor

from selfsight.methods.inpainting import Inpainting, fooling_loss, hole_loss
from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.views.holes import draw_holes


def encoder() -> Encoder:
    torch.manual_seed(0)
    return build_encoder("convnet", image_size=16, mean=[0.4, 0.5, 0.6], std=[0.25] * 3)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_the_loss_is_the_mean_over_the_hole_by_loops() -> None:
    generator = torch.Generator().manual_seed(2)
    predicted, images = torch.rand(2, 2, 3, 4, 4, generator=generator, dtype=torch.float64)
    hole = torch.rand(2, 1, 4, 4, generator=generator) < 0.4
    errors = [
        float(predicted[n, c, y, x] - images[n, c, y, x]) ** 2
        for n in range(2)
        for c in range(3)
        for y in range(4)
        for x in range(4)
        if hole[n, 0, y, x]
    ]
    loss = hole_loss(predicted, images, hole)
    assert loss.item() == pytest.approx(sum(errors) / len(errors), abs=1e-12)


def test_what_is_drawn_outside_the_hole_counts_for_nothing(images: Tensor) -> None:
    hole = draw_holes(images, region="random", share=0.25)
    predicted = torch.rand_like(images).requires_grad_()
    hole_loss(predicted, images, hole).backward()
    assert (predicted.grad * ~hole == 0).all()
    assert (predicted.grad[hole.expand_as(images)] != 0).all()


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_random_holes_have_their_exact_share_and_differ(images: Tensor, share: float) -> None:
    hole = draw_holes(images, region="random", share=share)
    assert hole.flatten(1).sum(1).tolist() == [round(share * 256)] * 6
    assert len(hole.flatten(1).unique(dim=0)) == 6
    assert not torch.equal(hole, draw_holes(images, region="random", share=share))


def test_random_holes_are_regions_and_not_dust() -> None:
    hole = draw_holes(torch.zeros(1000, 3, 16, 16), region="random", share=0.25)[:, 0].float()
    alike = (hole[:, 1:] == hole[:, :-1]).float().mean()
    assert alike > 0.85  # dust: 0.25^2 + 0.75^2 = 0.625


def test_random_holes_come_everywhere() -> None:
    holes = draw_holes(torch.zeros(4000, 3, 16, 16), region="random", share=0.25)
    often = holes.float().mean((0, 1))
    assert often.min() > 0.1
    assert often.max() < 0.5


def test_the_centre_hole_is_the_central_square(images: Tensor) -> None:
    hole = draw_holes(images, region="centre", share=0.25)
    assert hole[:, :, 4:12, 4:12].all()
    assert hole.sum() == 6 * 64


def test_the_network_does_not_see_what_is_in_the_hole(images: Tensor) -> None:
    method = Inpainting(encoder(), region="centre").train()
    other = images.clone()
    other[:, :, 4:12, 4:12] = torch.rand(6, 3, 8, 8)
    one, two = method([images], 0.0).watched, method([other], 0.0).watched
    torch.testing.assert_close(one, two)


def test_the_hole_begins_in_a_colour_that_no_image_has_and_its_paint_is_learned(
    images: Tensor,
) -> None:
    seen: list[Tensor] = []
    method = Inpainting(encoder(), region="centre")
    method.encoder.network.blocks[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    method([images], 0.0).loss.backward()
    unseen = torch.tensor([3.0, -3.0, 3.0])[:, None, None]  # pixels are within 2 of the mean here
    torch.testing.assert_close(seen[0][:, :, 4:12, 4:12], unseen.expand(6, 3, 8, 8))
    assert method.paint.grad.abs().sum() > 0
    with torch.no_grad():
        method.paint.copy_(torch.tensor([1.0, -2.0, 3.0])[:, None, None])
    method([images], 0.0)
    assert seen[1][0, :, 5, 5].tolist() == pytest.approx([1.0, -2.0, 3.0], abs=1e-5)


def test_what_is_exported_is_the_plain_encoder() -> None:
    method, plain = Inpainting(encoder()), encoder()
    assert method.exported.config == plain.config
    assert method.exported.state_dict().keys() == plain.state_dict().keys()


def test_not_knowing_gives_the_critics_loss_ln_two() -> None:
    assert fooling_loss(torch.zeros(5)).item() == pytest.approx(log(2))
    scores = torch.tensor([2.0, -1.0], dtype=torch.float64)
    by_hand = -(torch.sigmoid(scores).log()).mean()
    torch.testing.assert_close(fooling_loss(scores), by_hand)


def test_each_player_learns_from_its_own_loss_alone(images: Tensor) -> None:
    method = Inpainting(encoder(), region="centre", adversarial=0.5)
    torch.manual_seed(1)
    step = method([images], 0.0)
    drawing, fooling, judging = (step.logs[key] for key in ("drawing", "fooling", "judging"))
    critic = list(method.critic.parameters())
    drawer = [method.paint, *method.decoder.parameters()]
    whole = torch.autograd.grad(step.loss, [*critic, *drawer], retain_graph=True)
    judged = torch.autograd.grad(judging, critic, retain_graph=True)
    drawn = torch.autograd.grad(0.5 * drawing + 0.5 * fooling, drawer, retain_graph=True)
    for got, expected in zip(whole, [*judged, *drawn], strict=True):
        torch.testing.assert_close(got, expected)
    nothing = torch.autograd.grad(judging, drawer, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in nothing)
    assert all(g is None for g in torch.autograd.grad(fooling, critic, allow_unused=True))


def test_the_printed_loss_leaves_the_critics_own_out(images: Tensor) -> None:
    step = Inpainting(encoder(), adversarial=0.1)([images], 0.0)
    expected = 0.9 * step.logs["drawing"] + 0.1 * step.logs["fooling"]
    torch.testing.assert_close(step.loss, expected)
    assert step.logs["judging"].item() == pytest.approx(2 * log(2), abs=0.1)


def test_without_an_adversary_there_is_no_critic() -> None:
    method = Inpainting(encoder())
    assert method.critic is None
    assert method.knows_nothing(8) == 1


@pytest.mark.parametrize("settings", [{"hole": 0.0}, {"hole": 1.0}, {"adversarial": 1.0}])
def test_settings_that_cannot_work_are_refused(settings) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(settings))} is "):
        Inpainting(encoder(), **settings)
