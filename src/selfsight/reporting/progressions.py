"""The charts of an experiment: the trend of a study, and accuracy against time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from selfsight.reporting.axes import amounts, steps_along
from selfsight.reporting.charts import Level, Series, line_chart
from selfsight.reporting.frame import TONES, Tone
from selfsight.reporting.reading import number
from selfsight.reporting.standings import references


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
        levels=[Level(name.split()[-1], mean) for name, _, mean in references(content)],
        about=f"Linear probe accuracy against {name}",
        shares=True,
        along=steps_along(values, name=name),
        wide=True,
    )


def against_time(content: Mapping[str, Any], colours: Mapping[str, Tone]) -> Markup:
    """Return the live kNN accuracy of every run against the minutes that it has trained."""
    lines, named = [], set[str]()
    for cell in content["cells"]:
        looks = np.array(cell["looks"], dtype=np.float64).reshape(-1, 2)
        if not len(looks):
            continue
        first = cell["arm"] not in named and colours[cell["arm"]] != "rest"
        named.add(cell["arm"])
        lines.append(
            Series(
                cell["arm"] if first else "",
                looks[:, 0] / 60,
                looks[:, 1],
                colours[cell["arm"]],
                dots=True,
            )
        )
    largest = max((float(line.x.max()) for line in lines), default=1.0)
    return line_chart(
        lines,
        about="Live kNN accuracy against minutes of training",
        shares=True,
        along=amounts(max(largest, 1e-3), unit="min"),
        wide=True,
    )
