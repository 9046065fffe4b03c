"""The report: reads a run directory, writes RUN/report.html, one file that needs no network.

The text, the order and the markup are in templates/report.html.jinja, the looks in report.css, what
moves in report.js. This module gathers what they show.
"""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from selfsight.errors import UserError
from selfsight.reporting import accuracies, galleries, headline
from selfsight.reporting.curves import curves, logged
from selfsight.reporting.mapping import alike, directions, map_2d
from selfsight.reporting.reading import HeldOut, RunFiles, number, read_run
from selfsight.reporting.templating import environment, verbatim
from selfsight.reporting.wording import printable

MOST_SKIPPED = 200
MAP_UNITS = 10_000  # places on the map are whole numbers from 0 to this


def write_report(run: Path) -> Path:
    """Write RUN/report.html from the files in the run directory and return its path.

    Whatever is missing is said in the report. The file is replaced in one move. Raises UserError if
    `run` is no directory or cannot be written to.
    """
    if not run.is_dir():
        raise UserError(f"{run} is not a run directory")
    page = render(read_run(run))
    target, partial = run / "report.html", run / "report.html.part"
    try:
        try:
            partial.write_text(page, encoding="utf-8")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from error
    return target


def render(files: RunFiles) -> str:
    """Return the page as text that is encodable as UTF-8."""
    evidence, held_out = files.evidence, files.held_out
    majority = accuracies.majority_share(evidence, held_out)
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            style=verbatim("report.css"),
            script=verbatim("report.js"),
            head=headline.headline(files),
            verdict=headline.verdict(files),
            missing=headline.missing(files),
            without_steps=headline.without_steps(files),
            panels=accuracies.panels(evidence, majority=majority),
            remarks=accuracies.remarks(evidence),
            majority=majority if math.isfinite(majority) else None,
            measured_on=headline.measured_on(evidence),
            protocol=headline.table(evidence.get("protocol")),
            machine=headline.table(evidence.get("machine")),
            curves=curves(files.steps, files.looks) if files.steps or files.looks else [],
            logs=logged(files.steps),
            views=[] if files.views is None else galleries.views_sheet(files.views),
            held_out=None if held_out is None else _held_out(held_out, seed=_seed(files)),
            settings=headline.table(files.settings),
            skipped=_skipped(files.skipped),
            files=files,
            loading=headline.loading(files),
        )
    )


def in_script(value: object) -> Markup:
    """Return JSON that may stand in a script element: no markup and no stray surrogates in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 - it holds no character that markup is made of


def _held_out(held_out: HeldOut, *, seed: int) -> dict[str, Any]:
    """Return the neighbours and the map, or the reason why there are none."""
    features = held_out.features
    found: dict[str, Any] = {"images": len(features), "why_not": _why_not(features)}
    if found["why_not"]:
        return found
    cosines = galleries.cosine_matrix(features)
    near = galleries.nearest(cosines)
    agreements = galleries.agreement(held_out.labels, near)
    known = np.isfinite(agreements)
    classes, left_out = accuracies.class_rows(held_out, agreements)
    return found | {
        "rows": galleries.neighbour_rows(held_out, near, cosines),
        "neighbours": near.shape[1],
        "agreement": float(agreements[known].mean()) if known.any() else None,
        "classes": classes,
        "classes_left_out": left_out,
        "map": _map(held_out, near, seed=seed),
    }


def _why_not(features: Float[np.ndarray, "images dim"]) -> str:
    """Return why these features have neither neighbours nor a map, or ""."""
    if len(features) < 2:
        return "one image alone has no neighbours"
    if not np.isfinite(features).all():
        return "some features are not finite numbers"
    if alike(directions(features)):
        return "the features of all images are nearly the same"
    return ""


def _map(held_out: HeldOut, near: Int[np.ndarray, "images neighbours"], *, seed: int) -> Any:
    """Return the map's method, its thumbnails and its data for the page's script."""
    places, method = map_2d(held_out.features, seed=seed)
    sheet = galleries.thumbnail_sheet(held_out.thumbs)
    shown = sorted({int(label) for label in held_out.labels}, key=lambda label: (label < 0, label))
    names = [
        held_out.name_of(int(np.flatnonzero(held_out.labels == label)[0])) or "no label"
        for label in shown
    ]
    data = {
        "places": _whole(places),
        "group": [shown.index(int(label)) for label in held_out.labels],
        "names": [printable(name) for name in names],
        "unlabelled": shown.index(-1) if -1 in shown else -1,
        "paths": [printable(path) for path in held_out.paths],
        "near": near.tolist(),
        "tile": sheet.tile,
        "across": sheet.across,
    }
    return {"method": method, "sheet": sheet.uri, "data": in_script(data), "groups": names}


def _whole(places: Float[np.ndarray, "images 2"]) -> list[list[int]]:
    """Return the places as whole numbers, both axes on one scale, y pointing down."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = MAP_UNITS / max(float((high - low).max()), 1e-12)
    whole = np.rint((places - low) * scale).astype(int)
    whole[:, 1] = np.rint((high[1] - low[1]) * scale).astype(int) - whole[:, 1]
    return [[int(x), int(y)] for x, y in whole]


def _skipped(skipped: list[tuple[str, str]]) -> dict[str, Any]:
    reasons = Counter(reason for _, reason in skipped)
    order = {reason: place for place, (reason, _) in enumerate(reasons.most_common())}
    listed = sorted(skipped[:MOST_SKIPPED], key=lambda pair: (order[pair[1]], pair[0]))
    return {"reasons": reasons.most_common(), "files": listed, "count": len(skipped)}


def _seed(files: RunFiles) -> int:
    seed = number(files.settings.get("seed"))
    return int(seed) if math.isfinite(seed) and 0 <= seed < 2**31 else 0
