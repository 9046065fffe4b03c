"""A cue carries its number, and nothing else."""

import numpy as np
import pytest

from selfsight.diagnosis.shortcuts import ties
from selfsight.diagnosis.shortcuts.cues import PLANTS, Cue
from selfsight.errors import UserError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(40, 216, (8, 3, 32, 32), dtype=np.uint8)
SMOOTH = (
    np.repeat(np.linspace(60, 190, 32).astype(np.uint8)[None, None, None], 8, 0)
    .repeat(3, 1)
    .repeat(32, 2)
)
ROWS = np.arange(8)


@pytest.mark.parametrize("name", PLANTS)
def test_without_strength_all_numbers_look_alike(name: str) -> None:
    cue = Cue(name, 4, strength=0.0)
    one, other = (cue(PIXELS, np.full(8, number), ROWS) for number in (0, 3))
    assert (one == other).all()


@pytest.mark.parametrize("name", PLANTS)
def test_numbers_look_different_and_do_not_depend_on_the_batch(name: str) -> None:
    cue, numbers = Cue(name, 4), np.arange(8) % 4
    together = cue(PIXELS, numbers, ROWS)
    apart = np.concatenate(
        [cue(PIXELS[r : r + 1], numbers[r : r + 1], ROWS[r : r + 1]) for r in ROWS]
    )
    assert (together == apart).all()
    assert together.dtype == np.uint8 and together.shape == PIXELS.shape
    first = np.repeat(PIXELS[:1], 4, 0)
    four = cue(first, np.arange(4), np.zeros(4, dtype=np.int64))
    assert len({image.tobytes() for image in four}) == 4


def test_the_mark_stays_in_its_corner_and_the_border_on_the_edge() -> None:
    marked = Cue("corner mark", 4)(PIXELS, ROWS % 4, ROWS)
    changed = (marked != PIXELS).any(axis=(0, 1))
    assert changed[:4, :4].any() and not changed[4:].any() and not changed[:, 4:].any()
    assert set(np.unique(marked[:, :, :4, :4])) == {0, 255}
    framed = Cue("border", 4)(PIXELS, ROWS % 4, ROWS)
    assert (framed[:, :, 1:-1, 1:-1] == PIXELS[:, :, 1:-1, 1:-1]).all()
    assert (framed[0, :, 0, :] == framed[0, :, :1, 0]).all()


def test_a_tint_shifts_the_mean_and_noise_the_deviation() -> None:
    tinted = Cue("tint", 4)(SMOOTH, np.arange(8) % 4, ROWS)
    red = tinted[0].mean(axis=(1, 2))
    assert red[0] - red[1] == pytest.approx(60, abs=1)  # 40 up, 20 down
    noisy = Cue("sensor noise", 3)(SMOOTH, np.array([0, 1, 2, 0, 1, 2, 0, 1]), ROWS)
    spread = (noisy.astype(float) - SMOOTH).std(axis=(1, 2, 3))
    assert spread[:3] == pytest.approx([0, 12.75, 25.5], rel=0.06, abs=1e-9)


def test_the_chromatic_shift_grows_from_the_centre_outwards() -> None:
    shifted = Cue("chromatic shift", 2)(SMOOTH, np.ones(8, dtype=np.int64), ROWS).astype(float)
    difference = np.abs(shifted[0, 0] - shifted[0, 2])[16]
    assert difference[16] < 3 and difference[2] > 10
    assert (shifted[:, 1] == SMOOTH[:, 1]).all()  # green stays


def test_an_unknown_cue_or_strength_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="did you mean 'tint'"):
        Cue("tin", 4)
    with pytest.raises(UserError, match="it must lie in"):
        Cue("tint", 4, strength=2.0)


def test_ties_hold_what_they_promise() -> None:
    labels = np.arange(4000) % 4
    against = ties.against_label(labels, kinds=4, seed=0)
    assert (against != labels).all() and set(against) == {0, 1, 2, 3}
    tied = ties.to_label(labels, kinds=4, agreement=0.7, seed=0)
    assert (tied == labels).mean() == pytest.approx(0.7, abs=0.03)
    assert (ties.to_label(labels, kinds=4, seed=0) == labels).all()
    free = ties.to_nothing(4000, kinds=4, seed=0)
    assert (free == labels).mean() == pytest.approx(0.25, abs=0.03)
