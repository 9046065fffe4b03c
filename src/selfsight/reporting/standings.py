"""How the arms of an experiment stand: accuracies over seeds, as numbers and as dots."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from selfsight.reporting.axes import nice_ticks, tick_labels, value_range
from selfsight.reporting.frame import TONES, Tone
from selfsight.reporting.reading import number
from selfsight.reporting.wording import percent


@dataclass(frozen=True, slots=True)
class Standing:
    """An arm's row in the table of accuracies."""

    name: str
    words: str  # verdicts of its runs, if they are not all alike good
    linear: str
    knn: str
    behind: str  # the best, or ""
    call: str
    dots: Markup
    tone: str


def tones(content: Mapping[str, Any]) -> dict[str, Tone]:
    """Return a colour for each arm in its place: the first eight, the others stay grey.

    A study has one colour a method.
    """
    names = [arm["name"] for arm in content["arms"]]
    if content["kind"] == "study":
        methods = list(dict.fromkeys(arm["method"] for arm in content["arms"]))
        order = {arm["name"]: methods.index(arm["method"]) for arm in content["arms"]}
    else:
        order = {name: place for place, name in enumerate(names)}
    return {name: TONES[order[name]] if order[name] < len(TONES) else "rest" for name in names}


def standing(
    arm: Mapping[str, Any], content: Mapping[str, Any], colours: Mapping[str, str]
) -> Standing:
    """Return the row of an arm."""
    best = content["arms"][0]["name"]
    found = [
        one
        for one in content["contrasts"]
        if one["kind"] == "pair" and one["first"] == best and one["second"] == arm["name"]
    ]
    words = arm["words"]
    said = ", ".join(f"{count} {word}" for word, count in words.items())
    return Standing(
        name=arm["name"],
        words="" if list(words) == ["learned"] else said if len(words) > 1 else next(iter(words)),
        linear=spread(arm["linear"]),
        knn=spread(arm["knn"]),
        behind=points(found[0], turned=True) if found else "",
        call=_called(found[0]) if found else "",
        dots=_dots(arm, content, colours[arm["name"]]),
        tone=colours[arm["name"]],
    )


def _called(found: Mapping[str, Any]) -> str:
    seeds = found["paired"]["seeds"]
    if not found["call"]:
        return f"{seeds} seed: not called"
    if found["call"] != "difference":
        return str(found["call"])
    return "behind" if found["paired"]["mean"] > 0 else "ahead, in the seeds of both"


def spread(found: Mapping[str, Any] | None) -> str:
    """Return mean and deviation over seeds in per cent, or a dash."""
    if found is None:
        return "–"
    deviation = number(found["deviation"])
    return f"{100 * found['mean']:.1f}" + (
        f" ± {100 * deviation:.1f}" if math.isfinite(deviation) else ""
    )


def points(found: Mapping[str, Any], *, turned: bool = False) -> str:
    """Return a contrast in points with its interval, or that of the second less the first."""
    sign = -1 if turned else 1
    mean, low, high = (
        round(100 * sign * number(found["paired"][end]), 1) + 0.0  # + 0.0: no "-0.0"
        for end in ("mean", "low", "high")
    )
    interval = f" ({min(low, high):+.1f} to {max(low, high):+.1f})" if math.isfinite(low) else ""
    return f"{mean:+.1f}{interval}".replace("-", "−")


def references(content: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Return name, mean as text, and mean of what every encoder stands beside."""
    beside = untrained_means(content)
    several = len(beside) > 1
    found = {f"untrained {name if several else 'encoder'}": mean for name, mean in beside.items()}
    pixels = [arm["pixels"]["mean"] for arm in content["arms"] if arm["pixels"] is not None]
    if pixels:
        found["raw pixels"] = float(np.mean(pixels))
    return [(name, f"{100 * mean:.1f}", mean) for name, mean in found.items()]


def untrained_means(content: Mapping[str, Any]) -> dict[str, float]:
    """Return the mean accuracy of each backbone without training, by its name."""
    found: dict[str, list[float]] = {}
    for arm in content["arms"]:
        if arm["untrained"] is not None:
            backbone = content["encoders"][arm["name"]]
            found.setdefault(backbone, []).append(arm["untrained"]["mean"])
    return {backbone: float(np.mean(means)) for backbone, means in found.items()}


def axis(content: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Return the ticks of the axis that all dots share: place in per cent, and text."""
    low, high = _ends(content)
    ticks = nice_ticks(low, high, about=4)
    texts = tick_labels([100 * tick for tick in ticks])
    return [
        (100 * (tick - low) / (high - low), f"{text} %")
        for tick, text in zip(ticks, texts, strict=True)
    ]


def _ends(content: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of the axis: it holds every run and the untrained encoder, and not 0."""
    shown = [number(cell.get("encoder_linear")) for cell in content["cells"]]
    shown += untrained_means(content).values()
    return value_range(np.array(shown), zero=False) or (0.0, 1.0)


def _dots(arm: Mapping[str, Any], content: Mapping[str, Any], tone: str) -> Markup:
    """Return every seed's accuracy as a dot on an axis, the mean as a line, references as marks."""
    low, high = _ends(content)
    accuracies = [
        cell["encoder_linear"]
        for cell in content["cells"]
        if cell["arm"] == arm["name"] and "encoder_linear" in cell
    ]

    def place(share: float) -> str:
        return f"{100 * (share - low) / (high - low):.2f}"

    marks = []
    if arm["untrained"] is not None:
        chance = place(arm["untrained"]["mean"])
        marks.append(
            Markup('<line class="chance" x1="{0}%" x2="{0}%" y1="2" y2="22"/>').format(chance)
        )
    if accuracies:
        mean = place(float(np.mean(accuracies)))
        marks.append(Markup('<line class="mean" x1="{0}%" x2="{0}%" y1="4" y2="20"/>').format(mean))
    dots = [Markup('<circle cx="{}%" cy="12" r="3.6"/>').format(place(one)) for one in accuracies]
    return Markup(
        '<svg class="bar seeds {}" height="24" role="img" aria-label="{}">'
        '<line class="base" x1="0" x2="100%" y1="12" y2="12"/>{}</svg>'
    ).format(tone, ", ".join(map(percent, accuracies)), Markup("").join([*marks, *dots]))
