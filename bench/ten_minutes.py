"""What ten minutes from a raw folder are worth: ours, the peers, and what needs no network.

    python bench/ten_minutes.py cifar10 --minutes 10 --out ten --peer-python PYTHON [--seeds 3]

Each row that trains starts from the folder of JPEGs, decoding included, has `--minutes` of wall
clock and all cores, one row after another. All end in frozen features of the same labelled images
of train/ and of test/, which meet the same linear probe and kNN of selfsight. Rows:

ours       `selfsight train --preset laptop`, or with `--settings`, a seed each; the folder is
           decoded first, and what that takes is taken off the minutes; its minutes are those of
           the whole command, report included, the longest of the seeds;
lightly    its CIFAR-10 benchmark's SimCLR: ResNet-18 with a 3x3 stem, batch 128, SGD 0.06,
           SimCLRTransform of 32 px without blur, two loader workers;
solo       the settings of solo-learn's SimCLR for CIFAR-10 with lightly's parts: batch 256, LARS
           (0.02) with rate 0.4, temperature 0.2, hidden 2048, output 256, stronger colours, crops
           from a fifth;
patches    `bench/patches.py`: k-means on whitened patches (Coates, Lee, Ng 2011); its minutes are
           those of decoding and of finding the centres;
untrained  ours before its first step; pixels: the image itself.

A row that is there already is not made again, so a killed benchmark goes on where it was. The
table is printed and drawn as ten_minutes.svg.
"""

import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from dots import dots
from patches import reader

import selfsight
from selfsight.allocator import keep_freed_memory
from selfsight.data.images import ImageSet, open_images
from selfsight.data.splits import stratified_sample
from selfsight.evaluation.embed import Embeddings, Encode, embed, encoder_function
from selfsight.evaluation.knn import knn_accuracy
from selfsight.evaluation.linear import linear_probe
from selfsight.evaluation.pixels import pixel_features
from selfsight.measure import untrained

CALLED = {
    "ours": "selfsight --preset laptop",
    "lightly": "lightly, SimCLR",
    "solo": "solo-learn's settings",
    "patches": "k-means patches",
    "untrained": "untrained",
    "pixels": "raw pixels",
}

PEER = r"""
import json, sys, time
began = time.perf_counter()
import numpy as np, torch
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms.functional import to_tensor, normalize
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from lightly.transforms.utils import IMAGENET_NORMALIZE
from lightly.utils.lars import LARS

recipe, folder, minutes, listed, out = sys.argv[1:6]
MADE = {
    "lightly": dict(batch=128, lr=0.06, decay=5e-4, temperature=0.5, hidden=512, width=128,
                    view=dict(cj_strength=0.5, gaussian_blur=0.0)),
    "solo": dict(batch=256, lr=0.4, decay=1e-5, temperature=0.2, hidden=2048, width=256,
                 view=dict(cj_bright=0.8, cj_contrast=0.8, cj_sat=0.8, cj_hue=0.2, min_scale=0.2,
                           gaussian_blur=0.0)),
}[recipe]

def main():
    torch.manual_seed(0)
    net = resnet18()
    net.fc = nn.Identity()
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    head = SimCLRProjectionHead(512, MADE["hidden"], MADE["width"])
    loss = NTXentLoss(temperature=MADE["temperature"])
    images = ImageFolder(folder, transform=SimCLRTransform(input_size=32, **MADE["view"]))
    loader = torch.utils.data.DataLoader(
        images, batch_size=MADE["batch"], shuffle=True, drop_last=True, num_workers=2)
    weights = [*net.parameters(), *head.parameters()]
    usual = dict(lr=MADE["lr"], momentum=0.9, weight_decay=MADE["decay"])
    if recipe == "lightly":
        optimiser = torch.optim.SGD(weights, **usual)
    else:
        thin = [weight for weight in weights if weight.ndim == 1]  # neither decayed nor scaled
        groups = [dict(params=[weight for weight in weights if weight.ndim > 1]),
                  dict(params=thin, weight_decay=0.0)]
        optimiser = LARS(groups, trust_coefficient=0.02, **usual)
    steps, over = 0, False
    while not over:
        for (a, b), _ in loader:
            share = (time.perf_counter() - began) / (60 * float(minutes))
            if share >= 1:
                over = True
                break
            for group in optimiser.param_groups:
                group["lr"] = MADE["lr"] * 0.5 * (1 + np.cos(np.pi * share))
            value = loss(head(net(a)), head(net(b)))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            steps += 1
    net.eval()
    found = []
    with torch.inference_mode():
        paths = json.load(open(listed))
        for start in range(0, len(paths), 256):
            batch = [normalize(to_tensor(images.loader(path)),
                               **IMAGENET_NORMALIZE) for path in paths[start:start + 256]]
            found.append(net(torch.stack(batch)).numpy())
    np.savez(out, features=np.concatenate(found), steps=steps)

if __name__ == "__main__":
    main()
"""


