"""Balanced accuracy, recall and confusion, by hand."""

import numpy as np
import pytest

from selfsight.assessment import classes
from selfsight.assessment.classes import balanced, confusion, recalls

TRUTH = np.array([0, 0, 0, 0, 2, 2])
PREDICTED = np.array([[0, 0, 0, 1, 2, 0], [0, 0, 0, 0, 1, 0]])  # two seeds
NAMES = ("cat", "dog", "eel")


def test_a_rare_class_counts_as_much_as_a_common_one():
    assert balanced(PREDICTED, TRUTH) == [pytest.approx((3 / 4 + 1 / 2) / 2), pytest.approx(0.5)]


def test_recall_is_over_all_seeds_and_only_of_classes_that_are_there():
    assert recalls(PREDICTED, TRUTH) == {0: pytest.approx(7 / 8), 2: pytest.approx(1 / 4)}


def test_the_confusion_has_true_classes_as_rows_and_every_answer_as_a_column():
    found = confusion(PREDICTED, TRUTH, NAMES)
    assert found["classes"] == ["cat", "dog", "eel"]
    assert found["matrix"] == [[0.875, 0.125, 0], [0, 0, 0], [0.5, 0.25, 0.25]]
    assert found["most"][0] == ["eel", "cat", 0.5]
    assert len(found["most"]) == 3


def test_of_very_many_classes_only_the_worst_confusions_are_kept(monkeypatch):
    monkeypatch.setattr(classes, "PICTURED", 2)
    found = confusion(PREDICTED, TRUTH, NAMES)
    assert found["matrix"] is None
    assert found["most"]
