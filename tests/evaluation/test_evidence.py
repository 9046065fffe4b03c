"""The evidence: rows on the same images, compared in pairs, to JSON and back."""

import json

import numpy as np
import pytest

from selfsight.errors import UserError
from selfsight.evaluation import logistic
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.evidence import Evidence, measure
from selfsight.evaluation.knn import knn_accuracy
from selfsight.evaluation.linear import linear_probe


def cloud(n: int, *, noise: float, seed: int) -> Embeddings:
    """Return three classes, the last of them rare; the same labels whatever the noise."""
    middles = np.random.default_rng(99).standard_normal((3, 8))
    labels = np.random.default_rng(seed).choice(3, size=n, p=[0.5, 0.4, 0.1])
    spread = np.random.default_rng(seed + 1000).standard_normal((n, 8))
    return Embeddings((middles[labels] + noise * spread).astype(np.float32), labels)


def parts(noise: float) -> tuple[Embeddings, Embeddings]:
    return cloud(300, noise=noise, seed=0), cloud(200, noise=noise, seed=1)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    noises = {"encoder": 0.8, "untrained": 1.5, "pixels": 3.0}
    rows = [measure(name, *parts(noise), seed=0) for name, noise in noises.items()]
    return Evidence.of(rows, classes=["cat", "dog", "yak"])


def test_a_row_has_the_accuracies_of_its_classifiers(evidence):
    train, test = parts(0.8)
    row = evidence.row("encoder")
    probe = linear_probe(train, test, seed=0)
    assert row.knn.accuracy.value == knn_accuracy(train, test)
    assert row.linear.accuracy.value == (probe.predicted == test.labels).mean()
    assert (row.linear.regularisation, row.linear.sweep) == (probe.regularisation, probe.sweep)
    assert row.knn.accuracy.low < row.knn.accuracy.value < row.knn.accuracy.high
    assert (row.train_images, row.test_images, row.neighbours, row.dim) == (300, 200, 20, 8)


def test_balanced_accuracy_counts_every_class_alike(evidence):
    train, test = parts(1.5)
    predicted = linear_probe(train, test, seed=0).predicted
    expected = np.mean([(predicted == c)[test.labels == c].mean() for c in range(3)])
    assert evidence.row("untrained").linear.balanced == pytest.approx(expected)


def test_majority_is_what_the_commonest_training_class_scores_on_the_test_part(evidence):
    test = parts(0.8)[1]
    assert evidence.row("encoder").majority == (test.labels == 0).mean()


def test_differences_are_paired_and_of_the_first_row_over_the_others(evidence):
    over_untrained, over_pixels = evidence.differences
    assert (over_untrained.first, over_untrained.second) == ("encoder", "untrained")
    assert (over_pixels.first, over_pixels.second) == ("encoder", "pixels")
    rows = [evidence.row(name).linear.accuracy.value for name in ("encoder", "untrained")]
    assert over_untrained.linear.value == pytest.approx(rows[0] - rows[1])
    assert 0 < over_pixels.knn.low < over_pixels.knn.value < over_pixels.knn.high
    assert evidence.difference("encoder", "encoder").linear.value == 0


def test_evidence_survives_json(evidence):
    text = json.dumps({**evidence.to_json(), "verdict": {"word": "learned"}, "seconds": 3})
    assert Evidence.from_json(json.loads(text)) == evidence


def test_json_has_the_keys_that_a_report_reads(evidence):
    content = evidence.to_json()
    assert {"protocol", "rows", "train_images", "test_images", "classes", "majority"} <= set(
        content
    )
    for row in content["rows"]:
        assert {"accuracy", "low", "high", "balanced"} <= set(row["knn"])
        assert {"accuracy", "low", "high", "balanced", "regularisation"} <= set(row["linear"])


def test_incomplete_json_is_an_error_of_one_line(evidence):
    content = evidence.to_json()
    del content["rows"][0]["knn"]["low"]
    with pytest.raises(UserError, match="no 'low'"):
        Evidence.from_json(content)


def test_the_protocol_states_every_choice(evidence):
    protocol = evidence.protocol
    assert "300" in protocol["split"]
    assert "200" in protocol["split"]
    assert (protocol["knn"]["neighbours"], protocol["knn"]["temperature"]) == (20, 0.07)
    assert {"normalisation", "metric", "weighting"} <= set(protocol["knn"])
    assert "100000" in protocol["linear"]["regularisation"]
    assert "95%" in protocol["interval"]


def test_a_small_bank_states_the_neighbours_that_voted():
    few = cloud(9, noise=0.5, seed=3)
    row = measure("encoder", few, few, seed=0)
    assert Evidence.of([row], classes=["a", "b", "c"]).protocol["knn"]["neighbours"] == 9


def test_the_table_has_a_line_a_row_and_a_line_a_difference(evidence):
    lines = evidence.table()
    starts = ["200 test images", "encoder", "untrained", "pixels", "majority class"]
    starts += ["over untrained", "over pixels"]
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))
    assert f"{100 * evidence.row('pixels').knn.accuracy.value:.1f} %" in lines[3]


def test_a_probe_that_did_not_converge_is_not_hidden(monkeypatch):
    monkeypatch.setattr(logistic, "MAX_STEPS", 2)
    row = measure("encoder", *parts(0.8), seed=0)
    assert "encoder had not converged" in Evidence.of([row], classes=["a"]).table()[-1]


def test_an_unknown_row_is_named_with_those_that_are_there(evidence):
    with pytest.raises(UserError, match="no row 'teacher'; there are: encoder, untrained, pixels"):
        evidence.row("teacher")


def test_images_without_a_label_are_left_out(evidence):
    train, test = parts(0.8)
    more = Embeddings(np.vstack([test.features, test.features]), np.r_[test.labels, [-1] * 200])
    assert measure("encoder", train, more, seed=0) == evidence.row("encoder")
