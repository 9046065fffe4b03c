"""MAE: reference values of its loss, its masks and positions, and what the encoder may see."""

import math

import pytest
import torch
from torch import Tensor, nn

from selfsight.methods.mae import MAE, masked_patch_loss
from selfsight.nets.encoder import build_encoder
from selfsight.nets.masked_vit import (
    encode_visible,
    masked,
    patchify,
    positions,
    random_order,
    unshuffle,
)


def image() -> Tensor:
    """Return the reference image: an integer hash in [-1, 1), 3 x 4 x 4."""
    k = torch.arange(48)
    hashed = (7919 * k * k + 104729 * k + 30) % 1009
    return (hashed.double() / 504.5 - 1).view(1, 3, 4, 4)


MASK = torch.tensor([[True, False, True, True]])


@pytest.fixture(scope="module")
def method() -> MAE:
    torch.manual_seed(0)
    encoder = build_encoder("vit_tiny", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    return MAE(encoder)


def test_a_patch_is_in_the_order_row_column_channel() -> None:
    first = patchify(image(), patch_size=2)[0, 0, :6]
    expected = [-0.940535, 0.857284, -0.619425, 0.345887, 0.439049, -0.742319]
    torch.testing.assert_close(first, torch.tensor(expected).double(), rtol=0, atol=1e-6)


def test_patches_are_counted_row_by_row() -> None:
    across = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    corners = patchify(across, patch_size=2)[0, :, 0]
    assert corners.tolist() == [0, 2, 8, 10]


@pytest.mark.parametrize(
    ("value", "normalise", "expected"), [(0.0, True, 0.91666362), (0.1, False, 0.32656405)]
)
def test_the_loss_has_its_reference_values(value, normalise, expected) -> None:
    predicted = torch.full((1, 4, 12), value, dtype=torch.float64)
    loss = masked_patch_loss(predicted, image(), MASK, patch_size=2, normalise=normalise)
    assert loss.item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("patch", "values"), [(16, 768), (4, 48)])
