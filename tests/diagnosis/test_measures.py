"""The measures of quality without labels: reference values, loops, identities, blind spots."""

import math

import numpy as np
import pytest
import torch
from test_spread import closed_form, example, gaussian
from torch.nn import functional as F

from selfsight.diagnosis.agreement import neighbour_agreement
from selfsight.diagnosis.alignment import alignment, ideal_uniformity, uniformity
from selfsight.diagnosis.clusters import cluster_stability
from selfsight.diagnosis.lidar import lidar, unit_variance
from selfsight.diagnosis.measures import ALL, Sample
from selfsight.diagnosis.spectrum import alpha_req, nesum


def views_of_example() -> torch.Tensor:
    return example().reshape(8, 2, 5)  # rows 0 and 1 are views of image 0


def test_every_measure_has_its_reference_value():
    rows = example()
    assert nesum(rows) == pytest.approx(1.35555667, abs=1e-6)
    assert alpha_req(rows) == pytest.approx(3.83984224, abs=1e-6)
    moved = F.normalize(rows, dim=1)
    other = F.normalize(rows + 0.3 * closed_form(16, 5, 41), dim=1)
    assert alignment(moved, other) == pytest.approx(0.00783299, abs=1e-6)
    assert uniformity(rows) == pytest.approx(-1.72266117, abs=1e-6)
    assert lidar(views_of_example()) == pytest.approx(1.50442309, abs=1e-6)


@pytest.mark.parametrize(
    ("dim", "value"), [(2, -1.5750), (3, -2.0798), (64, -3.8752), (128, -3.9375), (512, -3.9844)]
)
def test_the_whole_sphere_has_its_known_uniformity(dim, value):
    assert ideal_uniformity(dim) == pytest.approx(value, abs=1e-4)


def test_an_even_cloud_comes_near_the_whole_spheres_uniformity():
    assert uniformity(gaussian(2000, 64)) == pytest.approx(ideal_uniformity(64), abs=0.02)


def test_uniformity_is_that_of_a_loop_over_distinct_pairs():
    unit = F.normalize(example(), dim=1)
    terms = [
        math.exp(-2 * float((a - b).square().sum()))
        for i, a in enumerate(unit)
        for j, b in enumerate(unit)
        if i != j
    ]
    assert uniformity(example()) == pytest.approx(math.log(np.mean(terms)), abs=1e-9)


def test_a_power_law_has_its_exponent_in_every_range():
    scales = torch.arange(1, 41, dtype=torch.float64) ** -0.75  # variances fall as i^-1.5
    cloud = torch.linalg.qr(gaussian(400, 41, seed=5).double() - 0.0).Q[:, 1:]
    cloud = torch.linalg.qr(cloud - cloud.mean(0)).Q  # centred and orthonormal: exact variances
    for first, last in ((1, None), (11, 30), (5, 6)):
        found = alpha_req(cloud * scales, first=first, last=last)
        assert found == pytest.approx(1.5, abs=1e-6)


def test_alpha_of_a_collapsed_cloud_is_not_a_number():
    assert math.isnan(alpha_req(torch.ones(40, 8)))
    assert math.isnan(alpha_req(gaussian(200, 3) @ gaussian(3, 40, seed=1), first=11))


def test_only_the_grouping_of_views_matters_to_lidar():
    views = gaussian(60, 1, seed=1).reshape(60, 1, 1) * torch.eye(8)[:1] + 0.3 * gaussian(
        60 * 4, 8
    ).reshape(60, 4, 8)
    swapped = views[:, [2, 0, 3, 1]]
    assert lidar(swapped) == pytest.approx(lidar(views), abs=1e-9)
    assert lidar(views.flip(0)) == pytest.approx(lidar(views), abs=1e-9)
    mixed = views.reshape(240, 8)[torch.randperm(240, generator=torch.Generator().manual_seed(0))]
    assert lidar(mixed.reshape(60, 4, 8)) > 2 * lidar(views)


def test_lidar_does_not_count_what_differs_between_views_alone():
    images = torch.cat([gaussian(300, 3), torch.zeros(300, 17)], dim=1)
    noise = torch.cat([torch.zeros(300 * 5, 3), gaussian(300 * 5, 17, seed=2)], dim=1)
    views = images[:, None] + 3 * noise.reshape(300, 5, 20)
    assert lidar(unit_variance(views)) < 3.5


def test_lidar_at_one_scale_does_not_depend_on_the_features_own():
    views = views_of_example()
    assert lidar(unit_variance(7 * views)) == pytest.approx(lidar(unit_variance(views)), abs=1e-9)
    assert lidar(7 * views) != pytest.approx(lidar(views), abs=1e-6)


def test_equal_views_agree_and_unrelated_ones_agree_by_chance():
    rows, others = gaussian(400, 16), gaussian(400, 16, seed=1)
    assert neighbour_agreement(rows, 3 * rows, k=10) == 1
    assert neighbour_agreement(rows, others, k=10) == pytest.approx(10 / 399, abs=0.01)


def test_agreement_is_that_of_a_loop_over_images():
    a, b = gaussian(30, 4), gaussian(30, 4) + 0.5 * gaussian(30, 4, seed=1)
    shares = []
    for row in range(30):
        lists = []
        for view in (a, b):
            cosines = F.cosine_similarity(view[row : row + 1], view).numpy()
            cosines[row] = -2
            lists.append(set(np.argsort(-cosines)[:5]))
        shares.append(len(lists[0] & lists[1]) / 5)
    assert neighbour_agreement(a, b, k=5) == pytest.approx(np.mean(shares), abs=1e-9)


def test_a_collapsed_encoder_agrees_by_chance_only():
    point = gaussian(1, 32).expand(300, 32) + 1e-8 * gaussian(300, 32, seed=1)
    assert neighbour_agreement(point, point, k=10) == pytest.approx(10 / 299, abs=0.015)


def test_separate_lumps_are_stable_clusters_and_an_even_cloud_has_none():
    lumps = torch.eye(16)[:5].repeat_interleave(20, dim=0) + 0.02 * gaussian(100, 16)
    assert np.mean(cluster_stability(lumps, seed=0, k=5)) > 0.8
    assert np.mean(cluster_stability(gaussian(100, 16), seed=0, k=5)) < 0.4


def test_what_cannot_be_clustered_has_no_stability():
    assert all(map(math.isnan, cluster_stability(torch.ones(100, 8), seed=0)))
    assert all(map(math.isnan, cluster_stability(gaussian(12, 8), seed=0)))


def test_no_measure_calls_a_collapsed_encoder_good_but_alignment():
    def sample(rows: torch.Tensor) -> Sample:
        return Sample(rows, rows[:50, None] + 0.1 * gaussian(150, 16, seed=3).reshape(50, 3, 16))

    point = Sample(torch.ones(100, 16), torch.ones(50, 3, 16))
    cloud = sample(gaussian(100, 16))
    for measure in ALL:
        low, high = measure.gain(measure.value(point)), measure.gain(measure.value(cloud))
        assert (low > high) if measure.name == "alignment" else not (low >= high), measure.name


@pytest.mark.parametrize("measure", ALL, ids=lambda measure: measure.name)
def test_a_number_that_is_not_finite_makes_the_answer_nan(measure):
    rows = gaussian(60, 8)
    rows[3, 2] = math.nan
    views = gaussian(60, 8).reshape(20, 3, 8)
    views[1, 1, 1] = math.inf
    assert math.isnan(measure.value(Sample(rows, views)))
