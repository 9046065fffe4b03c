"""Each map against its definition: closed forms, hand cases, completeness, any shape of image."""

import numpy as np
import pytest
import torch
from made_up_images import scenes, untaught
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.explaining.attention import Attention, attentions, pooled, rollout
from selfsight.explaining.gradcam import GradCam
from selfsight.explaining.integrated import IntegratedGradients
from selfsight.explaining.makers import map_names
from selfsight.explaining.maps import features_of
from selfsight.explaining.occlusion import Occlusion
from selfsight.explaining.parts import parts_of, principal
from selfsight.explaining.places import fine_stage, stage_names
from selfsight.explaining.relax import Relax, moments, random_masks, weighed
from selfsight.explaining.targets import Similarity, all_rows
from selfsight.nets.encoder import Encoder


class Squares(nn.Module):
    """Features that are the squares of the pixels."""

    head_hidden_size = 3

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1) ** 2


def plain_encoder(network: nn.Module, *, channels: int = 1, side: int = 3) -> Encoder:
    """Return an encoder that changes no pixel first, so that the hidden colour is 0."""
    return Encoder(
        network,
        name="plain",
        image_size=side,
        stem="standard",
        mean=[0.0] * channels,
        std=[1.0] * channels,
    )


def toward(references: Tensor) -> Similarity:
    return Similarity(references, torch.zeros(references.shape[1]))


def test_gradcam_of_pooled_features_has_its_closed_form() -> None:
    encoder, images = untaught(), scenes(2, seed=0)[0]
    references = torch.randn(2, encoder.dim, generator=torch.Generator().manual_seed(0))
    found = GradCam("blocks.4")(encoder, images, toward(references))
    with torch.no_grad():
        places = encoder.feature_map(images)
    weights = F.normalize(references, dim=1)[:, :, None, None] / 16  # 4 x 4 places
    by_hand = F.relu((weights * places).sum(1, keepdim=True))
    by_hand = F.interpolate(by_hand, (32, 32), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(found.values, by_hand)
    assert by_hand.max() > 0


def test_gradcam_of_a_class_token_is_taken_where_the_patches_still_matter() -> None:
    encoder, images = untaught("vit_tiny"), scenes(2, seed=0)[0]
    assert stage_names(encoder)[-1] == "blocks.10"
    found = GradCam()(encoder, images, toward(features_of(encoder, images)))
    assert found.values.shape == (2, 32, 32)
    assert (found.values.flatten(1).max(1).values > 0).all()


def test_the_default_stage_is_the_deepest_fine_one() -> None:
    assert fine_stage(untaught(), torch.zeros(1, 3, 32, 32)) == "blocks.3"
    assert fine_stage(untaught(), torch.zeros(1, 3, 64, 96)) == "blocks.4"
    assert fine_stage(untaught(), torch.zeros(1, 3, 8, 8)) == "blocks.1"  # 4 x 4: there is no finer


def test_integrated_gradients_of_squares_is_the_hand_case() -> None:
    encoder = plain_encoder(Squares())
    image = torch.tensor([1.0, 2.0, -1.0]).reshape(1, 1, 1, 3)
    reference = features_of(encoder, image)
    found = IntegratedGradients()(encoder, image, toward(reference))
    by_hand = torch.tensor([1.0, 16.0, 1.0]) / reference.norm()  # <f(x0), f(x)>: 1, 16, 1
    torch.testing.assert_close(found.values.flatten(), by_hand, rtol=2e-3, atol=0)
    assert found.extras["completeness"] < 0.01


@pytest.mark.parametrize("name", ["convnet", "vit_tiny"])
def test_integrated_gradients_are_complete(name: str) -> None:
    encoder, images = untaught(name), scenes(2, seed=0)[0]
    target = toward(features_of(encoder, images).roll(1, dims=0))
    found = IntegratedGradients(steps=16)(encoder, images, target)
    plain = encoder.mean[:, None, None].expand_as(images)
    rows = all_rows(images)
    with torch.no_grad():
        difference = target.linear(encoder(images), rows) - target.linear(encoder(plain), rows)
    error = (found.values.sum((1, 2)) - difference).abs() / difference.abs()
    assert error.max() < 0.02
    torch.testing.assert_close(error, found.extras["completeness"], atol=1e-4, rtol=0)


def test_occlusion_is_that_of_a_loop() -> None:
    encoder, images = untaught(), scenes(1, seed=0)[0][:, :, :10, :14]
    target = toward(features_of(encoder, scenes(1, seed=1)[0]))
    found = Occlusion(side=5, stride=4)(encoder, images, target)
    total, covered = torch.zeros(10, 14), torch.zeros(10, 14)
    row = torch.tensor([0])
    whole = target.score(features_of(encoder, images), row)
    for top in (0, 4, 5):
        for left in (0, 4, 8, 9):
            hidden = images.clone()
            hidden[0, :, top : top + 5, left : left + 5] = 0.5
            fall = whole - target.score(features_of(encoder, hidden), row)
            total[top : top + 5, left : left + 5] += fall
            covered[top : top + 5, left : left + 5] += 1
    torch.testing.assert_close(found.values[0], total / covered, atol=1e-6, rtol=1e-4)


def test_relax_has_its_reference_values() -> None:
    image = torch.tensor([1.0, 2.0, 0.0, -1.0])
    masks = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 0]]).float()
    scores = F.cosine_similarity(image[None], masks * image)
    assert scores.tolist() == pytest.approx([0.912871, 0.408248, 0.912871, 0.912871], abs=1e-6)
    importance, uncertainty = weighed(moments(masks.reshape(4, 2, 2), scores))
    assert importance.flatten().tolist() == pytest.approx(
        [0.744663, 0.912871, 0.744663, 0.912871], abs=1e-6
    )
    assert uncertainty.flatten().tolist() == pytest.approx([0.056588, 0, 0.056588, 0], abs=1e-6)


