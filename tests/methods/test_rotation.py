"""Rotation: labels that mean what they say, and the order that keeps them so."""

from math import log

import numpy as np
import pytest
import torch
from given import learnt, tiny
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from selfsight.data.decode import square
from selfsight.methods import rotation as module
from selfsight.methods.rotation import Rotation, four_rotations, rotation_loss
from selfsight.nets.encoder import build_encoder


def method(size: int = 16) -> Rotation:
    torch.manual_seed(0)
    return Rotation(build_encoder("convnet", image_size=size, mean=[0.5] * 3, std=[0.25] * 3))


def test_a_quarter_is_counter_clockwise() -> None:
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, 3, 2, 2)
    turns = four_rotations(image)[:, 0].tolist()
    assert turns == [[[1, 2], [3, 4]], [[2, 4], [1, 3]], [[4, 3], [2, 1]], [[3, 1], [4, 2]]]


def test_turning_moves_pixels_and_changes_none() -> None:
    images = torch.rand(5, 3, 16, 16)
    for block in four_rotations(images).chunk(4):
        assert torch.equal(block.flatten(2).sort(2).values, images.flatten(2).sort(2).values)


def test_all_four_turns_of_every_image_pass_as_one_batch_with_their_own_labels() -> None:
    rotation, seen = method(), []
    rotation.encoder.register_forward_hook(lambda _, given, h: seen.append((given[0], h)))
    images = torch.rand(5, 3, 16, 16)
    step = rotation([images], 0.0)
    ((given, h),) = seen
    assert torch.equal(given, four_rotations(images))
    quarters = torch.arange(4).repeat_interleave(5)
    torch.testing.assert_close(step.loss, rotation_loss(rotation.classifier(h), quarters))


def test_knowing_nothing_costs_ln_4() -> None:
    loss = rotation_loss(torch.zeros(8, 4), torch.arange(8) % 4)
    assert loss.item() == pytest.approx(log(4)) == pytest.approx(method().knows_nothing(64))


def best_classifier(examples: list[tuple[Tensor, int]]) -> tuple[float, float]:
    """Return the accuracy and loss of the best guess, which knows every picture's labels."""
    labels: dict[tuple[float, ...], list[int]] = {}
    for picture, label in examples:
        labels.setdefault(tuple(picture.flatten().tolist()), []).append(label)
    right, cost = 0.0, 0.0
    for seen in labels.values():
        shares = [seen.count(label) / len(seen) for label in set(seen)]
        right += len(seen) * max(shares)
        cost -= len(seen) * sum(share * log(share) for share in shares)
    return right / len(examples), cost / len(examples)


def world() -> list[Tensor]:
    """Return a picture and its mirror image: in the world both are equally frequent."""
    picture = torch.arange(9.0).view(1, 1, 3, 3)
    return [picture, picture.flip(3)]


def test_a_flip_before_the_turn_leaves_every_label_readable() -> None:
    examples = [
        (turned, quarter)
        for picture in world()
        for flipped in (picture, picture.flip(3))
        for quarter, turned in enumerate(four_rotations(flipped))
    ]
    assert best_classifier(examples) == (1.0, 0.0)


def test_a_flip_after_the_turn_would_cap_the_accuracy_at_three_quarters() -> None:
    examples = [
        (seen, quarter)
        for picture in world()
        for quarter, turned in enumerate(four_rotations(picture))
        for seen in (turned, turned.flip(2))
    ]
    accuracy, loss = best_classifier(examples)
    assert accuracy == 0.75
    assert loss == pytest.approx(0.5 * log(2))


def test_views_are_flipped_left_to_right_only_and_are_squares() -> None:
    rotation = method()
    torch.manual_seed(0)
    lit = torch.linspace(0, 1, 40)[:, None].expand(64, 3, 40, 20).clone()  # lighter downwards
    (views,) = rotation.views(lit)
    assert views.shape == (64, 3, 16, 16)
    assert (views[:, :, -1].mean((1, 2)) > views[:, :, 0].mean((1, 2))).all()


def test_no_bars_appear_around_images_that_are_not_square() -> None:
    (views,) = method().views(torch.ones(32, 3, 20, 51))
    assert views.min() > 0.999


def test_a_network_that_knows_the_way_up_wins() -> None:
    quarters = torch.arange(4)
    assert rotation_loss(50 * torch.eye(4), quarters) < 1e-6


def lit_from_above() -> Tensor:
    """Return noise that is lighter at the top: mirrored left to right it is as likely."""
    light = torch.linspace(0.8, 0.2, 20)[:, None]
    return (light + 0.1 * torch.randn(16, 3, 20, 20)).clamp(0, 1)


def test_a_network_learns_all_four_turns() -> None:
    _, accuracy = learnt(Rotation(tiny(12)), lit_from_above, steps=60)
    assert accuracy > 0.9


def test_flipping_after_the_turn_holds_the_same_network_at_three_quarters(monkeypatch) -> None:
    def flipped_last(images: Tensor) -> Tensor:
        turned = four_rotations(images)
        chosen = torch.rand(len(turned), 1, 1, 1) < 0.5
        return turned.flip(3).where(chosen, turned)

    monkeypatch.setattr(module, "four_rotations", flipped_last)
    loss, accuracy = learnt(Rotation(tiny(12)), lit_from_above, steps=60)
    assert 0.6 < accuracy < 0.8
    assert loss > 0.3  # half of ln 2 is the floor


def wide_noise() -> list[Tensor]:
    """Return images of 20 x 48 pixels of noise, in which no turn can be seen."""
    return [torch.randint(0, 256, (20, 48, 3), dtype=torch.uint8) for _ in range(16)]


def stored() -> Tensor:
    """Return wide images as they are stored: cut to squares."""
    cut = [square(Image.fromarray(image.numpy()), side=14) for image in wide_noise()]
    return torch.from_numpy(np.stack(cut))


def letterboxed() -> Tensor:
    """Return wide images with bars above and below, which make them square."""
    images = torch.stack(wide_noise()).permute(0, 3, 1, 2) / 255
    return interpolate(pad(images, (0, 0, 14, 14)), (14, 14), mode="bilinear", antialias=True)


def test_wide_images_do_not_tell_their_turn_by_their_shape() -> None:
    loss, accuracy = learnt(Rotation(tiny(12)), stored, steps=60)
    assert accuracy < 0.31
    assert loss > log(4) - 0.05


def test_bars_around_wide_images_would_tell_two_turns_from_the_other_two() -> None:
    loss, accuracy = learnt(Rotation(tiny(12)), letterboxed, steps=60)
    assert accuracy > 0.42
    assert loss < log(4) - 0.4
