"""Which measure of quality without labels can be believed? Their rank correlation with a probe.

    python bench/quality.py [cifar10] [--out quality] [--runs 25] [--scale 1.0] [--jobs 1]

Trains `convnet` at 32 px with four methods (SimCLR, BYOL, Barlow Twins, rotation) in six ways each:
short, three times and six and a half times as long, and for that longest time with a tenth of the
rate, with weaker views, and with one setting of the method spoilt. A batch is 128 images; the
methods are given steps (130 at most for SimCLR, 65 for BYOL and Barlow Twins, 33 for rotation) that
take about equally long. An untrained network is the 25th. For each checkpoint all measures of
`selfsight diagnose` are taken on 2,000 images of test/ and on 5 views of 1,000 of them, SimCLR's
views for all; and a linear probe is fitted on 4,000 images of train/ and read on 4,000 of test/.
Labels are used by the probe only. It takes about 25 minutes of one core.

The table is Spearman's rank correlation of each measure, turned so that what its paper calls good
is high, with the probe's accuracy: over all checkpoints, and within methods (ranks within each
method, pooled). In brackets the 95 % percentile bootstrap over checkpoints, 10,000 resamples,
within methods for the second. Every checkpoint is one training with one seed.

A checkpoint that is there already is not made again, so a killed benchmark goes on where it was.
`--runs 3 --scale 0.1` is a trial.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata

from selfsight import methods
from selfsight.assemble import build_method, optimiser_for, peak_rate
from selfsight.budget import progress_by_steps
from selfsight.data.images import ImageSet, open_images
from selfsight.data.splits import batch_rows, stratified_sample
from selfsight.diagnosis.measures import ALL
from selfsight.diagnosis.sampling import samples_of
from selfsight.engine import Engine
from selfsight.evaluation.embed import embed, encoder_function
from selfsight.evaluation.linear import linear_probe
from selfsight.formats import save_encoder
from selfsight.loop import train
from selfsight.settings import Settings
from selfsight.views.presets import simclr, two_views

BATCH, PROBED, RESAMPLES = 128, 4000, 10_000
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
LONG = {"simclr": 130, "byol": 65, "barlow_twins": 65, "rotation": 33}  # steps
SHARE = {"short": 2 / 13, "middle": 6 / 13}
SPOILT: dict[str, dict[str, object]] = {
    "simclr": {"temperature": 5.0},
    "byol": {"momentum": 0.0},
    "barlow_twins": {"off_diagonal": 0.0},
    "rotation": {"crop": 0.02},
}
WEAK: dict[str, dict[str, object]] = {
    "simclr": {"crop": 0.6, "colour": 0.01},
    "byol": {"crop": 0.6},
    "barlow_twins": {"crop": 0.6},
    "rotation": {"crop": 0.95},
}


@dataclass(frozen=True)
class Plan:
    """One training."""

    name: str
    method: str
    steps: int
    rate: float = 1.0  # times the method's own
    own: dict[str, object] = field(default_factory=dict)


def plans() -> list[Plan]:
    """Return the trainings, the untrained network first, then a round of all methods each."""
    found = [Plan("untrained", "untrained", 0)]
    for way in ("short", "middle", "long", "slow", "weak", "spoilt"):
        for method in SPOILT:
            plan = Plan(f"{method}-{way}", method, round(SHARE.get(way, 1) * LONG[method]))
            if way == "slow":
                plan = replace(plan, rate=0.1)
            elif way in ("weak", "spoilt"):
                plan = replace(plan, own=(WEAK if way == "weak" else SPOILT)[method])
            found.append(plan)
    return found


def trained(plan: Plan, images: ImageSet, steps: int) -> torch.nn.Module:
    """Return the exported encoder of a training."""
    settings = Settings(
        method=plan.method if steps else "simclr", encoder="convnet", batch=BATCH, steps=steps or 1
    )
    torch.manual_seed(0)
    kind = methods.find(settings.method)
    method = build_method(kind, dict(plan.own), settings=settings, mean=MEAN, std=STD)
    if steps:
        records = train(
            method,
            lambda step: torch.from_numpy(
                images.batch(batch_rows(step, images=len(images), batch=BATCH, seed=0))
            ),
            engine=Engine(device="cpu"),
            optimiser=optimiser_for(method, settings),
            lr=plan.rate * peak_rate(method, settings),
            progress=progress_by_steps(steps),
            warm_up=settings.warm_up,
        )
        for record in records:
            assert record.finite, plan.name
    return method.exported.eval()


def checkpoint(plan: Plan, folder: Path, out: Path, scale: float) -> str:
    """Train, measure and write one checkpoint; return its line."""
    torch.set_num_threads(1)
    began = time.process_time()
    parts = opened(folder, out / "cache")
    steps = max(1, round(scale * plan.steps)) if plan.steps else 0
    encoder = trained(plan, parts["train"], steps)
    save_encoder(encoder, out / f"{plan.name}.safetensors", notes={"method": plan.method})
    encode = encoder_function(encoder)
    sample = samples_of(
        {plan.name: encode},
        parts["test"],
        make_views=two_views(simclr(32)),
        seed=0,
        progress=lambda *_: None,
    )[plan.name]
    row = {
        "name": plan.name,
        "method": plan.method,
        "steps": steps,
        "probe": probe(encode, parts),
        "measures": {measure.name: measure.value(sample) for measure in ALL},
        "seconds": time.process_time() - began,
    }
    partial = out / f"{plan.name}.part"
    partial.write_text(json.dumps(row, indent=1), encoding="utf-8")
    partial.replace(out / f"{plan.name}.json")
    return f"{plan.name:<22}{steps:>6}{100 * row['probe']:>8.1f} %{row['seconds']:>8.0f} s"


@lru_cache(maxsize=1)
def opened(folder: Path, cache: Path) -> dict[str, ImageSet]:
    """Return both parts, opened once a process: looking through 60,000 files takes seconds."""
    return {
        part: open_images(str(folder / part), size=32, cache=cache) for part in ("train", "test")
    }


def probe(encode: Callable[[np.ndarray], np.ndarray], parts: dict[str, ImageSet]) -> float:
    """Return the linear probe's accuracy on test/, fitted on train/."""
    fitted, read = (
        embed(encode, images.part(stratified_sample(images.labels.index, count=PROBED, seed=0)))
        for images in (parts["train"], parts["test"])
    )
    return float((linear_probe(fitted, read, seed=0).predicted == read.labels).mean())


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Return the rank correlation, or NaN where one of them does not vary."""
    return correlation(centred_ranks(x), centred_ranks(y))


def centred_ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks, their mean taken off; what is not a number is worst."""
    ranks = rankdata(np.where(np.isfinite(values), values, -np.inf))
    return ranks - ranks.mean()


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation of centred numbers."""
    size = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / size) if size > 0 else np.nan


def within(x: np.ndarray, y: np.ndarray, groups: list[np.ndarray]) -> float:
    """Return the correlation of the ranks within groups, all groups together."""
    one, other = (
        np.concatenate([centred_ranks(v[rows]) / len(rows) for rows in groups]) for v in (x, y)
    )
    return correlation(one, other)


def interval(draw: Callable[[np.random.Generator], float]) -> str:
    """Return the ends of the percentile bootstrap of a drawn value."""
    rng = np.random.default_rng(0)
    drawn = [draw(rng) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return f"{low:+.2f} to {high:+.2f}"


def correlations(rows: list[dict]) -> list[str]:
    """Return the table, as lines of Markdown."""
    accuracy = np.array([row["probe"] for row in rows])
    names = np.array([row["method"] for row in rows])
    groups = [np.flatnonzero(names == name) for name in np.unique(names)]
    groups = [rows for rows in groups if len(rows) >= 3]
    lines = [
        "| measure | called good | all checkpoints | within methods |",
        "|---|---|---|---|",
    ]
    for measure in ALL:
        value = np.array(
            [
                measure.gain(
                    number if (number := row["measures"][measure.name]) is not None else np.nan
                )
                for row in rows
            ]
        )
        cells = ["-", "-"]
        if len(rows) >= 3:

            def drawn(rng: np.random.Generator, value: np.ndarray = value) -> float:
                chosen = rng.integers(0, len(rows), len(rows))
                return spearman(value[chosen], accuracy[chosen])

            cells[0] = f"{spearman(value, accuracy):+.2f} ({interval(drawn)})"
        if groups:

            def drawn_within(rng: np.random.Generator, value: np.ndarray = value) -> float:
                chosen = [rng.choice(group, len(group)) for group in groups]
                return within(value, accuracy, chosen)

            cells[1] = f"{within(value, accuracy, groups):+.2f} ({interval(drawn_within)})"
        lines.append(f"| {measure.name} | {measure.better} | {cells[0]} | {cells[1]} |")
    return lines


def main() -> None:
    """Make the checkpoints that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?", default=Path("cifar10"))  # train/, test/
    parser.add_argument("--out", type=Path, default=Path("quality"))
    parser.add_argument("--runs", type=int, default=25, help="the first so many of 25 checkpoints")
    parser.add_argument("--scale", type=float, default=1.0, help="times the steps of every run")
    parser.add_argument("--jobs", type=int, default=1, help="checkpoints side by side, a core each")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    chosen = plans()[: arguments.runs]
    missing = [plan for plan in chosen if not (arguments.out / f"{plan.name}.json").exists()]
    print(f"{'checkpoint':<22}{'steps':>6}{'probe':>10}{'processor':>10}", flush=True)
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as jobs:
        waiting = [
            jobs.submit(checkpoint, plan, arguments.images, arguments.out, arguments.scale)
            for plan in missing
        ]
        for one in waiting:
            print(one.result(), flush=True)
    rows = [json.loads((arguments.out / f"{plan.name}.json").read_text("utf-8")) for plan in chosen]
    print()
    for row in sorted(rows, key=lambda row: row["probe"]):
        values = "  ".join(f"{value:.3g}" for value in row["measures"].values())
        print(f"{row['name']:<22}{row['steps']:>6}{100 * row['probe']:>8.1f} %  {values}")
    print(f"\n{len(rows)} checkpoints\n")
    print("\n".join(correlations(rows)))


if __name__ == "__main__":
    main()