def test_relax_of_an_encoder_that_sees_nothing_is_one_everywhere_and_sure() -> None:
    class Constant(nn.Module):
        head_hidden_size = 2

        def forward(self, pixels: Tensor) -> Tensor:
            return torch.ones(len(pixels), 2)

    encoder = plain_encoder(Constant(), side=12)
    found = Relax(masks=40)(encoder, torch.rand(1, 1, 12, 16), toward(torch.ones(1, 2)))
    torch.testing.assert_close(found.values, torch.ones(1, 12, 16))
    assert found.extras["uncertainty"].max() < 1e-6


def test_random_masks_are_smooth_shifted_and_half_visible() -> None:
    masks = random_masks(400, 20, 32, cells=4, kept=0.5, generator=torch.Generator().manual_seed(0))
    assert masks.shape == (400, 20, 32)
    assert masks.min() == 0
    assert masks.max().item() == pytest.approx(1)
    assert masks.mean() == pytest.approx(0.5, abs=0.02)
    assert masks.diff(dim=2).abs().max() <= 1 / 5 + 1e-6  # cells of 5 px
    means = masks.mean(0)  # no place is favoured: that is what the shift is for
    assert means.max() - means.min() < 0.2


def test_rollout_of_even_attention_has_its_closed_form() -> None:
    even = torch.full((1, 2, 5, 5), 0.2)
    flow = rollout([even] * 3)[0]
    assert flow.diagonal().tolist() == pytest.approx([0.3] * 5)
    assert flow[0, 1].item() == pytest.approx(0.175)
    torch.testing.assert_close(flow.sum(1), torch.ones(5))


def test_rollout_multiplies_later_blocks_on_the_left() -> None:
    first, second = (
        torch.rand(1, 1, 3, 3, generator=torch.Generator().manual_seed(s)).softmax(-1)
        for s in (0, 1)
    )
    mixed = [(each[0, 0] + torch.eye(3)) / 2 for each in (first, second)]
    torch.testing.assert_close(rollout([first, second])[0], mixed[1] @ mixed[0])


