"""Which ideas earn their place in the preset: each left out or exchanged, on equal time.

    python bench/ablation.py cifar10/train --out ablation [--arms preset,trained-vicreg] [--seeds 3]
                             [--minutes 6] [--jobs 2] [--labelled 10000]

Every twentieth image of a class is kept for validation and never trained on; test images are not
touched. Each arm trains on the rest for `--minutes` with one thread, the beginning included; those
named preset end with their beginning. Then features of `--labelled` of its training images and of
all validation images meet selfsight's linear probe and kNN. An arm is arguments for
`selfsight.train`, and numbers of `patchnet` or of its beginning that are not the usual ones;
`trained-…` goes on with gradient steps where the preset ends. Decoding is not counted. Rows that
are there already are not made again.
"""

import argparse
import json
import statistics
from collections.abc import Mapping
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

import selfsight
from selfsight import beginning
from selfsight.allocator import keep_freed_memory
from selfsight.data.images import open_images
from selfsight.data.splits import stratified_sample
from selfsight.evaluation.embed import embed, encoder_function
from selfsight.evaluation.knn import knn_accuracy
from selfsight.evaluation.linear import linear_probe
from selfsight.nets import invariance, patchnet
from selfsight.run import Run

LAPTOP, PATCHNET = {"preset": "laptop"}, {"encoder": "patchnet"}
PLACES = {"CLUSTERS": patchnet, "LINEAR": patchnet, "PROTOTYPES": patchnet}
PLACES |= {"IMAGES": beginning, "RIDGE": invariance}
ARMS: Mapping[str, Mapping[str, object]] = {
    "preset": LAPTOP,
    "trained-simclr": PATCHNET,
    "trained-slowly": PATCHNET | {"lr": 0.0003},
    "trained-vicreg": PATCHNET | {"method": "vicreg"},
    "trained-barlow_twins": PATCHNET | {"method": "barlow_twins"},
    "trained-emp_ssl": PATCHNET | {"method": "emp_ssl", "batch": 64},
    "preset-200-clusters": LAPTOP | {"CLUSTERS": 200},
    "preset-800-clusters": LAPTOP | {"CLUSTERS": 800},
    "preset-512-linear": LAPTOP | {"LINEAR": 512},
    "preset-64-prototypes": LAPTOP | {"PROTOTYPES": 64},
    "preset-20000-pairs": LAPTOP | {"IMAGES": 20_000},
    "preset-0.3-ridge": LAPTOP | {"RIDGE": 0.3},
    "preset-0.003-ridge": LAPTOP | {"RIDGE": 0.003},
    "convnet-simclr": {"encoder": "convnet"},
    "convnet-vicreg": {"encoder": "convnet", "method": "vicreg"},
    "convnet-emp_ssl": {"encoder": "convnet", "method": "emp_ssl", "batch": 64},
    "convnet-barlow_twins": {"encoder": "convnet", "method": "barlow_twins", "batch": 64},
    "convnet-moco": {"encoder": "convnet", "method": "moco"},
    "resnet18-simclr": {"encoder": "resnet18"},
}


def divide(images: Path, out: Path) -> None:
    """Link every twentieth image of a class into validation/, the others into train/."""
    if (out / "divided").exists():
        return
    for folder in sorted(path for path in images.iterdir() if path.is_dir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            part = out / ("train" if number % 20 else "validation") / folder.name
            part.mkdir(parents=True, exist_ok=True)
            (part / image.name).unlink(missing_ok=True)
            (part / image.name).hardlink_to(image)
    (out / "divided").touch()


def measure(task: tuple[str, int], *, out: Path, minutes: float, labelled: int) -> None:
    """Train and measure one arm with one seed in this process, and write its row."""
    name, seed = task
    keep_freed_memory()
    given = {"minutes": minutes} | dict(ARMS[name])
    for constant, module in PLACES.items():
        setattr(module, constant, given.pop(constant, getattr(module, constant)))
    dim = patchnet.LINEAR + patchnet.PROTOTYPES
    patchnet.PatchNet.num_features = patchnet.PatchNet.head_hidden_size = dim
    place = out / f"{name}-{seed}"
    run = (
        Run.open(place)
        if (place / "report.html").exists()
        else selfsight.train(
            out / "train",
            out=place,
            resume=(place / "settings.toml").exists(),
            seed=seed,
            threads=1,
            labels="none",
            held_out=0.02,
            cache=out / "cache",
            quiet=True,
            **given,
        )
    )
    torch.set_num_threads(1)
    found = []
    for part in ("train", "validation"):
        images = open_images(str(out / part), size=32, cache=out / "cache")
        if part == "train":
            images = images.part(stratified_sample(images.labels.index, count=labelled, seed=0))
        found.append(embed(encoder_function(run.encoder), images, batch=64))
    probe = linear_probe(found[0], found[1], seed=0)
    right = float((probe.predicted == found[1].labelled().labels).mean())
    row = {
        "probe": right,
        "knn": knn_accuracy(*found),
        "steps": run.evidence["steps"],
        "dim": found[0].features.shape[1],
    }
    (out / f"{name}-{seed}.json").write_text(json.dumps(row), "utf-8")
    print(f"{name}-{seed}: {row}", flush=True)


def main() -> None:
    """Make the rows that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder of class folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--labelled", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    out, names = arguments.out, arguments.arms.split(",")
    if unknown := set(names) - set(ARMS):
        parser.error(f"no such arm: {', '.join(sorted(unknown))}; there are {', '.join(ARMS)}")
    divide(arguments.images, out)
    for part in ("train", "validation"):
        open_images(str(out / part), size=32, cache=out / "cache")
    tasks = [
        (name, seed)
        for seed in range(arguments.seeds)
        for name in names
        if not (out / f"{name}-{seed}.json").exists()
    ]
    work = partial(measure, out=out, minutes=arguments.minutes, labelled=arguments.labelled)
    with get_context("spawn").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for _ in pool.imap_unordered(work, tasks, chunksize=1):
            pass
    print(f"{'arm':<22}{'probe %':>9}{'spread':>8}{'kNN %':>8}{'seeds':>7}{'steps':>8}{'width':>7}")
    for name in ARMS:
        rows = [json.loads(path.read_text("utf-8")) for path in sorted(out.glob(f"{name}-?.json"))]
        if rows:
            probes = [100 * row["probe"] for row in rows]
            spread = f"{statistics.stdev(probes):.1f}" if len(probes) > 1 else "-"
            print(
                f"{name:<22}{statistics.mean(probes):>9.1f}{spread:>8}"
                f"{statistics.mean(100 * row['knn'] for row in rows):>8.1f}{len(rows):>7}"
                f"{statistics.mean(row['steps'] for row in rows):>8.0f}{rows[0]['dim']:>7}"
            )


if __name__ == "__main__":
    main()
