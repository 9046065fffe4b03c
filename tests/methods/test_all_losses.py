"""All losses at once: their names, their precision, and their values at chance.

Every method's own test holds its loss against the reference values in float64.
"""

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module
from math import exp, isfinite, log

import numpy as np
import pytest
import torch
from given import QUEUE, Z1, Z2, A, B, closed_form
from torch import Tensor
from torch.nn import functional as F

from selfsight.diagnosis.spread import rankme
from selfsight.methods.barlow_twins import barlow_twins_loss
from selfsight.methods.byol import cosine_distance
from selfsight.methods.dino import dino_loss
from selfsight.methods.emp_ssl import coding_rate, emp_ssl_loss
from selfsight.methods.jigsaw import jigsaw_loss
from selfsight.methods.mae import masked_patch_loss
from selfsight.methods.moco import info_nce
from selfsight.methods.moco_v3 import contrastive_loss
from selfsight.methods.nnclr import nearest_neighbour_loss
from selfsight.methods.relative_patch import location_loss
from selfsight.methods.rotation import rotation_loss
from selfsight.methods.simclr import nt_xent
from selfsight.methods.simsiam import negative_cosine
from selfsight.methods.swav import sinkhorn, swapped_prediction
from selfsight.methods.vicreg import vicreg_loss, vicreg_terms
from selfsight.nets.prototypes import cosines

SIGNATURES = {
    "simclr.nt_xent": "za, zb, *, temperature",
    "moco.info_nce": "q, k, queue, *, temperature",
    "moco_v3.contrastive_loss": "q, k, *, temperature",
    "nnclr.nearest_neighbour_loss": "z, p, queue, *, temperature",
    "byol.cosine_distance": "p, z",
    "simsiam.negative_cosine": "p, z",
    "barlow_twins.barlow_twins_loss": "za, zb, *, off_diagonal=0.0051",
    "vicreg.vicreg_loss": "za, zb, *, invariance=25.0, variance=25.0, covariance=1.0",
    "swav.sinkhorn": "scores, *, epsilon, iterations",
    "swav.swapped_prediction": "scores, codes, *, temperature",
    "dino.dino_loss": "student, teacher, centre, *, student_temperature, teacher_temperature",
    "mae.masked_patch_loss": "predicted, images, mask, *, patch_size, normalise",
    "emp_ssl.coding_rate": "z, *, epsilon",
    "emp_ssl.emp_ssl_loss": "views, *, epsilon=0.2, invariance=200.0",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_loss_can_be_held_against_any_other_by_its_name_and_arguments(name: str) -> None:
    module, function = name.split(".")
    found = getattr(import_module(f"selfsight.methods.{module}"), function)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(found).parameters.values()
    ]
    assert str(inspect.Signature(parameters)) == f"({SIGNATURES[name]})"


def swav_loss(z1: Tensor, z2: Tensor, prototypes: Tensor) -> Tensor:
    scores = [cosines(z, prototypes) for z in (z1, z2)]
    codes = [sinkhorn(view, epsilon=0.05, iterations=3) for view in scores]
    return swapped_prediction(scores, codes, temperature=0.1)


def dino(*views: Tensor) -> Tensor:
    student, teacher = list(views[:3]), list(views[3:])
    centre = torch.zeros(views[0].shape[1], dtype=torch.float32)
    return dino_loss(student, teacher, centre, student_temperature=0.1, teacher_temperature=0.04)


def drawn(predicted: Tensor, images: Tensor) -> Tensor:
    mask = torch.tensor([[True, False, True, True]])
    return masked_patch_loss(predicted, images, mask, patch_size=2, normalise=True)


LOSSES: dict[str, tuple[Callable[..., Tensor], list[Tensor]]] = {
    "nt_xent": (partial(nt_xent, temperature=0.07), [Z1, Z2]),
    "info_nce": (partial(info_nce, temperature=0.07), [Z1, Z2, QUEUE]),
    "contrastive_loss": (partial(contrastive_loss, temperature=0.07), [Z1, Z2]),
    "nearest_neighbour_loss": (
        partial(nearest_neighbour_loss, temperature=0.07),
        [Z1, Z2, QUEUE],
    ),
    "cosine_distance": (cosine_distance, [Z1, Z2]),
    "negative_cosine": (negative_cosine, [Z1, Z2]),
    "barlow_twins_loss": (barlow_twins_loss, [A, B]),
    "vicreg_loss": (vicreg_loss, [A, B]),
    "swapped_prediction": (swav_loss, [Z1, Z2, closed_form(3, 3, 6)]),
    "dino_loss": (
        dino,
        [0.3 * closed_form(4, 4, seed) for seed in (10, 11, 12, 20, 21)],
    ),
    "masked_patch_loss": (
        drawn,
        [0.1 * closed_form(4, 12, 7)[None], closed_form(1, 48, 30).view(1, 3, 4, 4)],
    ),
    "coding_rate": (partial(coding_rate, epsilon=0.2), [Z1]),
    "emp_ssl_loss": (lambda *views: emp_ssl_loss(list(views)), [Z1, Z2]),
}
LOGDET = {"coding_rate", "emp_ssl_loss"}


def test_a_loss_takes_its_arguments_by_name_too() -> None:
    za, zb = Z1.bfloat16(), Z2.bfloat16()
    queue = QUEUE.bfloat16()
    named = [
        nt_xent(za=za, zb=zb, temperature=0.5),
        info_nce(za, zb, queue=queue, temperature=0.5),
        emp_ssl_loss(views=[za, zb]),
    ]
    placed = [
        nt_xent(za, zb, temperature=0.5),
        info_nce(za, zb, queue, temperature=0.5),
        emp_ssl_loss([za, zb]),
    ]
    assert named == placed
    assert all(loss.dtype == torch.float32 for loss in named)


