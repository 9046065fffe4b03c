"""Does every method learn? Each on JPEG CIFAR-10 for the same time, with a small encoder.

    python bench/learn.py [cifar10] [--minutes 3] [--out learn] [--methods all] [--batch 256]
                          [--seeds 1] [--jobs 2]

For each method and seed `selfsight train` runs for `--minutes` on train/ on one core,
`--jobs` of them side by side, and the frozen encoder is measured on test/: kNN and linear probe
(5,000 labelled images of each part), beside its own untrained encoder and raw pixels. For the first
seed the probe is also read layer by layer on 5,000 training and 2,500 test images: a pretext task's
best layer is seldom its last, and a projection head forgets.

A run that is there already is not repeated, so a killed benchmark goes on where it was.
"""

import argparse
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selfsight import methods
from selfsight.data.images import ImageSet, open_images
from selfsight.data.splits import stratified_sample
from selfsight.evaluation.layers import probe_layers
from selfsight.layered import run_layers
from selfsight.run import Run

WORDS = {"learned": "yes", "barely": "no", "collapsed": "collapsed", "diverged": "diverged"}


def trained(arguments: argparse.Namespace, name: str, seed: int) -> Run:
    """Return the finished run of a method and seed, training it if it is not there."""
    out = arguments.out / f"{name}-{seed}"
    if not (out / "report.html").exists():
        encoder = arguments.encoder
        if methods.find(name).smallest_encoder != "convnet":
            encoder = methods.find(name).smallest_encoder
        words = ["train", str(arguments.images / "train"), "--out", str(out)]
        words += ["--held-out", str(arguments.images / "test"), "--method", name]
        words += ["--encoder", encoder, "--minutes", str(arguments.minutes), "--seed", str(seed)]
        words += ["--batch", str(arguments.batch)]
        words += ["--cache", str(arguments.out / "cache"), "--threads", "1"]
        words += ["--resume"] if out.exists() else []
        subprocess.run([sys.executable, "-m", "selfsight", *words], check=True, capture_output=True)
    return Run.open(out)


def by_layer(run: Run, train: ImageSet, test: ImageSet) -> str:
    """Return the linear probe's accuracy in per cent on every stage, then on the head's layers."""
    layers = probe_layers(run_layers(run), train, test, seed=0)
    stages, head = (
        " ".join(f"{100 * row.accuracy.value:.1f}" for row in layers if row.name.startswith(kind))
        for kind in ("stage", "head")
    )
    return f"{stages}; {head}" if head else stages


def main() -> None:
    """Train, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?", default=Path("cifar10"))  # train/, test/
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=Path("learn"))
    parser.add_argument("--methods", default="all")
    parser.add_argument("--encoder", default="convnet")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a core each")
    arguments = parser.parse_args()
    names = methods.names() if arguments.methods == "all" else arguments.methods.split(",")
    train, test = (
        open_images(str(arguments.images / part), size=32, cache=arguments.out / "cache")
        for part in ("train", "test")
    )
    few = [
        images.part(stratified_sample(images.labels.index, count=count, seed=0))
        for images, count in ((train, 5000), (test, 2500))
    ]
    head = f"{'method':<15}{'probe %':>9}{'spread':>8}{'untrained':>11}{'gain (95 %)':>20}"
    print(f"{head}{'kNN %':>8}{'pixels':>8}{'steps':>8}  above untrained  probe by stage; head")
    with ThreadPoolExecutor(arguments.jobs) as jobs:
        waiting = [
            (name, [jobs.submit(trained, arguments, name, seed) for seed in range(arguments.seeds)])
            for name in names
        ]
        for name, runs in waiting:
            print(line(name, [run.result() for run in runs], few), flush=True)


def line(name: str, runs: list[Run], few: list[ImageSet]) -> str:
    """Return a method's row; the spread is the standard deviation over seeds, if there are any."""
    evidence = [run.evidence for run in runs]
    if any("rows" not in one for one in evidence):
        unmeasured = next(one for one in evidence if "rows" not in one)
        return f"{name:<15}{unmeasured['verdict']['sentence']}"
    rows = [{row["name"]: row for row in one["rows"]} for one in evidence]

    def mean(row: str, probe: str) -> float:
        return 100 * statistics.mean(one[row][probe]["accuracy"] for one in rows)

    probes = [100 * one["encoder"]["linear"]["accuracy"] for one in rows]
    spread = f"{statistics.stdev(probes):.1f}" if len(probes) > 1 else "-"
    gains = [one["differences"][0]["linear"] for one in evidence]
    low, high = min(found["low"] for found in gains), max(found["high"] for found in gains)
    gain = f"{100 * low:+.1f} to {100 * high:+.1f}"
    encoder, untrained = mean("encoder", "linear"), mean("untrained", "linear")
    words = ", ".join(sorted({WORDS[one["verdict"]["word"]] for one in evidence}))
    layers = by_layer(runs[0], *few)
    return (
        f"{name:<15}{encoder:>9.1f}{spread:>8}{untrained:>11.1f}"
        f"{gain:>20}{mean('encoder', 'knn'):>8.1f}{mean('pixels', 'linear'):>8.1f}"
        f"{evidence[0]['steps']:>8}  {words:<15}  {layers}"
    )


if __name__ == "__main__":
    main()
