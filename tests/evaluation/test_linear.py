"""The linear probe: one right answer, found fast, without ever looking at the test part."""

import numpy as np
import pytest
import torch

from selfsight.errors import UserError
from selfsight.evaluation import linear, logistic
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.linear import LinearProbe, linear_probe


def cloud(n: int, *, classes: int = 5, dim: int = 20, seed: int = 0) -> Embeddings:
    """Return overlapping classes in features of very uneven directions, as networks have them."""
    shared = np.random.default_rng(99)
    middles, turn = shared.standard_normal((classes, dim)), shared.standard_normal((dim, dim))
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    hidden = middles[labels] + 1.5 * rng.standard_normal((n, dim))
    features = np.maximum((hidden / np.arange(1, dim + 1)) @ turn, 0) + 3
    return Embeddings(features.astype(np.float32), labels)


def accuracy(probe: LinearProbe, test: Embeddings) -> float:
    return float((probe.predicted == test.labels).mean())


def test_the_answer_is_that_of_another_solver():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train, test = cloud(1500), cloud(2000, seed=1)
    probe = linear_probe(train, test, seed=0)
    scaler = StandardScaler().fit(train.features.astype(np.float64))
    other = LogisticRegression(
        C=1 / probe.regularisation, solver="newton-cholesky", tol=1e-8, max_iter=100
    ).fit(scaler.transform(train.features.astype(np.float64)), train.labels)
    answers = other.predict(scaler.transform(test.features.astype(np.float64)))
    assert probe.converged
    assert 0.5 < accuracy(probe, test) < 0.95  # neither trivial nor hopeless
    assert accuracy(probe, test) == pytest.approx((answers == test.labels).mean(), abs=0.002)
    assert (probe.predicted == answers).mean() > 0.995


@pytest.mark.parametrize("strength", linear.STRENGTHS)
def test_the_gradient_of_the_stated_loss_is_zero_at_the_solution(strength):
    train = cloud(400)
    centre, scale = linear._scaling(train.features)
    features = torch.from_numpy((train.features - centre) * scale)
    labels = torch.from_numpy(train.labels)
    problem = logistic.Problem(features, labels, *linear._principal(features), 5)
    nothing = logistic.Fitted(torch.zeros(20, 5).double(), torch.zeros(5).double(), converged=False)
    found = logistic.fit(problem, strength=strength, start=nothing)
    weights, offsets = found.weights.requires_grad_(), found.offsets.requires_grad_()
    scores = features.double() @ weights + offsets
    loss = torch.nn.functional.cross_entropy(scores, labels, reduction="sum")
    (loss + strength / 2 * weights.square().sum()).backward()
    assert found.converged
    assert weights.grad.abs().max() / 400 < 5e-4
    assert offsets.grad.abs().max() / 400 < 5e-4


def test_no_setting_depends_on_the_test_labels_or_images():
    train, test = cloud(600), cloud(300, seed=1)
    shuffled = Embeddings(test.features, np.random.default_rng(3).permutation(test.labels))
    other = Embeddings(test.features * 5 - 1, test.labels)
    probe = linear_probe(train, test, seed=0)
    for part in (shuffled, other):
        found = linear_probe(train, part, seed=0)
        assert (found.regularisation, found.sweep) == (probe.regularisation, probe.sweep)
    assert np.array_equal(linear_probe(train, shuffled, seed=0).predicted, probe.predicted)


def test_the_sweep_has_every_strength_and_the_best_is_chosen():
    probe = linear_probe(cloud(600), cloud(50, seed=1), seed=0)
    assert [strength for strength, _ in probe.sweep] == list(linear.STRENGTHS)
    assert len(probe.sweep) >= 5
    best = max(accuracy for _, accuracy in probe.sweep)
    assert probe.regularisation == max(s for s, accuracy in probe.sweep if accuracy == best)


def test_noise_asks_for_more_regularisation_than_signal():
    train, test = cloud(300), cloud(300, seed=1)
    noise = np.random.default_rng(4).standard_normal((300, 200)).astype(np.float32)
    noisy = Embeddings(np.hstack([train.features, noise]), train.labels)
    fresh = np.random.default_rng(5).standard_normal((300, 200)).astype(np.float32)
    noisy_test = Embeddings(np.hstack([test.features, fresh]), test.labels)
    with_noise, without = linear_probe(noisy, noisy_test, seed=0), linear_probe(train, test, seed=0)
    assert with_noise.regularisation > without.regularisation


def test_the_seed_decides_everything_else_nothing():
    train, test = cloud(300), cloud(100, seed=1)
    state = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, second = (linear_probe(train, test, seed=7) for _ in range(2))
    assert first.sweep == second.sweep
    assert np.array_equal(first.predicted, second.predicted)
    assert np.array_equal(np.random.get_state()[1], state[0])
    assert torch.equal(torch.get_rng_state(), state[1])


def test_wide_features_choose_on_more_images():
    assert linear.sweep_rows(512) == linear.SWEEP_ROWS
    assert linear.sweep_rows(3200) == 8 * 3200


def test_choosing_on_a_part_of_a_large_set_changes_little(monkeypatch):
    train, test = cloud(3000), cloud(1000, seed=1)
    whole = linear_probe(train, test, seed=0)
    monkeypatch.setattr(linear, "SWEEP_ROWS", 800)
    part = linear_probe(train, test, seed=0)
    assert accuracy(part, test) == pytest.approx(accuracy(whole, test), abs=0.01)


