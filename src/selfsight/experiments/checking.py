"""What would spoil an experiment, found before its first run: minutes, not a night, are lost."""

from dataclasses import fields, replace
from typing import Literal

import numpy as np

from selfsight import methods
from selfsight.assemble import build_method, demand_steps
from selfsight.errors import UserError
from selfsight.experiments.plan import Arm, Plan
from selfsight.material import Material
from selfsight.settings import Settings

GREY = (0.5, 0.5, 0.5)  # stands in for the pixel statistics until the images are read


def check_arms(plan: Plan) -> None:
    """Raise UserError for an arm that cannot be built, or two that have one name."""
    if len(plan.arms) < 2:
        what = "--methods" if plan.kind == "comparison" else "--vary NAME="
        raise UserError(f"a {plan.kind} needs at least two arms; give {what} several, with commas")
    names = [arm.name for arm in plan.arms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is given twice")
    for arm in plan.arms:
        try:
            demand_steps(arm.settings, arm.own)
            build_method(
                methods.find(arm.method), dict(arm.own), settings=arm.settings, mean=GREY, std=GREY
            )
        except UserError as error:
            raise UserError(f"{arm.name}: {error}") from error


def check_material(material: Material, plan: Plan) -> None:
    """Raise UserError if the arms cannot be measured on these images, or not trained on them."""
    for part, images in (("training", material.labelled), ("held-out", material.held_out)):
        known = images.labels.index[images.labels.index >= 0]
        if len(np.unique(known)) < 2:
            raise UserError(
                f"the {part} images of {plan.images} have no labels of two or more classes; a "
                f"{plan.kind} is measured with labels: class folders, or --labels FILE.csv"
            )
    for arm in plan.arms:
        count, batch = round(arm.settings.data * len(material.labelled)), arm.settings.batch
        if count < batch:
            fitting = 2 ** (max(count, 2).bit_length() - 1)
            raise UserError(
                f"{arm.name} has {count} images to train on, fewer than its batch of {batch}; "
                f"give --batch {fitting} or less"
            )


def fingerprint(material: Material) -> str:
    """Return a short text that tells the images and labels of an experiment from others."""
    return f"{material.labelled.fingerprint()}-{material.held_out.fingerprint()}"


def check_same_images(saved: Plan, asked: Plan) -> None:
    """Raise UserError if the images or labels are not those that the experiment was begun with."""
    if saved.fingerprint != asked.fingerprint:
        raise UserError(
            f"the images or labels of {asked.images} (or those held out) have changed since the "
            "experiment was begun, so its runs would not compare; begin another with another --out"
        )


def continued(saved: Plan, asked: Plan) -> Plan:
    """Return the plan with which a begun experiment goes on: `asked`, which may have grown.

    More seeds and more arms may be asked for; what was begun must be among them, unchanged. Raises
    UserError with the first thing that differs.
    """
    for name in ("kind", "images", "vary", "budget"):
        _same(name, getattr(saved, name), getattr(asked, name))
    if asked.seeds < saved.seeds:
        _same("seeds", saved.seeds, asked.seeds)
    known = {arm.name: arm for arm in asked.arms}
    for arm in saved.arms:
        if arm.name not in known:
            raise UserError(f"the experiment was begun with {arm.name}, which is missing now")
        _same_arm(arm, _with_threads(known[arm.name], arm.settings.threads))
    threads = saved.arms[0].settings.threads
    return replace(asked, arms=tuple(_with_threads(arm, threads) for arm in asked.arms))


def _with_threads(arm: Arm, threads: int | Literal["auto"]) -> Arm:
    """Return the arm with as many threads as the experiment began with, if it leaves that open."""
    if arm.settings.threads != "auto":
        return arm
    return replace(arm, settings=replace(arm.settings, threads=threads))


def _same_arm(saved: Arm, asked: Arm) -> None:
    for field in fields(Settings):
        name = field.name
        _same(
            f"{name} of {saved.name}", getattr(saved.settings, name), getattr(asked.settings, name)
        )
    if dict(saved.own) != dict(asked.own):
        _same(f"the settings of {saved.name}", dict(saved.own), dict(asked.own))


def _same(name: str, saved: object, asked: object) -> None:
    if saved != asked:
        raise UserError(
            f"the experiment was begun with {name} {saved}, not {asked}; resume it as it was, or "
            "begin another with another --out"
        )
