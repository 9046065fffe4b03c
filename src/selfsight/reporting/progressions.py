"""The charts of an experiment: the trend of a study, and accuracy against time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from selfsight.reporting.axes import amounts, steps_along
from selfsight.reporting.charts import Level, Series, line_chart
from selfsight.reporting.frame import TONES, Tone
from selfsight.reporting.reading import number
from selfsight.reporting.standings import untrained_means


def trend(content: Mapping[str, Any]) -> Markup:
    """Return accuracy against the varied setting: a line a method, with deviations over seeds."""
    arms = [arm for arm in content["arms"] if arm["linear"] is not None]
    values = list(dict.fromkeys(arm["value"] for arm in content["arms"]))
    lines = []
    for order, method in enumerate(dict.fromkeys(arm["method"] for arm in arms)):
        own = [arm for arm in arms if arm["method"] == method]
        spreads = [arm["linear"] for arm in own]
        lines.append(
            Series(
                method,
                np.array([values.index(arm["value"]) for arm in own], dtype=np.float64),
                np.array([spread["mean"] for spread in spreads], dtype=np.float64),
                TONES[order % len(TONES)],
                dots=True,
                reach=np.array([number(spread["deviation"]) for spread in spreads]),
            )
        )
    name = content["vary"].replace("_", " ")
    return line_chart(
        lines,
        levels=[Level("untrained", mean) for mean in untrained_means(content).values()],
        about=f"Linear probe accuracy against {name}",
        shares=True,
        along=steps_along(values, name=name),
        wide=True,
    )


def against_time(
    content: Mapping[str, Any], colours: Mapping[str, Tone]
) -> list[tuple[str, Markup]]:
    """Return charts of the live kNN accuracy of every run against the minutes that it has trained.

    One for a comparison, without a title; one a method for a study, with a line a value.
    """
    if content["kind"] == "comparison":
        names = {arm["name"]: arm["name"] for arm in content["arms"]}
        return [("", _live(content, names, colours))]
    charts = []
    for method in dict.fromkeys(arm["method"] for arm in content["arms"]):
        own = [arm for arm in content["arms"] if arm["method"] == method]
        names = {arm["name"]: arm["value"] for arm in own}
        shades = {arm["name"]: TONES[order % len(TONES)] for order, arm in enumerate(own)}
        charts.append((method, _live(content, names, shades)))
    return charts


def _live(
    content: Mapping[str, Any], names: Mapping[str, str], colours: Mapping[str, Tone]
) -> Markup:
    """Return the chart of the runs of some arms, by the names that stand at their ends."""
    lines, named = [], set[str]()
    for cell in content["cells"]:
        arm = cell["arm"]
        looks = np.array(cell["looks"], dtype=np.float64).reshape(-1, 2)
        if arm not in names or not len(looks):
            continue
        name = names[arm] if arm not in named and colours[arm] != "rest" else ""
        named.add(arm)
        lines.append(Series(name, looks[:, 0] / 60, looks[:, 1], colours[arm], dots=True))
    largest = max((float(line.x.max()) for line in lines), default=1.0)
    return line_chart(
        lines,
        about="Live kNN accuracy against minutes of training",
        shares=True,
        along=amounts(max(largest, 1e-3), unit="min"),
        wide=content["kind"] == "comparison",
    )