def test_a_class_with_one_example_is_fitted_and_never_held_back():
    train, test = cloud(200), cloud(50, seed=1)
    lone = Embeddings(
        np.vstack([train.features, np.full((1, 20), 40, np.float32)]), np.append(train.labels, 5)
    )
    far = Embeddings(np.full((1, 20), 40, np.float32), np.array([5]))
    assert linear_probe(lone, far, seed=0).predicted.tolist() == [5]
    for seed in range(5):
        held_back = linear.stratified_mask(
            lone.labels, 0.2, np.random.default_rng(seed), smallest=2
        )
        assert 5 not in lone.labels[held_back]
        assert set(lone.labels[held_back]) == {0, 1, 2, 3, 4}
    assert linear_probe(lone, test, seed=0).predicted.shape == (50,)


def test_one_example_of_every_class_still_gives_a_classifier():
    train = Embeddings(np.eye(4, dtype=np.float32), np.arange(4))
    probe = linear_probe(train, train, seed=0)
    assert probe.predicted.tolist() == [0, 1, 2, 3]
    assert probe.converged
    assert probe.sweep == ()  # nothing could be held back, so nothing was compared


def test_two_examples_of_a_class_are_enough_to_choose_with():
    train = Embeddings(np.repeat(np.eye(4, dtype=np.float32), 2, axis=0), np.arange(8) // 2)
    assert len(linear_probe(train, train, seed=0).sweep) == len(linear.STRENGTHS)


def test_more_dimensions_than_images_are_solved():
    train, test = cloud(30, dim=200), cloud(100, dim=200, seed=1)
    probe = linear_probe(train, test, seed=0)
    assert probe.converged
    assert accuracy(probe, test) > 0.3


def test_class_numbers_may_have_gaps():
    train = cloud(200, classes=2)
    gaps = Embeddings(train.features, train.labels * 6 + 1)
    assert set(linear_probe(gaps, gaps, seed=0).predicted) == {1, 7}


def test_constant_features_answer_the_commonest_class():
    dust = np.float32(0.3) + np.random.default_rng(0).choice([0, 3e-8], (90, 4)).astype(np.float32)
    labels = np.array([0] * 20 + [1] * 40 + [2] * 30)
    probe = linear_probe(Embeddings(dust, labels), Embeddings(dust, labels), seed=0)
    assert set(probe.predicted) == {1}


@pytest.mark.parametrize("factor", [100, 1e-4])
def test_the_scale_of_features_does_not_matter(factor):
    train, test = cloud(300), cloud(300, seed=1)
    scaled = [Embeddings(part.features * np.float32(factor), part.labels) for part in (train, test)]
    plain, found = linear_probe(train, test, seed=0), linear_probe(*scaled, seed=0)
    assert found.sweep == plain.sweep
    assert np.array_equal(found.predicted, plain.predicted)


def test_images_without_a_label_change_nothing():
    train, test = cloud(300), cloud(100, seed=1)
    more = Embeddings(
        np.vstack([np.full((9, 20), 7, np.float32), train.features]),
        np.concatenate([np.full(9, -1), train.labels]),
    )
    plain, found = linear_probe(train, test, seed=0), linear_probe(more, test, seed=0)
    assert found.sweep == plain.sweep
    assert np.array_equal(found.predicted, plain.predicted)


def test_a_fit_that_runs_out_of_steps_says_so(monkeypatch):
    monkeypatch.setattr(logistic, "MAX_STEPS", 2)
    assert not linear_probe(cloud(300), cloud(10, seed=1), seed=0).converged


def test_one_class_is_an_error_of_one_line():
    train = cloud(50)
    alone = Embeddings(train.features, np.zeros(50, np.int64))
    with pytest.raises(UserError, match="two or more classes"):
        linear_probe(alone, train, seed=0)


def test_single_and_double_precision_agree(monkeypatch):
    train, test = cloud(1500), cloud(1000, seed=1)
    double = linear_probe(train, test, seed=0)
    monkeypatch.setattr(linear, "DOUBLE", 0)
    single = linear_probe(train, test, seed=0)
    assert single.converged
    assert accuracy(single, test) == pytest.approx(accuracy(double, test), abs=0.002)


def test_few_images_in_many_dimensions_are_fitted_within_the_part_that_they_fill():
    train = cloud(60, dim=150)
    features = torch.from_numpy(train.features).double()
    features = features - features.mean(0)
    axes, variances = linear._principal(features)
    assert axes.shape == (150, 60)
    all_variances, all_axes = torch.linalg.eigh(features.T @ features / 60)
    whole = (all_axes, all_variances.clamp(min=0))
    nothing = logistic.Fitted(
        torch.zeros(150, 5).double(), torch.zeros(5).double(), converged=False
    )
    labels = torch.from_numpy(train.labels)
    one, other = (
        logistic.fit(logistic.Problem(features, labels, *parts, 5), strength=1.0, start=nothing)
        for parts in ((axes, variances), whole)
    )
    assert one.converged
    assert (one.weights - other.weights).norm() < 0.01 * other.weights.norm()
