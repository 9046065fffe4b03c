"""Which charts the records of a run give, and what each of them shows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from selfsight.reporting.axes import rolling_mean
from selfsight.reporting.charts import Level, Series, line_chart
from selfsight.reporting.reading import column, number
from selfsight.reporting.wording import percent, short

SMOOTHED_FROM = 60  # records: with fewer, the line itself is readable
MOST_LOGS = 8


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title and one sentence on how to read it."""

    title: str
    chart: Markup
    caption: str


def curves(steps: list[dict[str, Any]], looks: list[dict[str, Any]]) -> list[Figure]:
    """Return the charts of what every run records."""
    at, looked = column(steps, "progress"), column(looks, "progress")
    ideal = _last(column(looks, "spread_ideal"))
    speed = column(steps, "images_per_second")
    return [
        _loss(steps, looks),
        Figure(
            "Spread of the watched vectors",
            line_chart(
                [Series("spread", looked, column(looks, "spread"), dots=True)],
                levels=[Level("ideal 1/√d", ideal)],
                about="Spread of the watched vectors against progress",
                zero=True,
            ),
            "At the dashed line the vectors point everywhere alike; at 0 they are one point.",
        ),
        Figure(
            "Effective rank",
            line_chart(
                [Series("rank", looked, column(looks, "effective_rank"), dots=True)],
                about="Effective rank of the watched vectors against progress",
                zero=True,
            ),
            "Number of directions that the watched vectors fill. 1 means a line.",
        ),
        *_live_knn(looked, column(looks, "knn")),
        Figure(
            "Learning rate",
            line_chart(
                [Series("rate", at, column(steps, "lr"))],
                about="Learning rate against progress",
                zero=True,
            ),
            "",
        ),
        Figure(
            "Speed",
            line_chart(
                _smoothed("images/s", at, speed),
                about="Images a second against progress",
                zero=True,
            ),
            _middle_speed(speed),
        ),
    ]


def logged(steps: list[dict[str, Any]]) -> list[Figure]:
    """Return a chart for each of the first 8 numbers that the method itself recorded."""
    logs = [log if isinstance(log := record.get("logs"), dict) else {} for record in steps]
    names = list(dict.fromkeys(name for log in logs for name in log))
    at = column(steps, "progress")
    return [
        Figure(
            name, line_chart(_smoothed("", at, column(logs, name)), about=f"{name} by progress"), ""
        )
        for name in names[:MOST_LOGS]
    ]


def _live_knn(at: Float[np.ndarray, "looks"], accuracy: Float[np.ndarray, "looks"]) -> list[Figure]:
    """Return the chart of the neighbours that were asked in training, if they were."""
    asked = np.isfinite(accuracy)  # not at every look: that takes longest
    if not asked.any():
        return []
    return [
        Figure(
            "Nearest neighbours on held-out images",
            line_chart(
                [Series("kNN", at[asked], accuracy[asked], dots=True)],
                about="kNN accuracy on held-out images against progress",
                shares=True,
            ),
            "kNN accuracy on a fixed sample of held-out images, to see the trend. It chose "
            "nothing: no step was stopped or kept for it.",
        )
    ]


def _loss(steps: list[dict[str, Any]], looks: list[dict[str, Any]]) -> Figure:
    loss = column(steps, "loss")
    nothing = _last(column(looks, "knows_nothing"))
    chart = line_chart(
        _smoothed("loss", column(steps, "progress"), loss),
        levels=[Level("knows nothing", nothing)],
        about=f"Loss against progress; a network that knows nothing has {short(nothing)}",
    )
    lost = np.flatnonzero(~np.isfinite(loss))
    if len(lost):
        step = number(steps[int(lost[0])].get("step"))
        return Figure("Loss", chart, f"The loss stopped being a number at step {step:,.0f}.")
    caption = "The dashed line is the loss of a network that knows nothing." if looks else ""
    share = number(looks[-1].get("loss_share")) if looks else math.nan
    if math.isfinite(share):
        caption += (
            f" The run went {percent(share, digits=0)} of the way from there to a perfect loss."
        )
    return Figure("Loss", chart, caption)


def _smoothed(
    name: str, x: Float[np.ndarray, "points"], y: Float[np.ndarray, "points"]
) -> list[Series]:
    """Return the line, or, if it is long, its rolling mean over the line drawn faintly."""
    if len(y) < SMOOTHED_FROM:
        return [Series(name, x, y)]
    return [
        Series("", x, y, tone="faint"),
        Series(name, x, rolling_mean(y, window=max(5, len(y) // 30))),
    ]


def _middle_speed(speed: Float[np.ndarray, "steps"]) -> str:
    known = speed[np.isfinite(speed)]
    return f"Half of the time above {np.median(known):,.0f} images a second." if len(known) else ""


def _last(values: Float[np.ndarray, "values"]) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else math.nan
