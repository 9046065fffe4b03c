"""Collapse as a frozen encoder shows it."""

import torch
from test_spread import gaussian

from selfsight.diagnosis.collapse import COMPLETE, DIMENSIONAL
from selfsight.diagnosis.frozen import collapse_finding, find_feature_collapse


def shared_direction(size: float) -> torch.Tensor:
    """Return a cloud around a point far from 0, as features after a ReLU are."""
    return 1 + size * gaussian(300, 64)


def test_a_healthy_cloud_has_not_collapsed():
    found = collapse_finding(gaussian(300, 64), shared_direction(0.05), trained="")
    assert (found.word, found.tone) == ("none", "good")
    assert "have not collapsed" in found.sentence
    assert [row.name for row in found.tables[0].rows] == ["spread", "mean cosine", "effective rank"]


def test_features_that_are_nearly_one_are_a_complete_collapse():
    assert find_feature_collapse(shared_direction(1e-4), shared_direction(0.05)) is COMPLETE
    found = collapse_finding(shared_direction(1e-4), shared_direction(0.05), trained="")
    assert (found.word, found.tone) == ("complete", "bad")
    assert found.tables[0].rows[0].tone == "bad"


def test_features_on_a_line_are_a_dimensional_collapse():
    line = gaussian(300, 1) @ gaussian(1, 64, seed=1) + 0.01 * gaussian(300, 64, seed=2)
    assert find_feature_collapse(line, gaussian(300, 64)) is DIMENSIONAL


def test_what_an_untrained_network_shows_too_is_no_collapse():
    # an untrained ResNet's features have a mean cosine of 0.99 and an effective rank near 2
    assert find_feature_collapse(shared_direction(0.05), shared_direction(0.05)) is None
    line = gaussian(300, 1) @ gaussian(1, 64, seed=1)
    assert find_feature_collapse(line, line) is None


def test_a_collapse_in_training_is_told_of_though_the_features_are_well():
    found = collapse_finding(gaussian(300, 64), gaussian(300, 64), trained="Collapsed. All alike.")
    assert (found.word, found.tone) == ("in training", "bad")
    assert "Collapsed. All alike." in found.sentence
