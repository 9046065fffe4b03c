"""Is the preset made for one data set? Against plain SimCLR on others, on equal time.

    python bench/elsewhere.py --fashion /usr/share/datasets/fashion-mnist --plankton plankton \
        --imagenette imagenette --out elsewhere [--minutes 10] [--seeds 3] [--jobs 2]

Fashion-MNIST (Debian's dataset-fashion-mnist; 60,000 grey images of 28 px, shown at 32) is written
as PNG files first; plankton (a folder of 30 class folders) at 32 px has a fifth held out,
imagenette (train/ and val/) is at 64 px. Each run has `--minutes` with one thread, after decoding,
what `patchnet` begins with included; the preset ends when it has begun, before its time is up.
What is printed is the evidence of the runs: linear probe and kNN on held-out images, of the
encoder, its untrained twin and raw pixels.
"""

import argparse
import gzip
import statistics
from collections.abc import Mapping
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

import selfsight
from selfsight.allocator import keep_freed_memory
from selfsight.run import Run

METHODS: Mapping[str, Mapping[str, object]] = {
    "laptop": {"preset": "laptop"},
    "simclr": {"method": "simclr"},
}


def write_fashion(source: Path, out: Path) -> None:
    """Write the images as PNG files in class folders below train/ and test/."""
    if (out / "whole").exists():
        return
    for part, name in (("train", "train"), ("test", "t10k")):
        packed = [source / f"{name}-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1")]
        pixels, labels = (
            np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8) for file in packed
        )
        images = pixels[16:].reshape(-1, 28, 28)
        for number, (image, label) in enumerate(zip(images, labels[8:], strict=True)):
            folder = out / part / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:05}.png")
    (out / "whole").touch()


def train(
    task: tuple[str, str, int],
    *,
    sets: Mapping[str, Mapping[str, object]],
    out: Path,
    minutes: float,
) -> None:
    """Make one run in this process."""
    name, method, seed = task
    keep_freed_memory()
    place = out / f"{name}-{method}-{seed}"
    selfsight.train(
        out=place,
        seed=seed,
        minutes=minutes,
        threads=1,
        cache=out / "cache",
        quiet=True,
        resume=(place / "settings.toml").exists(),
        **sets[name],
        **METHODS[method],
    )
    print(name, method, seed, *Run.open(place).evidence["table"][:4], sep="\n", flush=True)


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fashion", type=Path)
    parser.add_argument("--plankton", type=Path)
    parser.add_argument("--imagenette", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    out, sets = arguments.out, {}
    if arguments.fashion:
        write_fashion(arguments.fashion, out / "fashion")
        sets["fashion"] = {"images": out / "fashion/train", "held_out": out / "fashion/test"}
    if arguments.plankton:
        sets["plankton"] = {"images": arguments.plankton, "held_out": 0.2}
    if arguments.imagenette:
        train_part, test_part = (arguments.imagenette / part for part in ("train", "val"))
        sets["imagenette"] = {"images": train_part, "held_out": test_part, "size": 64}
    tasks = [
        (name, method, seed)
        for seed in range(arguments.seeds)
        for name in sets
        for method in METHODS
        if not (out / f"{name}-{method}-{seed}/report.html").exists()
    ]
    work = partial(train, sets=sets, out=out, minutes=arguments.minutes)
    with get_context("spawn").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for _ in pool.imap_unordered(work, tasks, chunksize=1):
            pass
    print(f"{'images':<12}{'row':<18}{'probe %':>9}{'spread':>8}{'kNN %':>8}{'seeds':>7}")
    for name in sets:
        for method in METHODS:
            runs = [Run.open(path.parent) for path in out.glob(f"{name}-{method}-?/report.html")]
            for row in ("encoder", "untrained", "pixels"):
                said = [
                    each for run in runs for each in run.evidence["rows"] if each["name"] == row
                ]
                if not said:
                    continue
                probes = [100 * each["linear"]["accuracy"] for each in said]
                nearest = [100 * each["knn"]["accuracy"] for each in said]
                spread = f"{statistics.stdev(probes):.1f}" if len(probes) > 1 else "-"
                print(
                    f"{name:<12}{method + ', ' + row:<18}{statistics.mean(probes):>9.1f}"
                    f"{spread:>8}{statistics.mean(nearest):>8.1f}{len(probes):>7}"
                )


if __name__ == "__main__":
    main()
