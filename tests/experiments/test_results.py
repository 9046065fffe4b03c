"""What runs say together, on runs that nobody trained: ranking, calls, failures, the page."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_cells import IMAGES, made_up_run

from selfsight.experiments.cells import run_folder
from selfsight.experiments.grid import write_results
from selfsight.experiments.leaks import Leak, write_leaks
from selfsight.experiments.plan import Arm, Plan, varied
from selfsight.experiments.results import Results
from selfsight.settings import Settings

SHARED = Settings(minutes=1.0, encoder="convnet", size=16, batch=32)


def comparison(out: Path, accuracies: dict[str, list[float]], **words: str) -> Results:
    """Write runs with these accuracies, one a seed, and return what they say."""
    arms = tuple(Arm(name, replace(SHARED, method=name), {}) for name in accuracies)
    seeds = max(len(values) for values in accuracies.values())
    plan = Plan("comparison", "photos/pets", seeds, "", ("minutes", 1.0), arms)
    for arm in arms:
        for seed, accuracy in enumerate(accuracies[arm.name]):
            settings = replace(arm.settings, seed=seed)
            made_up_run(
                run_folder(out, arm, seed), settings, accuracy=accuracy,
                word=words.get(arm.name, "learned"),
            )  # fmt: skip
    return write_results(out, plan)


def test_the_best_leads_only_beyond_luck(tmp_path) -> None:
    found = comparison(
        tmp_path,
        {"rotation": [0.40, 0.41, 0.40], "simclr": [0.70, 0.71, 0.70], "byol": [0.66, 0.73, 0.69]},
    )
    assert [arm.name for arm in found.arms] == ["simclr", "byol", "rotation"]
    assert found.arms[0].linear.mean == pytest.approx(0.7033, abs=1e-3)
    assert found.arms[0].linear.deviation == pytest.approx(
        np.std([0.7, 0.71, 0.7], ddof=1), abs=2e-3
    )
    calls = {(one.first, one.second): one.call for one in found.contrasts}
    assert calls["simclr", "rotation"] == "difference"
    assert calls["simclr", "byol"] == "no difference found"
    assert found.word == "undecided"
    assert "ahead of rotation (+30.0 points" in found.sentence
    assert "No difference was found to byol" in found.sentence
    assert "points between two arms would have been needed" in found.sentence


def test_an_arm_with_other_seeds_is_not_ahead_of_one_that_beats_it_where_both_are(tmp_path) -> None:
    found = comparison(tmp_path, {"simclr": [0.5, 0.5, 0.9], "byol": [0.6, 0.6]})
    assert [arm.name for arm in found.arms] == ["simclr", "byol"]  # by their own seeds' means
    assert [one.call for one in found.contrasts] == ["difference"]
    assert found.word != "simclr leads"
    assert "ahead of" not in found.sentence
    assert "In the seeds that both have, it is behind byol (-10.0 points" in found.sentence
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "ahead, in the seeds of both" in page and '<td class="call">behind' not in page


def test_different_backbones_are_told(tmp_path) -> None:
    assert (
        "backbones" not in comparison(tmp_path / "same", {"simclr": [0.5], "byol": [0.6]}).sentence
    )
    arms = tuple(
        Arm(name, replace(SHARED, method=name, encoder=encoder), {})
        for name, encoder in (("simclr", "convnet"), ("mae", "vit_tiny"))
    )
    plan = Plan("comparison", "photos", 1, "", ("minutes", 1.0), arms)
    for arm in arms:
        made_up_run(
            run_folder(tmp_path / "two", arm, 0), arm.settings, accuracy=0.5, word="learned"
        )
    found = write_results(tmp_path / "two", plan)
    assert "only methods are compared: simclr has convnet and mae has vit_tiny." in found.sentence
    page = (tmp_path / "two/report.html").read_text("utf-8")
    assert "encoder convnet, vit_tiny" in page
    for text in (page, "\n".join(found.table())):
        assert "untrained convnet" in text and "untrained vit_tiny" in text


def test_what_one_arm_has_otherwise_stands_on_the_page(tmp_path) -> None:
    arms = tuple(
        Arm(name, replace(SHARED, method=name, batch=batch), {})
        for name, batch in (("simclr", 32), ("byol", 64))
    )
    plan = Plan("comparison", "photos", 1, "", ("minutes", 1.0), arms)
    for arm in arms:
        made_up_run(run_folder(tmp_path, arm, 0), arm.settings, accuracy=0.5, word="learned")
    write_results(tmp_path, plan)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["differing"] == {"simclr": {"batch": 32}, "byol": {"batch": 64}}
    assert "batch 32, 64" in (tmp_path / "report.html").read_text("utf-8")


def test_a_steady_difference_smaller_than_the_test_images_show_is_not_called(tmp_path) -> None:
    found = comparison(tmp_path, {"simclr": [0.52] * 3, "byol": [0.51] * 3})
    (pair,) = found.contrasts
    assert pair.adjusted < 1e-9  # over seeds it is certain
    assert pair.paired.mean == pytest.approx(0.01)
    assert pair.over_images > 0.02  # and yet 4 of 400 images made it
    assert pair.call == "no difference found"


def test_one_seed_calls_nothing(tmp_path) -> None:
    found = comparison(tmp_path, {"simclr": [0.9], "rotation": [0.2]})
    assert [one.call for one in found.contrasts] == [""]
    assert "One seed cannot say" in found.sentence
    assert math.isnan(found.arms[0].linear.deviation)
    assert found.word == "undecided"


def test_a_method_that_failed_is_a_row_that_says_so(tmp_path) -> None:
    (tmp_path / "failures.json").write_text(
        json.dumps({"moco-1": {"reason": "no <memory>", "traceback": "…"}})
    )
    found = comparison(
        tmp_path,
        {"simclr": [0.5, 0.5], "moco": [0.4], "byol": [None, None], "vicreg": [0.2, 0.2]},
        byol="diverged",
        vicreg="collapsed",
    )  # fmt: skip
    words = {arm.name: arm.words for arm in found.arms}
    assert words["moco"] == {"learned": 1, "failed": 1}
    assert words["byol"] == {"diverged": 2}
    assert found.arms[-1].name == "byol"
    assert found.arms[-1].linear is None
    assert found.done == 8
    page = (tmp_path / "report.html").read_text()
    assert "<b>moco, seed 1:</b> no &lt;memory&gt;" in page
    assert "<b>byol, seed 0:</b> Diverged: made up &lt;b&gt;." in page
    assert "1 learned, 1 failed" in page
    assert any("diverged" in line for line in found.table())


def test_an_untrained_encoder_that_is_as_good_is_told(tmp_path) -> None:
    found = comparison(tmp_path, {"simclr": [0.29] * 3, "byol": [0.2] * 3})
    assert "An untrained encoder is as good (30.0 ± 0.0 %)" in found.sentence


def test_accuracy_without_repeats_leaves_them_out(tmp_path) -> None:
    made = comparison(tmp_path, {"simclr": [0.5], "byol": [0.4]})
    hits = next(cell for cell in made.cells if cell.arm == "simclr").hits
    right = np.flatnonzero(hits)[:40]
    write_leaks(tmp_path, {0: Leak(IMAGES, tuple(right.tolist()), (("a", "b", 0.99),))})
    found = write_results(tmp_path, made.plan)
    assert found.arms[0].fresh.mean == pytest.approx((hits.sum() - 40) / (IMAGES - 40))
    assert any("40 of 400 measured images" in line for line in found.table())
    assert "repeats.json lists them" in (tmp_path / "report.html").read_text()


def study(out: Path, gains: dict[str, list[float]]) -> Results:
    """Write a study of the batch size in which each method gains so much, one number a seed."""
    arms, start = [], 0.4
    for method, by_seed in gains.items():
        for step, value in enumerate(("32", "128", "512")):
            arm = varied(Arm(method, replace(SHARED, method=method), {}), name="batch", value=value)
            arms.append(arm)
            for seed, gain in enumerate(by_seed):
                settings = replace(arm.settings, seed=seed)
                accuracy = start + 0.01 * seed + gain * step / 2
                made_up_run(run_folder(out, arm, seed), settings, accuracy=accuracy)
    plan = Plan("study", "photos", len(by_seed), "batch", ("minutes", 1.0), tuple(arms))
    return write_results(out, plan)


def test_a_study_tells_each_change_and_which_method_gains_more(tmp_path) -> None:
    found = study(tmp_path, {"simclr": [0.30, 0.31, 0.30], "byol": [0.01, -0.02, 0.01]})
    by_what = {one.what: one for one in found.contrasts}
    simclr, byol = by_what["simclr, batch 32 to 512"], by_what["byol, batch 32 to 512"]
    assert simclr.call == "difference"
    assert simclr.paired.mean == pytest.approx(0.303, abs=2e-3)
    assert byol.call == "no difference found"
    gains = by_what["simclr less byol, batch 32 to 512"]
    assert (gains.kind, gains.first, gains.second) == ("gains", "simclr", "byol")
    assert gains.paired.mean == pytest.approx(0.303, abs=3e-3)
    assert gains.call == "difference"
    assert found.word == "it matters"
    assert "From batch 32 to 512 the linear probe changes by +30.3 points" in found.sentence
    assert "the gains differ: simclr by +30.3 points" in found.sentence
    assert [arm.name for arm in found.arms][:2] == ["simclr-batch-32", "simclr-batch-128"]
    page = (tmp_path / "report.html").read_text()
    assert "The trend" in page
    assert "batch 128: simclr" in page  # in the chart's read-out


def test_the_page_is_whole_by_itself_and_the_numbers_are_plain_json(tmp_path) -> None:
    comparison(tmp_path, {"simclr": [0.5, 0.6], "byol": [0.4, 0.5]})
    page = (tmp_path / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    for link in re.findall(r'href="(runs/[^"]+)"', page):
        assert (tmp_path / link).is_file()
    assert 'href="runs/byol-1/report.html"' in page
    content = json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)
    assert content["cells"][0]["looks"] == [[30.0, 0.25], [60.0, 0.4]]
    assert not list(tmp_path.glob("*.part"))
