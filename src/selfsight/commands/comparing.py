"""`selfsight.compare`: several methods on one equal budget, ranked, with spread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.commands.experimenting import carried_out, pairs, shared_settings
from selfsight.commands.training import NO_SETTINGS
from selfsight.places import place
from selfsight.settings import Settings

if TYPE_CHECKING:
    from selfsight.experiments.results import Results


def compare(
    images: str | Path,
    *,
    methods: Sequence[str],
    out: str | Path,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    images_each: int | None = None,
    seeds: int = 3,
    method_settings: Mapping[str, object] = NO_SETTINGS,
    resume: bool = False,
    quiet: bool = False,
) -> "Results":
    """Train every method with every seed on one equal budget, measure all alike, and rank them.

    settings: what all runs share (`Settings`), with one budget: `minutes` (equal time), `epochs` or
    `steps`; or give `images_each`, the number of training images shown to each. method_settings: by
    NAME for every method that has it, by METHOD.NAME for one (there NAME may be one of `Settings`,
    too). out: a new folder, with results.json, report.html and every run in runs/METHOD-SEED. With
    `resume` a stopped comparison goes on where it was; methods and seeds may be added.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.experiments.plan import (
        Plan,
        arm_of,
        budget_of,
        check_given,
        check_seeds,
        within,
    )

    check_seeds(seeds)
    given = pairs(method_settings)
    check_given(given, names=methods)
    budget = budget_of(settings, images=images_each, vary="")
    shared = shared_settings(settings, out=Path(out))
    arms = [within(arm_of(method, shared, given=given), budget) for method in methods]
    plan = Plan("comparison", place(images), seeds, "", budget, tuple(arms))
    return carried_out(plan, out=Path(out), resume=resume, quiet=quiet)
