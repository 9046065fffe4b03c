"""SwAV: reference values, the assignment, the queue, and prototypes that are compared by cosine."""

from math import exp, log

import pytest
import torch
from given import Z1, Z2, assert_gradient, closed_form
from torch import Tensor
from torch.nn import functional as F

from selfsight import methods
from selfsight.method import Situation
from selfsight.methods.swav import SwAV, sinkhorn, swapped_prediction
from selfsight.nets.encoder import build_encoder
from selfsight.nets.prototypes import assignment_logs, cosines
from selfsight.nets.sizes import features_of_all

PROTOTYPES = closed_form(3, 3, 6)


def loss_of(z1: Tensor, z2: Tensor) -> Tensor:
    scores = [cosines(z, PROTOTYPES) for z in (z1, z2)]
    codes = [sinkhorn(view, epsilon=0.05, iterations=3) for view in scores]
    return swapped_prediction(scores, codes, temperature=0.1)


def method(**settings: float) -> SwAV:
    torch.manual_seed(0)
    encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    small = {"hidden": 32, "projection": 16, "prototypes": 24, "queue": 24, "queue_from": 0.0}
    return SwAV(encoder, **(small | settings))


def images(count: int = 8) -> Tensor:
    return torch.rand(count, 3, 20, 20)


def test_the_reference_codes() -> None:
    scores = cosines(Z1, PROTOTYPES)
    codes = sinkhorn(scores, epsilon=0.5, iterations=3)
    expected = [
        [0.643697, 0.124355, 0.231948],
        [0.199679, 0.702643, 0.097677],
        [0.175985, 0.046735, 0.777280],
        [0.312040, 0.490181, 0.197779],
    ]
    close = {"rtol": 0, "atol": 1e-6}
    torch.testing.assert_close(codes, torch.tensor(expected, dtype=torch.float64), **close)
    columns = torch.tensor([1.331401, 1.363914, 1.304685], dtype=torch.float64)
    torch.testing.assert_close(codes.sum(0), columns, **close)
    many = sinkhorn(scores, epsilon=0.5, iterations=100)[0]
    settled = torch.tensor([0.641625, 0.119394, 0.238981], dtype=torch.float64)
    torch.testing.assert_close(many, settled, **close)


def test_the_reference_loss() -> None:
    assert loss_of(Z1, Z2).item() == pytest.approx(0.22946934, abs=1e-8)


def test_the_reference_gradient() -> None:
    assert_gradient(
        lambda z: loss_of(z, Z2),
        at=Z1,
        first_row=[-0.000663, -0.001392, -0.000269],
        length=0.737740,
    )


def test_codes_that_are_not_detached_would_be_another_gradient() -> None:
    attached = sinkhorn.__wrapped__.__wrapped__

    def wrong(z: Tensor) -> Tensor:
        scores = [cosines(view, PROTOTYPES) for view in (z, Z2)]
        codes = [attached(view, epsilon=0.05, iterations=3) for view in scores]
        return swapped_prediction(scores, codes, temperature=0.1)

    assert_gradient(wrong, at=Z1, first_row=[-0.000952, -0.001667, -0.000484], length=0.676589)
    scores = cosines(Z1.clone().requires_grad_(), PROTOTYPES)
    assert not sinkhorn(scores, epsilon=0.05, iterations=3).requires_grad


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_the_codes_are_those_of_the_papers_algorithm_by_loops(epsilon: float) -> None:
    scores = cosines(Z1, PROTOTYPES)
    q = [[exp(float(score) / epsilon) for score in row] for row in scores]
    for _ in range(3):
        for k in range(3):
            total = sum(row[k] for row in q)
            for row in q:
                row[k] /= total * 3
        for row in q:
            total = sum(row)
            row[:] = [share / (total * 4) for share in row]
    codes = sinkhorn(scores, epsilon=epsilon, iterations=3)
    torch.testing.assert_close(codes, 4 * torch.tensor(q, dtype=torch.float64))


def test_the_reference_codes_of_the_papers_epsilon() -> None:
    codes = sinkhorn(cosines(Z1, PROTOTYPES), epsilon=0.05, iterations=3)
    sums = torch.tensor([1.005691, 1.994301, 1.000008], dtype=torch.float64)
    torch.testing.assert_close(codes.sum(0), sums, rtol=0, atol=1e-6)
    last = torch.tensor([0.005690, 0.994303, 0.000007], dtype=torch.float64)
    torch.testing.assert_close(codes[3], last, rtol=0, atol=1e-6)