def test_attention_is_recorded_without_changing_the_network() -> None:
    encoder, images = untaught("vit_tiny"), scenes(2, seed=0)[0]
    before = features_of(encoder, images)
    found = attentions(encoder, images)
    assert [tuple(each.shape) for each in found] == [(2, 3, 65, 65)] * 12
    torch.testing.assert_close(found[0].sum(-1), torch.ones(2, 3, 65))
    torch.testing.assert_close(features_of(encoder, images), before)
    assert encoder.network.blocks[0].attn.fused_attn
    assert not encoder.network.blocks[0].attn.attn_drop._forward_hooks
    maps = Attention()(encoder, images, toward(before))
    assert maps.values.shape == (2, 32, 32)
    assert maps.extras["heads"].shape == (2, 3, 8, 8)
    torch.testing.assert_close(
        maps.extras["heads"], found[-1][:, :, 0, 1:].unflatten(-1, (8, 8))
    )  # the class token's row, patches only
    torch.testing.assert_close(
        maps.values[:, 2::4, 2::4].flatten(1), pooled(encoder, rollout(found))
    )


def test_attention_in_some_blocks_only_or_pooled_by_more_of_it_is_refused() -> None:
    encoder = untaught("test_vit", side=64)
    assert map_names("attention", [encoder]) == ["attention"]
    encoder.network.global_pool = "avgmax"
    with pytest.raises(UserError, match="no plain vision transformer"):
        map_names("attention", [encoder])
    encoder.network.global_pool = "avg"
    encoder.network.blocks.append(torch.nn.Identity())
    with pytest.raises(UserError, match="no plain vision transformer"):
        map_names("attention", [encoder])


def test_a_network_without_attention_is_refused_in_one_line() -> None:
    for encoder in (untaught(), untaught("swin_tiny_patch4_window7_224", side=56)):
        with pytest.raises(UserError, match=r"no plain vision transformer.*leave attention out"):
            map_names("gradcam,attention", [encoder])
        assert map_names("auto", [encoder]) == ["gradcam", "integrated", "occlusion", "relax"]
    assert "attention" in map_names("auto", [untaught("vit_tiny")])
    with pytest.raises(UserError, match="did you mean 'gradcam'"):
        map_names("grad-cam", [untaught()])


@pytest.mark.parametrize("shape", [(1, 24, 40), (5, 40, 24)])
def test_images_may_have_any_channels_and_need_not_be_square(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    encoder = untaught(channels=channels)
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    target = toward(features_of(encoder, images).roll(1, dims=0))
    for maker in (GradCam(), IntegratedGradients(steps=8), Occlusion(), Relax(masks=20)):
        maps = maker(encoder, images, target)
        assert maps.values.shape == (2, height, width)
        assert maps.values.isfinite().all()
    assert parts_of(encoder, images).shape[1] == 3


def test_images_are_explained_each_for_itself() -> None:
    encoder, images = untaught(), scenes(3, seed=0)[0]
    target = toward(features_of(encoder, images).roll(1, dims=0))
    for maker in (GradCam(), IntegratedGradients(steps=8), Occlusion(), Relax(masks=20)):
        together = maker(encoder, images, target).values
        alone = maker(encoder, images[1:2], target.part(torch.tensor([1]))).values
        torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


def test_explaining_changes_no_weight_and_no_mode() -> None:
    encoder, images = untaught().train(), scenes(2, seed=0)[0]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    target = toward(features_of(encoder, images))
    for maker in (GradCam(), IntegratedGradients(steps=4), Occlusion(), Relax(masks=8)):
        maker(encoder, images, target)
    assert encoder.training
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_features_as_colours_have_a_fixed_sign() -> None:
    rows = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).double()
    axes = principal(rows)
    assert (axes.gather(0, axes.abs().argmax(0, keepdim=True)) > 0).all()
    torch.testing.assert_close(principal(-rows), axes)
    _, _, by_numpy = np.linalg.svd((rows - rows.mean(0)).numpy())
    assert np.abs((by_numpy[:3] @ axes.numpy()).diagonal()).tolist() == pytest.approx([1, 1, 1])
    colours = parts_of(untaught(), scenes(4, seed=0)[0])
    assert colours.shape == (4, 3, 8, 8)
    assert colours.min() == 0
    assert colours.max() == 1