def test_predicting_nothing_costs_n_minus_one_of_n(patch: int, values: int) -> None:
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    patches = (32 // patch) ** 2
    loss = masked_patch_loss(
        torch.zeros(3, patches, values, dtype=torch.float64),
        images,
        torch.ones(3, patches, dtype=torch.bool),
        patch_size=patch,
        normalise=True,
    )
    assert loss.item() == pytest.approx((values - 1) / values, abs=1e-4)


@pytest.mark.parametrize("normalise", [True, False])
def test_only_masked_patches_count_pooled_over_the_batch(normalise: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(2, 3, 4, 4, generator=generator, dtype=torch.float64)
    predicted = torch.rand(2, 4, 12, generator=generator, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, False, False, False], [True, True, True, False]])
    loss = masked_patch_loss(predicted, images, mask, patch_size=2, normalise=normalise)
    errors = []
    for n in range(2):
        for place in range(4):
            if mask[n, place]:
                row, column = 2 * (place // 2), 2 * (place % 2)
                tile = images[n, :, row : row + 2, column : column + 2]
                target = tile.permute(1, 2, 0).flatten()
                if normalise:
                    variance = (target - target.mean()).square().sum() / 11
                    target = (target - target.mean()) / (variance + 1e-6).sqrt()
                errors.append(float((predicted[n, place].detach() - target).square().mean()))
    assert loss.item() == pytest.approx(sum(errors) / 4, abs=1e-10)
    loss.backward()
    assert (predicted.grad[~mask] == 0).all()
    assert (predicted.grad[mask] != 0).all()


def test_exactly_three_quarters_are_masked_in_places_of_their_own() -> None:
    order = random_order(50, 64, device=torch.device("cpu"))
    assert torch.equal(order.sort(1).values, torch.arange(64).expand(50, 64))
    mask = masked(order, visible=16)
    assert mask.sum(1).tolist() == [48] * 50
    assert not mask.gather(1, order[:, :16]).any()
    assert mask.gather(1, order[:, 16:]).all()
    assert len(mask.unique(dim=0)) == 50


def test_unshuffling_puts_every_token_where_it_came_from() -> None:
    order = random_order(3, 9, device=torch.device("cpu"))
    tokens = torch.rand(3, 9, 5)
    visible = tokens.gather(1, order[:, :4, None].expand(-1, -1, 5))
    mask_token = torch.full((1, 1, 5), -1.0)
    whole = unshuffle(visible, mask_token, order)
    mask = masked(order, visible=4)
    assert torch.equal(whole[~mask], tokens[~mask])
    assert (whole[mask] == -1).all()


def test_the_order_in_which_visible_patches_enter_changes_nothing(method: MAE) -> None:
    images = torch.rand(2, 3, 16, 16)
    visible = method.visible
    order = random_order(2, method.patches, device=torch.device("cpu"))
    shuffled = torch.cat([order[:, :visible].flip(1), order[:, visible:].roll(3, 1)], dim=1)
    losses = []
    for one in (order, shuffled):
        tokens = encode_visible(method.encoder, images, one[:, :visible])
        mask = masked(one, visible=visible)
        losses.append(
            masked_patch_loss(
                method.decoder(tokens, one), images, mask, patch_size=method.patch, normalise=True
            )
        )
    torch.testing.assert_close(losses[0], losses[1])


def test_the_encoder_does_not_see_hidden_patches(method: MAE) -> None:
    images = torch.rand(2, 3, 16, 16)
    order = random_order(2, method.patches, device=torch.device("cpu"))
    chosen = order[:, : method.visible]
    mask = masked(order, visible=method.visible).float()
    across = math.isqrt(method.patches)
    hidden = nn.functional.interpolate(mask.view(2, 1, across, across), size=16).bool()
    changed = torch.where(hidden, torch.rand_like(images), images)
    assert not torch.equal(changed, images)
    torch.testing.assert_close(
        encode_visible(method.encoder, changed, chosen),
        encode_visible(method.encoder, images, chosen),
    )


def test_seeing_every_patch_is_the_plain_encoder(method: MAE) -> None:
    images = torch.rand(2, 3, 16, 16)
    every = torch.arange(method.patches).expand(2, -1)
    tokens = encode_visible(method.encoder, images, every)
    torch.testing.assert_close(tokens[:, 0], method.encoder(images))


def test_positions_are_sines_and_cosines_of_column_and_row() -> None:
    table = positions(5, 16)
    for row in range(5):
        for column in range(5):
            expected = []
            for place in (column, row):
                angles = [place / 10000 ** (k / 4) for k in range(4)]
                expected += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            torch.testing.assert_close(table[5 * row + column], torch.tensor(expected))


def test_the_encoders_positions_are_fixed_and_in_its_weights(method: MAE) -> None:
    places = method.encoder.network.pos_embed
    assert not places.requires_grad
    assert (places[0, 0] == 0).all()
    across = math.isqrt(method.patches)
    torch.testing.assert_close(places[0, 1:], positions(across, 192))
    assert "network.pos_embed" in method.encoder.state_dict()


def test_the_loss_at_random_positions_is_no_better_than_nothing(method: MAE) -> None:
    step = method.train()([torch.rand(4, 3, 16, 16)], 0.0)
    assert step.loss.item() == pytest.approx(method.knows_nothing(4), rel=0.3)
    assert step.watched.shape == (4, 192)


def test_a_convolutional_encoder_is_refused() -> None:
    encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    with pytest.raises(ValueError, match="'convnet' is no plain vision transformer; use vit_tiny"):
        MAE(encoder)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"hidden": 0.999}, "hidden = 0.999 shows 0 of"),
        ({"hidden": 0.0}, "hidden is 0.0; it must be more than 0"),
        ({"width": 30}, "width = 30 must divide by 4"),
    ],
)
def test_settings_that_cannot_work_are_refused(method: MAE, settings, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MAE(method.encoder, **settings)