def test_codes_sum_to_one_and_use_the_prototypes_alike() -> None:
    torch.manual_seed(0)
    scores = cosines(torch.randn(64, 16) + 2, torch.randn(8, 16) + 1)  # one-sided on purpose
    codes = sinkhorn(scores, epsilon=0.05, iterations=200)
    torch.testing.assert_close(codes.sum(1), torch.ones(64))
    torch.testing.assert_close(codes.sum(0), torch.full((8,), 8.0), rtol=1e-2, atol=0)
    greedy = (scores / 0.05).softmax(1)
    assert greedy.sum(0).max() > 12


def test_the_smallest_epsilon_overflows_nowhere() -> None:
    scores = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    for precision in (torch.float32, torch.float16, torch.bfloat16):
        codes = sinkhorn(scores.to(precision), epsilon=0.005, iterations=3)
        assert torch.isfinite(codes).all()
        assert codes.dtype == torch.float32


def test_the_loss_is_the_mean_over_codes_and_other_views() -> None:
    torch.manual_seed(0)
    scores = [torch.rand(5, 4) for _ in range(4)]
    codes = [torch.rand(5, 4).softmax(1) for _ in range(2)]
    total = 0.0
    for assigning in range(2):
        for view in range(4):
            if view != assigning:
                for row in range(5):
                    predicted = (scores[view][row] / 0.1).log_softmax(0)
                    total -= float((codes[assigning][row] * predicted).sum()) / 5
    loss = swapped_prediction(scores, codes, temperature=0.1)
    assert loss.item() == pytest.approx(total / (2 * 3), rel=1e-5)


def test_swapping_views_mixing_images_and_scale_change_nothing() -> None:
    order = torch.tensor([2, 0, 3, 1])
    loss = loss_of(Z1, Z2)
    for same in (loss_of(Z2, Z1), loss_of(Z1[order], Z2[order]), loss_of(7 * Z1, Z2)):
        torch.testing.assert_close(same, loss)


def test_equal_vectors_cost_ln_k() -> None:
    flat = torch.zeros(8, 24)
    codes = sinkhorn(flat, epsilon=0.05, iterations=3)
    loss = swapped_prediction([flat, flat], [codes, codes], temperature=0.1)
    assert loss.item() == pytest.approx(log(24)) == pytest.approx(method().collapsed(8))


def test_knowing_nothing_is_the_loss_of_independent_directions() -> None:
    torch.manual_seed(0)
    swav = method(prototypes=512, projection=128)
    scores = [swav.prototypes(torch.randn(256, 128), frozen=False) for _ in range(2)]
    codes = [sinkhorn(view, epsilon=0.05, iterations=3) for view in scores]
    loss = swapped_prediction(scores, codes, temperature=0.1).item()
    assert swav.knows_nothing(256) == pytest.approx(loss, rel=0.02)


def test_the_reference_value_of_a_collapse() -> None:
    assert method(prototypes=3000, queue=4096).collapsed(256) == pytest.approx(8.006, abs=5e-4)


def test_prototypes_have_no_bias_and_cannot_win_by_length() -> None:
    swav = method()
    assert [name for name, _ in swav.prototypes.named_parameters()] == ["weight"]
    z = torch.randn(6, 16)
    scores = swav.prototypes(z, frozen=False)
    with torch.no_grad():
        swav.prototypes.weight[3] *= 50
    torch.testing.assert_close(swav.prototypes(z, frozen=False), scores)


def test_prototypes_stand_still_at_first() -> None:
    swav = method(frozen=0.1).train()
    for progress, still in ((0.05, True), (0.1, False)):
        swav.zero_grad()
        swav(swav.views(images()), progress).loss.backward()
        assert (swav.prototypes.weight.grad.abs().sum() == 0).item() is still
        assert all(weight.grad.abs().sum() > 0 for weight in swav.projector.parameters())


