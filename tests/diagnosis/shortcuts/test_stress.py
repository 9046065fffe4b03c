"""Versions take away what they say; encoders fall where what they read is missing."""

import re

import numpy as np
import pytest
from benched import bench

from selfsight.diagnosis.shortcuts.permutation import sign_flip
from selfsight.diagnosis.shortcuts.reading import read
from selfsight.diagnosis.shortcuts.resampling import mean_interval
from selfsight.diagnosis.shortcuts.stress import WHOLE, Stressed, measure_stress
from selfsight.diagnosis.shortcuts.stress_finding import background_tells, stress_finding
from selfsight.diagnosis.shortcuts.versions import VERSIONS

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 20, 20), dtype=np.uint8)
ROWS = np.arange(4)


def test_shuffled_patches_are_the_same_pixels_elsewhere() -> None:
    shuffled = VERSIONS["patches shuffled"](PIXELS, ROWS)
    assert (shuffled != PIXELS).any()
    assert (np.sort(shuffled.reshape(4, 3, -1)) == np.sort(PIXELS.reshape(4, 3, -1))).all()
    tiles = {
        PIXELS[0, :, r : r + 5, c : c + 5].tobytes()
        for r in range(0, 20, 5)
        for c in range(0, 20, 5)
    }
    assert shuffled[0, :, 5:10, 10:15].tobytes() in tiles
    again = VERSIONS["patches shuffled"](PIXELS[2:], ROWS[2:])
    assert (again == shuffled[2:]).all()  # an image's order is its own, not its batch's


def test_low_and_high_pass_add_up_and_grey_has_no_colour() -> None:
    calm = (PIXELS // 4 + 96).astype(np.uint8)
    low, high = (VERSIONS[name](calm, ROWS).astype(float) for name in ("low pass", "high pass"))
    assert low + high - 127.5 == pytest.approx(calm, abs=1.01)
    assert low.std() < 0.5 * calm.std() < high.std()
    grey = VERSIONS["grey"](PIXELS, ROWS)
    assert (grey[:, 0] == grey[:, 1]).all() and (grey[:, 0] == grey[:, 2]).all()


def test_centre_and_background_cover_one_another() -> None:
    without = VERSIONS["background only"](PIXELS, ROWS)
    centre = VERSIONS["centre only"](PIXELS, ROWS)
    kept_behind, kept_inside = without == PIXELS, centre == PIXELS
    assert kept_behind[:, :, 0].all() and kept_inside[:, :, 10, 10].all()
    assert (kept_behind | kept_inside).all()
    assert len(np.unique(without[0, 0, 6:14, 6:14])) == 1
    assert without[0, 0, 10, 10] == round(PIXELS[0, 0][~_inside()].mean())


def _inside() -> np.ndarray:
    inside = np.zeros((20, 20), dtype=bool)
    inside[3:17, 3:17] = True
    return inside


def test_who_lives_off_colour_falls_on_grey_images_and_its_twin_does_not() -> None:
    images = bench().forms(1, images=360, colour=True)
    train, test = images.part(np.arange(180)), images.part(np.arange(180, 360))
    eyes = bench().eyes
    found = measure_stress(
        {"encoder": lambda pixels: eyes(pixels)[:, :3], "supervised": eyes},
        train=train,
        test=test,
        seed=0,
    )
    own = {one.version: one for one in found if one.encoder == "encoder"}
    assert own[WHOLE].reading.accuracy.value > 0.8 and own[WHOLE].fall.value == 0
    assert own["grey"].fall.low > 0.3
    assert own["centre only"].fall.high < 0.1
    assert not background_tells(found)[0]
    finding = stress_finding(found, example=PIXELS[0])
    # These eyes read the middle alone, so shuffled tiles cost them something as well.
    assert finding.word == "needs colour and form" and "points without colour" in finding.sentence
    assert "without fine structure no fall is sure" in finding.sentence
    assert "supervised network's fall minus this one's" in finding.sentence
    assert len(finding.tables[0].rows) == 7 and finding.tables[0].columns[1].name == "supervised"


def test_a_background_that_tells_the_class_is_pointed_at() -> None:
    images = bench().forms(2, images=360, background=0.8)
    train, test = images.part(np.arange(180)), images.part(np.arange(180, 360))
    found = measure_stress({"filters": bench().filters}, train=train, test=test, seed=0)
    assert background_tells(found)[0]
    finding = stress_finding(found, example=PIXELS[0])
    assert finding.tone == "doubtful" and finding.word == "surround tells"
    assert "what lies around the centre" in finding.sentence


def test_what_was_not_surely_found_is_neither_praised_nor_more_than_all() -> None:
    """A version may be read better than the whole by luck, and a fall may be luck as well."""
    truth = np.arange(200) % 2
    right = np.arange(200) < 180  # whole images: 180 of 200
    better = right | (np.arange(200) == 190)  # one more than on whole images
    found = []
    for version in (WHOLE, *VERSIONS):
        answered = right if version == WHOLE else better
        fall = right.astype(float) - answered
        reading = read(np.where(answered, truth, 1 - truth), truth, seed=0)
        found.append(
            Stressed(
                encoder="encoder",
                version=version,
                reading=reading,
                fall=mean_interval(fall, seed=0),
                fall_p=sign_flip(fall, seed=0),
                beside=None,
            )
        )
    finding = stress_finding(found, example=PIXELS[0])
    assert finding.tone == "doubtful" and finding.word == "surround tells"
    assert "robust" not in finding.sentence
    assert "without form, fine structure or colour no fall is sure" in finding.sentence
    assert max(int(number) for number in re.findall(r"(\d+) %", finding.sentence)) <= 100