@pytest.mark.parametrize("name", LOSSES)
def test_single_precision_agrees_with_double_to_2e_5(name: str) -> None:
    loss, inputs = LOSSES[name]
    exact = loss(*inputs).item()
    single = loss(*(rows.float() for rows in inputs))
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(exact, rel=1e-3 if name in LOGDET else 2e-5, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_costs_no_more_than_the_rounding_of_the_inputs(
    name: str, dtype: torch.dtype
) -> None:
    loss, inputs = LOSSES[name]
    rounded = [rows.to(dtype) for rows in inputs]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = loss(*rounded)
    assert half.dtype == torch.float32 and isfinite(half.item())
    assert half.item() == pytest.approx(loss(*(rows.float() for rows in rounded)).item(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "masked_patch_loss"])  # of one
def test_the_order_of_the_images_changes_no_loss(name: str) -> None:
    loss, inputs = LOSSES[name]
    order = torch.tensor([2, 0, 3, 1, 7, 5, 4, 6])[: len(inputs[0])]
    mixed = [rows[order] if len(rows) == len(inputs[0]) else rows for rows in inputs]
    torch.testing.assert_close(loss(*mixed), loss(*inputs))


@pytest.mark.parametrize(
    ("loss", "classes"), [(rotation_loss, 4), (location_loss, 8), (jigsaw_loss, 32)]
)
def test_a_pretext_task_costs_what_loops_over_its_classes_give(loss, classes: int) -> None:
    logits, answers = 3 * closed_form(6, classes, 11), torch.arange(6) % classes
    total = 0.0
    for row, answer in zip(logits.tolist(), answers.tolist(), strict=True):
        total -= log(exp(row[answer]) / sum(exp(score) for score in row)) / 6
    assert loss(logits, answers).item() == pytest.approx(total, abs=1e-9)


def test_other_scales_in_circulation_are_not_ours() -> None:
    assert 2 * nt_xent(Z1, Z2, temperature=0.5).item() == pytest.approx(1.20653398, abs=1e-6)
    s, v, c = (term.item() for term in vicreg_terms(A, B))
    assert 25 * s + 50 * v + c == pytest.approx(14.51160993, abs=1e-6)  # variances summed
    assert 4 * 25 * s + 50 * v + c == pytest.approx(21.54987911, abs=1e-6)  # as printed
    rate = (coding_rate(Z1, epsilon=0.2) + coding_rate(Z2, epsilon=0.2)) / 2
    wrong_sign = emp_ssl_loss([Z1, Z2]) + 2 * rate
    assert wrong_sign.item() == pytest.approx(-192.41206688, abs=1e-6)


@pytest.fixture(scope="module")
def strangers() -> dict[str, Tensor]:
    """Return 256 independent pairs in 128 dimensions, a queue and prototypes, from numpy's draws.

    They are drawn in the order of the reference script.
    """
    generator = np.random.default_rng(0)

    def draw(rows: int) -> Tensor:
        return torch.from_numpy(generator.standard_normal((rows, 128)))

    return {"a": draw(256), "b": draw(256), "queue": draw(4096), "prototypes": draw(3000)}


@pytest.mark.parametrize(("temperature", "value"), [(0.1, 6.7367), (0.2, 6.3897), (0.5, 6.2743)])
def test_nt_xent_of_strangers(strangers, temperature: float, value: float) -> None:
    loss = nt_xent(strangers["a"], strangers["b"], temperature=temperature)
    assert loss.item() == pytest.approx(value, abs=6e-5)


@pytest.mark.parametrize(("temperature", "value"), [(0.07, 9.2741), (0.1, 8.8222), (0.2, 8.4731)])
def test_info_nce_of_strangers(strangers, temperature: float, value: float) -> None:
    a, b, queue = strangers["a"], strangers["b"], strangers["queue"]
    assert info_nce(a, b, queue, temperature=temperature).item() == pytest.approx(value, abs=6e-5)


def test_the_other_losses_of_strangers(strangers) -> None:
    a, b = strangers["a"], strangers["b"]
    assert negative_cosine(a, b).item() == pytest.approx(0.0114, abs=6e-5)
    assert cosine_distance(a, b).item() == pytest.approx(2 + 2 * 0.0114, abs=2e-4)
    assert barlow_twins_loss(a, b).item() == pytest.approx(131.488, abs=6e-4)
    assert vicreg_loss(a, b).item() == pytest.approx(51.936, abs=6e-4)
    scores = [cosines(view, strangers["prototypes"]) for view in (a, b)]
    code = sinkhorn(scores[0], epsilon=0.05, iterations=3)
    # one direction, as the reference: a code only of the first view
    loss = swapped_prediction(scores, [code], temperature=0.1)
    assert loss.item() == pytest.approx(8.4129, abs=6e-5)
    assert -torch.special.xlogy(code, code).sum(1).mean().item() == pytest.approx(6.596, abs=6e-4)
    assert coding_rate(a, epsilon=0.2).item() == pytest.approx(102.931, abs=6e-4)
    assert rankme(F.normalize(a, dim=1)) == pytest.approx(118.61, abs=6e-3)
    assert rankme(a) == pytest.approx(118.48, abs=6e-3)