class Table:
    """The labelled images, and what was measured on them so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.out, self.folder = arguments.out, arguments.images
        cache = arguments.out / "cache"
        self.parts: list[ImageSet] = []
        for name, count in (("train", arguments.labelled), ("test", arguments.test)):
            images = open_images(str(arguments.images / name), size=32, cache=cache)
            rows = stratified_sample(images.labels.index, count=count, seed=0)
            self.parts.append(images.part(rows))

    def there(self, name: str) -> bool:
        """Return whether a row is there."""
        return (self.out / f"{name}.json").exists()

    def decode(self, cache: Path) -> None:
        """Decode the folder of training images anew, into a store of its own."""
        shutil.rmtree(cache, ignore_errors=True)
        open_images(str(self.folder / "train"), size=32, labels="none", cache=cache)

    def measure(self, name: str, encode: Encode, **said: object) -> None:
        """Embed both parts, then `keep`."""
        self.keep(name, *(embed(encode, part, batch=64) for part in self.parts), **said)

    def keep(self, name: str, train: Embeddings, test: Embeddings, **said: object) -> None:
        """Measure features by kNN and linear probe and write the row."""
        probe = linear_probe(train, test, seed=0)
        right = float((probe.predicted == test.labelled().labels).mean())
        row = {"probe": right, "knn": knn_accuracy(train, test), "dim": train.features.shape[1]}
        (self.out / f"{name}.json").write_text(json.dumps(row | said), "utf-8")

    def paths(self) -> Path:
        """Write the paths of all labelled images, those of train first, and return the file."""
        listed = self.out / "paths.json"
        paths = [str(Path(part.root) / path) for part in self.parts for path in part.paths]
        listed.write_text(json.dumps(paths), "utf-8")
        return listed

    def rows(self) -> dict[str, list[dict[str, float]]]:
        """Return the rows by name, those of several seeds together."""
        found: dict[str, list[dict[str, float]]] = {}
        for path in sorted(self.out.glob("*.json")):
            if path.name != "paths.json":
                found.setdefault(path.stem.rpartition("-")[0] or path.stem, []).append(
                    json.loads(path.read_text("utf-8"))
                )
        return found


def ours(table: Table, arguments: argparse.Namespace, *, seed: int) -> None:
    """Train with selfsight and measure the run, and once its untrained encoder."""
    run, cache = table.out / f"run-{seed}", table.out / f"cache-{seed}"
    if not (run / "taken.txt").exists():
        shutil.rmtree(run, ignore_errors=True)
        began = time.perf_counter()
        table.decode(cache)
        left = arguments.minutes - (time.perf_counter() - began) / 60
        words = ["train", str(table.folder / "train"), "--out", str(run), "--seed", str(seed)]
        words += ["--minutes", f"{left:.3f}", "--labels", "none", "--cache", str(cache)]
        words += shlex.split(arguments.settings)
        subprocess.run([sys.executable, "-m", "selfsight", *words], check=True)
        taken = (time.perf_counter() - began) / 60
        (run / "taken.txt").write_text(f"{taken:.2f}", "utf-8")
    encoder, taken = selfsight.load(run), float((run / "taken.txt").read_text("utf-8"))
    table.measure(f"ours-{seed}", encoder_function(encoder), minutes=taken)
    if not table.there("untrained"):
        table.measure("untrained", encoder_function(untrained(encoder, seed=seed)))


def peer(table: Table, arguments: argparse.Namespace, recipe: str) -> None:
    """Train by a peer's recipe in its own Python and measure its features."""
    script, out = table.out / "peer.py", table.out / f"{recipe}.npz"
    script.write_text(PEER, "utf-8")
    words = [arguments.peer_python, str(script), recipe, str(table.folder / "train")]
    words += [str(arguments.minutes), str(table.paths()), str(out)]
    subprocess.run(words, check=True)
    with np.load(out) as found:
        features, steps = found["features"], int(found["steps"])
    count = len(table.parts[0])
    halves = (features[:count], features[count:])
    train, test = (
        Embeddings(half, part.labels.index) for half, part in zip(halves, table.parts, strict=True)
    )
    table.keep(recipe, train, test, steps=steps, minutes=arguments.minutes)


def main() -> None:
    """Make the rows that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder with train/ and test/ of class folders")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", default="--preset laptop", help="words for train")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labelled", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--clusters", type=int, default=1600, help="of the k-means patches")
    parser.add_argument("--peer-python", default="", help="a Python that can import lightly")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    table = Table(arguments)
    for seed in range(arguments.seeds):
        if not table.there(f"ours-{seed}"):
            ours(table, arguments, seed=seed)
    for recipe in ("lightly", "solo") if arguments.peer_python else ():
        if not table.there(recipe):
            peer(table, arguments, recipe)
    if not table.there("patches"):
        began = time.perf_counter()
        table.decode(table.out / "cache-patches")
        encode = reader(table.parts[0], clusters=arguments.clusters, seed=0)
        table.measure("patches", encode, minutes=(time.perf_counter() - began) / 60)
    if not table.there("pixels"):
        table.measure("pixels", pixel_features)
    whole = f"{arguments.minutes:g} minutes of {torch.get_num_threads()} threads"
    title = f"Frozen features of {arguments.test:,} test images after at most {whole}"
    drawing = dots(
        {CALLED[name]: rows for name, rows in table.rows().items()},
        title=title,
        ours=CALLED["ours"],
    )
    (arguments.out / "ten_minutes.svg").write_text(drawing, "utf-8")
    print(whole)
    print(
        f"{'row':<12}{'probe %':>9}{'kNN %':>8}{'spread':>8}{'seeds':>7}{'width':>7}{'minutes':>9}"
    )
    for name, rows in table.rows().items():
        probes = [100 * row["probe"] for row in rows]
        spread = f"{statistics.stdev(probes):.1f}" if len(probes) > 1 else "-"
        nearest = statistics.mean(100 * row["knn"] for row in rows)
        print(
            f"{name:<12}{statistics.mean(probes):>9.1f}{nearest:>8.1f}{spread:>8}"
            f"{len(rows):>7}{rows[0]['dim']:>7.0f}"
            f"{max(row.get('minutes', 0.0) for row in rows):>9.1f}"
        )


if __name__ == "__main__":
    main()
