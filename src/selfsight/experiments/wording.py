"""An experiment in words: the sentence that it ends in, and its table as lines of text."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from selfsight.evaluation.seeds import Noise, Spread, smallest_found
from selfsight.experiments.contrasts import Contrast
from selfsight.experiments.plan import Plan

if TYPE_CHECKING:
    from selfsight.experiments.results import ArmRow, Results

BUDGETS = {
    "minutes": "{:g} minutes of training each",
    "images": "{:,.0f} training images shown to each, with repetition",
    "steps": "{:,.0f} optimiser steps each",
    "epochs": "{:g} passes over the training images each",
    "": "the budget is what is varied",
}
TESTED = (
    "paired t test over seeds (noise of all runs together, or of the pair alone where that is "
    "larger; p values with Holm's correction for all comparisons) and by a 95 % interval over test "
    "images; both must leave the difference"
)


def budget_text(plan: Plan) -> str:
    """Return what all runs have as much of."""
    name, amount = plan.budget
    return BUDGETS[name].format(amount)


def sentence_of(
    plan: Plan, arms: Sequence["ArmRow"], contrasts: Sequence[Contrast], *, noise: Noise
) -> str:
    """Return what was found, in plain words; a null result is one."""
    measured = [arm for arm in arms if arm.linear is not None]
    if not measured:
        return "Nothing has been measured yet."
    study = plan.kind == "study"
    parts = _of_study(plan, contrasts) if study else _ranking(measured, contrasts)
    parts += _backbones(plan)
    if plan.seeds == 1:
        parts.append("One seed cannot say how much of this is luck: give --seeds 3.")
    return " ".join([*parts, *_needed(contrasts, noise)])


def word_of(arms: Sequence["ArmRow"], contrasts: Sequence[Contrast]) -> str:
    """Return the outcome in a few words: the arm that is ahead of all others, if one is.

    Of a study it is that of its ends, first and last value.
    """
    if not any(arm.linear for arm in arms):
        return "nothing measured"
    sure = decided(arms, contrasts)
    if any(found.kind == "change" for found in contrasts):
        return "it matters" if sure else "no difference found between the ends"
    return f"{arms[0].name} leads" if sure else "undecided"


def decided(arms: Sequence["ArmRow"], contrasts: Sequence[Contrast]) -> bool:
    """Return whether the ends of a study differ, or the first arm is ahead of all others."""
    changes = [found for found in contrasts if found.kind == "change"]
    if changes:
        return any(found.call == "difference" for found in changes)
    own = [found for found in contrasts if found.first == arms[0].name]
    return bool(own) and all(found.call == "difference" and found.paired.mean > 0 for found in own)


def table_lines(results: "Results") -> list[str]:
    """Return the rows as lines of text: accuracies in per cent, spread over seeds."""
    study = results.plan.kind == "study"
    widest = max(len(arm.name) for arm in results.arms)
    lines = [
        f"{'':<{widest}}  {'linear probe':<16}{'kNN':<16}{'images/s':>9}{'images':>12}  verdicts"
    ]
    for arm in results.arms:
        speed = f"{arm.images_per_second:,.0f}" if arm.seconds == arm.seconds else "–"
        shown = f"{arm.images:,.0f}" if arm.seconds == arm.seconds else "–"
        lines.append(
            f"{arm.name:<{widest}}  {spread_text(arm.linear):<16}{spread_text(arm.knn):<16}"
            f"{speed:>9}{shown:>12}  {words_text(arm.words)}"
        )
    if not study:
        lines += [f"{name:<{widest}}  {spread_text(found)}" for name, found in _beside(results)]
    return [*lines, budget_text(results.plan), results.sentence]


def _beside(results: "Results") -> list[tuple[str, Spread]]:
    """Return what every encoder stands beside: its untrained one, a row a backbone, and pixels."""
    backbones = {arm.name: arm.settings.encoder for arm in results.plan.arms}
    several = len(set(backbones.values())) > 1
    found: dict[str, Spread] = {}
    for arm in results.arms:
        name = f"untrained {backbones[arm.name]}" if several else "untrained"
        if arm.untrained:
            found.setdefault(name, arm.untrained)
    pixels = next((arm.pixels for arm in results.arms if arm.pixels), None)
    return [*found.items(), *([("pixels", pixels)] if pixels else [])]


def leak_lines(results: "Results") -> list[str]:
    """Return a line on the test images that were trained on, or none if there are none."""
    found = sum(len(leak.rows) for leak in results.leaks.values())
    images = sum(leak.images for leak in results.leaks.values())
    if not found:
        return []
    return [
        f"{found:,} of {images:,} measured images have a near copy among the training images; "
        "the page has the accuracies without them."
    ]


def spread_text(spread: Spread | None) -> str:
    """Return "52.3 ± 0.4 %", or "52.3 %" of one seed, or a dash."""
    if spread is None:
        return "–"
    deviation = "" if math.isnan(spread.deviation) else f" ± {100 * spread.deviation:.1f}"
    return f"{100 * spread.mean:.1f}{deviation} %"


def words_text(words: Mapping[str, int]) -> str:
    """Return "learned", or "2 learned, 1 collapsed"."""
    if len(words) == 1:
        return next(iter(words))
    return ", ".join(f"{number} {word}" for word, number in words.items())


def points(contrast: Contrast) -> str:
    """Return "+3.1 points (0.5 to 5.7)", or without the interval where one seed has none."""
    value, low, high = (
        100 * end for end in (contrast.paired.mean, contrast.paired.low, contrast.paired.high)
    )
    interval = "" if math.isnan(low) else f" ({low:+.1f} to {high:+.1f})"
    return f"{value:+.1f} points{interval}"


def _ranking(measured: Sequence["ArmRow"], contrasts: Sequence[Contrast]) -> list[str]:
    best = measured[0]
    said = [
        f"From {best.name} a linear probe reads {spread_text(best.linear)} of the held-out images "
        f"right{', the most' if len(measured) > 1 else ''}."
    ]
    own = [found for found in contrasts if found.first == best.name]
    called = [found for found in own if found.call == "difference"]
    ahead = [f"{one.second} ({points(one)})" for one in called if one.paired.mean > 0]
    behind = [f"{one.second} ({points(one)})" for one in called if one.paired.mean <= 0]
    level = [
        f"{found.second} ({points(found)})" for found in own if found.call == "no difference found"
    ]
    if ahead:
        said.append(f"More than luck explains it is ahead of {_listed(ahead)}.")
    if behind:  # in the seeds that both have: one of them has others, too
        said.append(f"In the seeds that both have, it is behind {_listed(behind)}.")
    if level:
        said.append(f"No difference was found to {_listed(level)}.")
    if best.linear and best.untrained and best.linear.mean <= best.untrained.mean:
        said.append(f"An untrained encoder is as good ({spread_text(best.untrained)}).")
    return said


def _of_study(plan: Plan, contrasts: Sequence[Contrast]) -> list[str]:
    endings = {"difference": ", more than luck explains", "": ""}
    each = [
        f"{points(found)} for {found.first}{endings.get(found.call, ', no difference found')}"
        for found in contrasts
        if found.kind == "change"
    ]
    if not each:
        return ["No seed has both ends of the trend yet."]
    first, last = plan.arms[0].value, plan.arms[-1].value
    said = [f"From {plan.vary} {first} to {last} the linear probe changes by {'; by '.join(each)}."]
    gains = [found for found in contrasts if found.kind == "gains"]
    more = [
        f"{found.first} by {points(found)} against {found.second}"
        for found in gains
        if found.call == "difference"
    ]
    if more:
        said.append(f"More than luck explains, the gains differ: {_listed(more)}.")
    level = [
        f"{found.first} and {found.second}"
        for found in gains
        if found.call == "no difference found"
    ]
    if level:
        said.append(f"No difference was found between the gains of {'; '.join(level)}.")
    return said


def _backbones(plan: Plan) -> list[str]:
    """Return what to say of arms that have not all one backbone."""
    backbones = {arm.name: arm.settings.encoder for arm in plan.arms}
    if plan.vary == "encoder" or len(set(backbones.values())) == 1:
        return []
    each = _listed([f"{name} has {encoder}" for name, encoder in backbones.items()])
    return [f"The backbones differ, so that not only methods are compared: {each}."]


def _needed(contrasts: Sequence[Contrast], noise: Noise) -> list[str]:
    """Return how large a difference would have had to be, if any was not found."""
    if all(found.call != "no difference found" for found in contrasts):
        return []
    seeds = max(found.paired.seeds for found in contrasts)
    needed = smallest_found(noise, seeds=seeds, comparisons=len(contrasts))
    images = max(found.over_images for found in contrasts)
    return [
        f"With {seeds} seeds and these test images a difference of about "
        f"{100 * max(needed, images):.1f} points between two arms would have been needed."
    ]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