def test_small_views_are_predicted_and_never_assign() -> None:
    swav = method(small_views=3)
    views = swav.views(images())
    assert [view.shape[-1] for view in views] == [16, 16, 8, 8, 8]
    loss = swav(views, 0.5).loss
    z = swav.projector(features_of_all(swav.encoder, views)).chunk(5)
    scores = [swav.prototypes(view, frozen=False) for view in z]
    codes = [sinkhorn(view, epsilon=0.05, iterations=3) for view in scores[:2]]
    expected = swapped_prediction(scores, codes, temperature=0.1)
    torch.testing.assert_close(loss, expected)


def test_the_queue_begins_when_it_should_and_holds_the_newest_first() -> None:
    swav = method(queue_from=0.3, queue=20).train()
    swav(swav.views(images()), 0.2)
    assert swav.filled == 0
    assert swav.queue.abs().sum() == 0
    batches = []
    for _ in range(3):
        torch.manual_seed(len(batches))
        step = swav(swav.views(images()), 0.3)
        batches.insert(0, F.normalize(step.watched.detach(), dim=1))
        torch.testing.assert_close(swav.queue[0, :8], batches[0])
    assert swav.filled == 20
    torch.testing.assert_close(swav.queue[0], torch.cat(batches)[:20])


def test_a_queue_that_is_not_full_is_not_used() -> None:
    swav = method(queue=20)
    scores = torch.randn(8, 24).tanh()
    alone = sinkhorn(scores, epsilon=0.05, iterations=3)
    swav.queue.normal_()
    for filled in (0, 8, 19):
        swav.filled.fill_(filled)
        torch.testing.assert_close(swav._codes(scores, swav.queue[0]), alone)
    swav.filled.fill_(20)
    queued = swav.prototypes(swav.queue[0], frozen=True).detach()
    together = sinkhorn(torch.cat([scores, queued]), epsilon=0.05, iterations=3)[:8]
    torch.testing.assert_close(swav._codes(scores, swav.queue[0]), together)
    assert not torch.allclose(together, alone)


def test_no_queue_is_a_queue_of_none() -> None:
    swav = method(queue=0).train()
    for _ in range(2):
        assert torch.isfinite(swav(swav.views(images()), 0.5).loss)


def test_the_queue_survives_a_checkpoint() -> None:
    swav = method().train()
    swav(swav.views(images()), 0.5)
    other = method()
    other.load_state_dict(swav.state_dict())
    assert torch.equal(other.queue, swav.queue)
    assert other.filled == 8


def test_the_logs_tell_a_collapse_from_health() -> None:
    one_for_each = assignment_logs(torch.eye(8))
    assert one_for_each["mean_assignment_entropy"].item() == pytest.approx(1)
    assert one_for_each["assignment_entropy"].item() == 0
    one_for_all = assignment_logs(torch.eye(8)[:1].expand(8, 8))
    assert one_for_all["mean_assignment_entropy"].item() == 0
    assert one_for_each["sure_assignment_entropy"].item() == 1
    few = assignment_logs(torch.eye(64)[:8])
    assert few["mean_assignment_entropy"].item() == pytest.approx(0.5)  # ln 8 of ln 64
    assert few["sure_assignment_entropy"].item() == pytest.approx(0.5)
    undecided = assignment_logs(torch.full((8, 8), 1 / 8))
    assert undecided["mean_assignment_entropy"].item() == pytest.approx(1)
    assert undecided["assignment_entropy"].item() == pytest.approx(1)


def test_the_projections_of_a_collapsed_encoder_are_seen_in_the_logs() -> None:
    swav = method().eval()  # with running statistics, so that equal images stay equal
    equal = [torch.full((8, 3, 16, 16), 0.5)] * 2
    logs = swav(equal, 0.5).logs
    torch.testing.assert_close(logs["mean_assignment_entropy"], logs["assignment_entropy"])


def test_few_images_get_fewer_prototypes_and_a_shorter_queue() -> None:
    defaults = methods.settings_of(SwAV)
    assert SwAV.suited(Situation(images=50_000, batch=256, image_size=32)) == []
    few = {
        change.setting: change.value
        for change in SwAV.suited(Situation(images=300, batch=64, image_size=32))
    }
    assert few["prototypes"] == 64 < defaults["prototypes"].default
    assert few["queue"] == 128 < defaults["queue"].default
