"""Twins, told: who relies more on the planted cue. Either answer is a result."""

from statistics import mean

from selfsight.diagnosis.finding import Column, Finding, Row, Table
from selfsight.diagnosis.shortcuts.twin import Twins
from selfsight.diagnosis.shortcuts.wording import percent, points
from selfsight.evaluation.interval import Interval

NAME, TITLE = "twins", "Supervised against self-supervised"


def twin_finding(twins: Twins) -> Finding:
    """Return what was measured as a finding.

    The learners' names are words after "trained": "with labels", "without labels".
    """
    first, second = twins.twins[:2]
    difference = twins.difference
    certain = difference.low > 0 or difference.high < 0
    more, less = (first, second) if difference.value > 0 else (second, first)
    follow = {twin.name: mean(one.follow.value for one in twin.reliances) for twin in twins.twins}
    numbers = (
        f"its answers follow the {twins.cue.name} in {percent(follow[more.name])} of the "
        f"conflicts, those of the one trained {less.name} in {percent(follow[less.name])} "
        f"(less chance, {first.name} minus {second.name}: {points(difference.value)} points, "
        f"95 % interval "
        f"{points(difference.low)} to {points(difference.high)})"
    )
    scope = (
        f"Over {twins.seeds} seeds, each with its own cue and trainings"
        if twins.seeds > 1
        else "For one training each; another may differ"
    )
    relied = "relies more on" if twins.seeds > 1 else "followed, of these two, more often"
    sentence = (
        f"The network trained {more.name} {relied} the cue: {numbers}. {scope}."
        if certain
        else f"Neither network surely relies more on the cue than the other. Of the one trained "
        f"{more.name}: {numbers}. {scope}."
    )
    return Finding(
        name=NAME,
        title=TITLE,
        word=(f"{more.name} more" + ("" if twins.seeds > 1 else ", here"))
        if certain
        else "no difference",
        tone="neutral",
        sentence=sentence,
        tables=(_table(twins),),
        protocol={
            "cue": twins.cue.name,
            "strength": twins.cue.strength,
            "agreement of cue and label in training": twins.agreement,
            "seeds": twins.seeds,
            "training images": twins.train_images,
            "test images": twins.test_images,
            "probe": "linear, on frozen features of the planted training images",
            "interval of the difference": "Student's over seeds"
            if twins.seeds > 1
            else "bootstrap over conflict images",
        },
    )


def _table(twins: Twins) -> Table:
    rows = []
    for twin in twins.twins:
        chance = mean(one.chance for one in twin.reliances)
        rows.append(
            Row(
                twin.name,
                (
                    _over_seeds([one.follow.value for one in twin.reliances])
                    if len(twin.reliances) > 1
                    else twin.reliances[0].follow,
                    mean(one.agreeing for one in twin.reliances),
                    mean(one.conflicting for one in twin.reliances),
                    mean(twin.clean),
                    max(one.p for one in twin.reliances),
                ),
                levels=(("chance", chance),),
            )
        )
    spread = (
        "least and greatest of the seeds in brackets"
        if twins.seeds > 1
        else "95 % bootstrap interval over images"
    )
    return Table(
        "twins",
        "How often an answer follows the cue against the label",
        (
            Column("follows", "share", drawn=True),
            Column("cue agrees", "share", about="accuracy where cue and label agree"),
            Column("cue conflicts", "share", about="accuracy where they conflict"),
            Column("no cue", "share", about="accuracy without the cue"),
            Column("p", "p", about="of following; the largest of the seeds"),
        ),
        tuple(rows),
        f"Share of conflict images answered with the class that the cue stood for; {spread}.",
        "network",
    )


def _over_seeds(values: list[float]) -> Interval:
    return Interval(mean(values), min(values), max(values))
