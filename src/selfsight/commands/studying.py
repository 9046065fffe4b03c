"""`selfsight.study`: how a method depends on one setting, with spread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.commands.experimenting import carried_out, pairs, shared_settings
from selfsight.commands.training import NO_SETTINGS
from selfsight.errors import UserError
from selfsight.places import place
from selfsight.settings import Settings

if TYPE_CHECKING:
    from selfsight.experiments.results import Results


def study(
    images: str | Path,
    *,
    methods: Sequence[str],
    vary: str,
    values: Sequence[object],
    out: str | Path,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    images_each: int | None = None,
    seeds: int = 3,
    method_settings: Mapping[str, object] = NO_SETTINGS,
    resume: bool = False,
    quiet: bool = False,
) -> "Results":
    """Train with every value of one setting and every seed, measure all alike, and show the trend.

    vary: a field of `Settings` (`batch`, `lr`, …; `data` is the share of the training images) or a
    setting of the methods' own; values: at least two, the first and the last of which are compared.
    The rest is as in `selfsight.compare`; the runs are in runs/METHOD-NAME-VALUE-SEED.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.experiments.plan import (
        Plan,
        arm_of,
        budget_of,
        check_given,
        check_seeds,
        varied,
        within,
    )

    check_seeds(seeds)
    if len({str(value) for value in values}) < 2:
        raise UserError(f"--vary {vary}: give two values or more, with commas; ends are compared")
    given = pairs(method_settings)
    check_given(given, names=methods, vary=vary)
    budget = budget_of(settings, images=images_each, vary=vary)
    shared = shared_settings(settings, out=Path(out))
    arms = [
        within(varied(arm_of(method, shared, given=given), name=vary, value=str(value)), budget)
        for method in methods
        for value in values
    ]
    plan = Plan("study", place(images), seeds, vary, budget, tuple(arms))
    return carried_out(plan, out=Path(out), resume=resume, quiet=quiet)
