"""Training with labels: it equals the probe where nothing moves, learns where it may, repeats."""

import numpy as np
import pytest
import torch
from striped import small_encoder, striped

from selfsight.errors import UserError
from selfsight.evaluation import finetune as module
from selfsight.evaluation import tuning
from selfsight.evaluation.embed import embed, encoder_function
from selfsight.evaluation.finetune import FROM_SCRATCH, budget, finetune, views_in_all
from selfsight.evaluation.linear import linear_probe
from selfsight.evaluation.supervision import Course, probed, trained
from selfsight.nets.layers import layers_of

TRAIN = striped([0, 1, 2] * 10)
TEST = striped([0, 1, 2] * 40, seed=1)


def course(**changes: object) -> Course:
    plain = {
        "steps": 8,
        "batch": 16,
        "rate": 1e-3,
        "views": "crop",
        "size": 8,
        "lowest": 1.0,
        "frozen": 0,
        "precision": "fp32",
        "seed": 0,
    }
    return Course(**(plain | changes))  # type: ignore[arg-type]


def contents(encoder: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in encoder.state_dict().items()}


def test_with_all_layers_frozen_it_is_the_linear_probe():
    encoder = small_encoder()
    parts = [embed(encoder_function(encoder), images) for images in (TRAIN, TEST)]
    probe = linear_probe(*parts, seed=0)
    found = finetune(encoder, TRAIN, seed=0, frozen=len(layers_of(encoder)))
    assert np.array_equal(found.predict(TEST), probe.predicted)
    assert contents(found.classifier.encoder) == contents(encoder)


def test_where_training_harms_the_linear_probe_of_all_labels_is_what_is_left(monkeypatch):
    monkeypatch.setattr(tuning, "RATES", (200.0,))
    encoder = small_encoder()
    found = finetune(encoder, TRAIN, seed=0, effort=0.1)
    assert (found.steps, found.held_back) == (0, 6)
    assert finetune(encoder, TRAIN, seed=0, effort=0.1, manner=FROM_SCRATCH).steps > 0
    start = probed(encoder, TRAIN, seed=0, device="cpu")
    assert np.array_equal(found.predict(TEST), start.predict(TEST))


def test_frozen_layers_keep_every_weight_and_statistic_and_the_others_move():
    encoder = small_encoder()
    start = probed(encoder, TRAIN, seed=0, device="cpu")
    *_, (_, last) = trained(start, TRAIN, course=course(frozen=2))
    before, after = contents(encoder), contents(last.encoder)
    moved = {name for name in before if before[name] != after[name]}
    assert not any(name.startswith(("network.blocks.0", "network.blocks.1")) for name in moved)
    assert {"network.blocks.2.0.weight", "network.blocks.4.1.running_mean"} <= moved


def test_lower_layers_move_less():
    def shift(lowest: float) -> float:
        encoder = small_encoder()
        start = probed(encoder, TRAIN, seed=0, device="cpu")
        *_, (_, last) = trained(start, TRAIN, course=course(lowest=lowest))
        first = zip(layers_of(encoder)[0], layers_of(last.encoder)[0], strict=True)
        return max(float((a - b).abs().max().detach()) for a, b in first)

    assert shift(0.1) == pytest.approx(0.1 * shift(1.0), rel=0.2)


def test_the_same_function_trains_from_scratch_and_learns_what_a_probe_cannot():
    encoder = small_encoder()
    start = probed(encoder, TRAIN, seed=0, device="cpu")
    found = finetune(encoder, TRAIN, seed=0, manner=FROM_SCRATCH, effort=0.4)
    untrained = (start.predict(TEST) == TEST.labels.index).mean()
    assert (found.predict(TEST) == TEST.labels.index).mean() > untrained + 0.1
    assert contents(encoder) == contents(small_encoder())  # the given one stays as it is


def test_it_repeats_and_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    encoder = small_encoder()
    torch.set_rng_state(state)
    runs = [finetune(encoder, TRAIN, seed=3, effort=0.08) for _ in range(2)]
    assert runs[0].trials == runs[1].trials
    assert contents(runs[0].classifier.encoder) == contents(runs[1].classifier.encoder)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_arm_is_tuned_alike():
    told: list[list[tuple[float, str, int]]] = []
    for manner in (module.FINE_TUNING, FROM_SCRATCH):
        found = finetune(small_encoder(), TRAIN, seed=0, effort=0.1, manner=manner)
        told.append([(trial.rate, trial.steps) for trial in found.trials[: len(tuning.RATES)]])
        assert len(found.trials) == tuning.TRIED + 1
        assert found.held_back == 6
    assert told[0] == told[1]
    assert [rate for rate, _ in told[0]] == list(tuning.RATES)


def test_one_label_per_class_takes_the_default_and_still_fits():
    found = finetune(small_encoder(), striped([0, 1, 2]), seed=0, effort=0.1)
    assert (found.rate, found.views) == (tuning.RATES[0], tuning.VIEWS[0])
    assert (found.held_back, found.trials, found.steps) == (0, (), found.planned)
    assert set(found.predict(TEST)) <= {0, 1, 2}


def test_a_class_with_one_image_is_never_held_back_and_is_learnt():
    images = striped([0] * 10 + [1] * 10 + [2])
    found = finetune(small_encoder(), images, seed=0, effort=0.1)
    assert found.held_back == 4  # two of each of the others
    assert found.classifier.probe.fitted.weights.shape[1] == 3


def test_images_without_a_label_change_nothing():
    mixed = striped([0, 1, 2] * 4 + [-1] * 5)
    alone = mixed.part(np.arange(12))
    answers = [
        finetune(small_encoder(), images, seed=0, effort=0.1).predict(TEST)
        for images in (mixed, alone)
    ]
    assert np.array_equal(*answers)


def test_one_class_is_an_error_of_one_line():
    with pytest.raises(UserError, match="two or more classes"):
        finetune(small_encoder(), striped([1] * 5), seed=0)


def test_more_labels_get_more_steps_and_every_label_fewer_views():
    views = [np.prod(budget(n, effort=1.0)) for n in (10, 100, 1_000, 50_000)]
    assert views == sorted(views)
    assert views[0] / 10 > views[1] / 100 > views[2] / 1_000 > views[3] / 50_000
    assert budget(1_000, effort=0.5)[1] == pytest.approx(budget(1_000, effort=1.0)[1] / 2, abs=1)


@pytest.mark.parametrize("most", [1_000, 3])  # with 3 held back, nothing is trained anew
def test_progress_counts_the_views_that_were_foretold(most, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD_BACK", most)
    told: list[tuple[str, int, int]] = []
    images = striped([0, 1, 2] * 30)
    effort = 0.05
    finetune(
        small_encoder(), images, seed=0, effort=effort, progress=lambda *what: told.append(what)
    )
    assert {what for what, _, _ in told} == {"training with labels"}
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})
    assert told[-1][2] == views_in_all(images.labels.index, effort=effort)
    runs = 2 if most > 3 else 1  # the last of them may have been stopped
    batch, steps = budget(90, effort=effort)
    races = tuning.TRIED * tuning.race_steps(steps=steps, batch=batch)
    assert told[-1][2] == batch * (races + runs * steps)
    assert batch * (races + (runs - 1) * steps) <= told[-1][1] <= told[-1][2]
