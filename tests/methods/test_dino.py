"""DINO: reference values, the order of loss and centre, the teacher, and both collapses."""

from math import exp, log

import pytest
import torch
from given import closed_form
from torch import Tensor

from selfsight import methods
from selfsight.errors import UserError
from selfsight.method import Situation
from selfsight.methods.dino import DINO, dino_loss, teacher_shares
from selfsight.nets.encoder import build_encoder

STUDENT = [0.3 * closed_form(4, 4, 10 + view) for view in range(3)]
TEACHER = [0.3 * closed_form(4, 4, 20 + view) for view in range(2)]
CENTRE = torch.zeros(4, dtype=torch.float64)


def loss_of(student: list[Tensor], teacher: list[Tensor], centre: Tensor) -> Tensor:
    return dino_loss(student, teacher, centre, student_temperature=0.1, teacher_temperature=0.04)


def method(encoder: str = "convnet", **settings: float) -> DINO:
    torch.manual_seed(0)
    built = build_encoder(encoder, image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    return DINO(built, **({"hidden": 32, "outputs": 64} | settings))


def test_the_reference_value() -> None:
    assert loss_of(STUDENT, TEACHER, CENTRE).item() == pytest.approx(1.01685757, abs=1e-8)


def test_the_loss_is_the_mean_of_four_pairs_and_not_of_a_view_with_itself() -> None:
    shares = teacher_shares(TEACHER, CENTRE, temperature=0.04)
    pairs = [
        -(shares[t] * (STUDENT[s] / 0.1).log_softmax(1)).sum(1).mean()
        for t, s in ((0, 1), (0, 2), (1, 0), (1, 2))
    ]
    torch.testing.assert_close(loss_of(STUDENT, TEACHER, CENTRE), torch.stack(pairs).mean())


def test_the_loss_is_what_loops_over_the_equations_give() -> None:
    centre, total, pairs = closed_form(1, 4, 9)[0] / 10, 0.0, 0
    for large in range(2):
        for view in range(3):
            if view == large:
                continue
            pairs += 1
            for row in range(4):
                sharp = [exp(float(TEACHER[large][row, k] - centre[k]) / 0.04) for k in range(4)]
                soft = [exp(float(STUDENT[view][row, k]) / 0.1) for k in range(4)]
                for k in range(4):
                    total -= sharp[k] / sum(sharp) * log(soft[k] / sum(soft)) / 4
    assert loss_of(STUDENT, TEACHER, centre).item() == pytest.approx(total / pairs, abs=1e-9)


def test_the_gradient_of_every_tensor_is_shortened_to_3() -> None:
    (group,) = method().param_groups()
    assert group["clip"] == 3.0
    with pytest.raises(UserError, match="clip is 0"):
        method(clip=0.0)


def test_a_centre_that_knows_the_batch_is_another_loss() -> None:
    updated = 0.9 * CENTRE + 0.1 * torch.cat(TEACHER).mean(0)
    expected = torch.tensor([0.002869, 0.007284, -0.006497, -0.008474], dtype=torch.float64)
    torch.testing.assert_close(updated, expected, rtol=0, atol=1e-6)
    assert loss_of(STUDENT, TEACHER, updated).item() == pytest.approx(1.01550788, abs=1e-8)


def test_the_centre_moves_after_the_loss() -> None:
    dino = method().train()
    views = dino.views(torch.rand(8, 3, 20, 20))
    before = dino.centre.clone()
    teacher = dino._teach(views[:2])
    student = [
        dino.prototypes(z, frozen=False)
        for z in dino.projector(
            torch.cat([dino.encoder(torch.cat(views[:2])), dino.encoder(torch.cat(views[2:]))])
        ).chunk(4)
    ]
    loss = dino(views, 0.5).loss
    torch.testing.assert_close(loss, loss_of(student, teacher, before))
    torch.testing.assert_close(dino.centre, 0.9 * before + 0.1 * torch.cat(teacher).mean(0))
    assert "centre" in dino.state_dict()


def test_no_gradient_reaches_the_teacher_or_the_centre() -> None:
    teacher = [view.clone().requires_grad_() for view in TEACHER]
    centre = CENTRE.clone().requires_grad_()
    student = [view.clone().requires_grad_() for view in STUDENT]
    loss_of(student, teacher, centre).backward()
    assert all(view.grad is None for view in (*teacher, centre))
    assert all(view.grad.abs().sum() > 0 for view in student)
    assert not any(weight.requires_grad for weight in method().teacher.parameters())


def test_the_teacher_starts_as_the_student_and_follows_by_its_momentum() -> None:
    dino = method(momentum=0.75)
    teacher, student = dino.teacher.network[0], dino.encoder
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        assert torch.equal(slow, fast)
    with torch.no_grad():
        for weight in (*student.parameters(), dino.prototypes.weight):
            weight.add_(1)
    dino.after_step(0.0)
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(slow, fast - 0.75)
    torch.testing.assert_close(dino.teacher.network[2].weight, dino.prototypes.weight - 0.75)


def test_the_teacher_is_what_is_kept() -> None:
    dino = method()
    assert dino.exported is dino.teacher.network[0]
    assert dino.exported is not dino.encoder


def test_the_teacher_sees_the_large_views_only() -> None:
    dino, seen = method(local_crops=3).train(), []
    dino.exported.register_forward_hook(lambda _, given, h: seen.append(tuple(given[0].shape)))
    views = dino.views(torch.rand(8, 3, 20, 20))
    assert [view.shape[-1] for view in views] == [16, 16, 8, 8, 8]
    dino(views, 0.0)
    assert seen == [(16, 3, 16, 16)]


def test_the_last_layer_stands_still_at_first() -> None:
    dino = method(frozen=0.1).train()
    for progress, still in ((0.05, True), (0.1, False)):
        dino.zero_grad()
        dino(dino.views(torch.rand(8, 3, 20, 20)), progress).loss.backward()
        assert (dino.prototypes.weight.grad.abs().sum() == 0).item() is still
        assert all(weight.grad.abs().sum() > 0 for weight in dino.projector.parameters())


def test_a_prototype_cannot_win_by_its_length() -> None:
    dino = method()
    z = torch.randn(4, dino.prototypes.weight.shape[1])
    scores = dino.prototypes(z, frozen=False)
    with torch.no_grad():
        dino.prototypes.weight[3] *= 50
    torch.testing.assert_close(dino.prototypes(z, frozen=False), scores)
    assert scores.abs().max() <= 1


def test_all_outputs_alike_cost_ln_k() -> None:
    flat = [torch.zeros(4, 64)] * 2
    loss = loss_of(flat, flat, torch.zeros(64))
    assert loss.item() == pytest.approx(log(64)) == pytest.approx(method().collapsed(8))


def test_knowing_nothing_is_the_loss_of_independent_directions() -> None:
    torch.manual_seed(0)
    dino = method(outputs=512, projection=64)
    student, teacher = (
        [dino.prototypes(torch.randn(256, 64), frozen=False).detach() for _ in range(2)]
        for _ in range(2)
    )
    loss = loss_of(student, teacher, torch.zeros(512)).item()
    assert dino.knows_nothing(256) == pytest.approx(loss, rel=0.02)


def test_the_logs_tell_the_two_collapses_apart() -> None:
    dino = method()
    flat = [torch.zeros(8, 64)] * 2
    logs = dino._watch(flat, flat)
    assert logs["assignment_entropy"].item() == pytest.approx(1)
    assert logs["mean_assignment_entropy"].item() == pytest.approx(1)
    assert logs["teacher_entropy"].item() == pytest.approx(log(64))
    assert logs["teacher_student_divergence"].item() == pytest.approx(0, abs=1e-5)

    one = [torch.eye(64)[:1].expand(8, 64)] * 2
    logs = dino._watch(one, one)
    assert logs["mean_assignment_entropy"] < 1e-4
    assert logs["teacher_entropy"] < 1e-3

    each_its_own = [torch.eye(64)] * 2
    logs = dino._watch(each_its_own, each_its_own)
    assert logs["assignment_entropy"] < 1e-3
    assert logs["mean_assignment_entropy"].item() == pytest.approx(1, abs=1e-3)


def test_centring_stops_one_output_from_winning() -> None:
    bias = 0.5 * torch.eye(64)[0]
    torch.manual_seed(0)
    teacher = [0.1 * torch.randn(32, 64) + bias]
    alone = teacher_shares(teacher, torch.zeros(64), temperature=0.04)[0].mean(0)
    centred = teacher_shares(teacher, torch.cat(teacher).mean(0), temperature=0.04)[0].mean(0)
    assert alone[0] > 0.5
    assert centred.max() < 0.2


def test_order_of_images_changes_nothing() -> None:
    order = torch.tensor([2, 0, 3, 1])
    mixed = loss_of([v[order] for v in STUDENT], [v[order] for v in TEACHER], CENTRE)
    torch.testing.assert_close(mixed, loss_of(STUDENT, TEACHER, CENTRE))


def test_half_precision_scores_are_widened() -> None:
    student, teacher = ([v.bfloat16() for v in views] for views in (STUDENT, TEACHER))
    loss = loss_of(student, teacher, CENTRE.float())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1.01685757, abs=2e-2)


def test_a_vision_transformer_takes_the_small_views_too() -> None:
    dino = method("vit_tiny").train()
    step = dino(dino.views(torch.rand(4, 3, 16, 16)), 0.5)
    assert torch.isfinite(step.loss)


def test_few_images_get_fewer_outputs_and_small_batches_a_slower_teacher() -> None:
    defaults = methods.settings_of(DINO)
    assert DINO.suited(Situation(images=50_000, batch=256, image_size=32)) == []
    few = {
        change.setting: change.value
        for change in DINO.suited(Situation(images=400, batch=64, image_size=32))
    }
    assert few["outputs"] == 64 < defaults["outputs"].default
    assert 1 > few["momentum"] > defaults["momentum"].default


def test_small_views_that_show_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="small views"):
        method(local_size=0.2)
