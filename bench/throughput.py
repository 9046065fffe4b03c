"""Images per second of `selfsight train` against its own bare model step and against lightly.

    python bench/throughput.py cifar10/train --peer-python /path/to/python-with-lightly
    python bench/throughput.py imagenette --methods all --sizes 32,64,128

Three rates of the same backbone, batch and images, taken in turn, `--rounds` times:

bare    forward, backward and optimiser step of the method on two views already in memory, at the
        precision that selfsight chooses;
ours    `selfsight train` from the store, end to end: reading, views, step, records, looks;
lightly lightly's SimCLR as its tutorial builds it: its transform, a folder of JPEGs, two loader
        workers, fp32, the same ResNet.

The ratios are what counts: a machine's speed drifts. Ours is read from the run's own records, from
the 5th step on, and so includes every look but the last. A run has about a dozen looks, however
short it is: `--looks 1` and few steps are a stretch of a longer run, with its share of them. The
columns on the right say what the time of ours is spent on, in per cent: both passes of the model,
update, views, reading the store, and what lies between steps: looks, records, saving. `--batch` is
that of 32 px; larger images get one with as many pixels, of 16 images at least. A method that
cannot work with the encoder gets the smallest one that it works with.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from selfsight import methods
from selfsight.allocator import keep_freed_memory
from selfsight.data.scan import scan
from selfsight.engine import Engine
from selfsight.errors import UserError
from selfsight.method import Situation
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser

PARTS = ("model", "update", "views", "reading")  # of a step, as the records name them

# `selfsight train` without the map at its end, which takes longer than these few steps.
TRAIN = "import sys; sys.modules['pacmap'] = None; from selfsight.__main__ import main; main()"

LIGHTLY = r"""
import sys, time, torch
from torch import nn
from torchvision.models import resnet18
from torchvision.datasets import ImageFolder
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform

folder, stem, size, batch, steps = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])

def main():
    net = resnet18()
    net.fc = nn.Identity()
    if stem == "small":
        net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    head, loss = SimCLRProjectionHead(512, 512, 128), NTXentLoss()
    images = ImageFolder(folder, transform=SimCLRTransform(input_size=size))
    loader = torch.utils.data.DataLoader(
        images, batch_size=batch, shuffle=True, drop_last=True, num_workers=2)
    optimiser = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.06)
    began = None
    for step, ((a, b), _) in enumerate(loader):
        if step == 3:
            began = time.perf_counter()
        value = loss(head(net(a)), head(net(b)))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if step == steps:
            break
    print((steps - 2) * batch / (time.perf_counter() - began))

if __name__ == "__main__":
    main()
"""


def bare(
    name: str, *, encoder: str, stem: str, size: int, batch: int, steps: int, images: int
) -> float:
    """Return images/s of the step alone, on views in memory, as it suits so many images."""
    engine = Engine()
    torch.manual_seed(0)
    net = build_encoder(encoder, image_size=size, stem=stem, mean=[0.5] * 3, std=[0.25] * 3)
    kind = methods.find(name)
    situation = Situation(images=images, batch=batch, image_size=size)
    method = kind(net, **{found.setting: found.value for found in kind.suited(situation)})
    optimiser = build_optimiser(method.recipe.optimiser, method.param_groups(), weight_decay=1e-4)
    forward, optimiser = engine.set_up(method, optimiser)
    views = method.views(torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8))
    began = 0.0
    for step in range(steps + 3):
        if step == 3:
            began = time.perf_counter()
        optimiser.zero_grad()
        engine.backward(forward(views, step / 1000).loss)
        optimiser.step()
        method.after_step(step / 1000)
    return steps * batch / (time.perf_counter() - began)


def ours(
    images: str,
    cache: str,
    arguments: argparse.Namespace,
    *,
    method: str,
    encoder: str,
    size: int,
    batch: int,
) -> tuple[float, dict[str, float]]:
    """Return images/s of `selfsight train` by its records, and the shares of its time."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ["train", images, "--out", str(run), "--cache", cache, "--method", method]
        words += ["--encoder", encoder, "--size", str(size), "--batch", str(batch)]
        words += ["--looks", str(arguments.looks)]
        words += ["--stem", arguments.stem] if encoder == arguments.encoder else []
        words += ["--steps", str(arguments.steps), "--threads", str(torch.get_num_threads())]
        done = subprocess.run([sys.executable, "-c", TRAIN, *words], capture_output=True)
        if done.returncode:
            raise SystemExit(done.stderr.decode())
        lines = [json.loads(line) for line in (run / "records.jsonl").open()]
    steps = [line for line in lines if line["kind"] == "step"]
    counted = steps[5:-1]
    seconds = steps[-2]["seconds"] - steps[4]["seconds"]
    shares = {part: sum(line["spent"][part] for line in counted) / seconds for part in PARTS}
    shares["between"] = max(0.0, 1 - sum(shares.values()))
    return sum(line["images"] for line in counted) / seconds, shares


def fitting(method: str, encoder: str, stem: str, size: int) -> str:
    """Return the encoder, or the method's smallest if it cannot work with that one."""
    kind = methods.find(method)
    try:
        kind(build_encoder(encoder, image_size=size, stem=stem, mean=[0.5] * 3, std=[0.25] * 3))
    except UserError:
        return kind.smallest_encoder
    return encoder


def lightly(images: str, arguments: argparse.Namespace, *, size: int, batch: int) -> float:
    """Return images/s of lightly's SimCLR in its own Python."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "peer.py"
        script.write_text(LIGHTLY)
        numbers = [size, batch, arguments.peer_steps]
        words = [str(script), images, arguments.stem, *map(str, numbers)]
        out = subprocess.run(
            [arguments.peer_python, *words], check=True, capture_output=True, text=True
        )
    return float(out.stdout.split()[-1])


def line(name: str, rates: list[float], *, against: list[float]) -> str:
    """Return a row: the median rate, its range, and the median ratio within the rounds."""
    ratios = [rate / other for rate, other in zip(rates, against, strict=True)]
    spread = f"[{min(rates):.0f}, {max(rates):.0f}]"
    scatter = f"[{min(ratios):.2f}, {max(ratios):.2f}]"
    return (
        f"{name:<30}{statistics.median(rates):>8.0f}  {spread:<14}"
        f"{statistics.median(ratios):>6.2f}  {scatter:<14}"
    )


def measure(
    images: str,
    cache: str,
    arguments: argparse.Namespace,
    method: str,
    size: int,
    *,
    count: int,
) -> None:
    """Measure one method at one size, in turn with what it is held against, and print the rows."""
    encoder = fitting(method, arguments.encoder, arguments.stem, size)
    stem = arguments.stem if encoder == arguments.encoder else "auto"
    batch = max(16, arguments.batch * 32**2 // size**2)
    rates: dict[str, list[float]] = {"bare": [], "ours": [], "lightly": []}
    shares: list[dict[str, float]] = []
    for _ in range(arguments.rounds):
        rates["bare"].append(
            bare(
                method,
                encoder=encoder,
                stem=stem,
                size=size,
                batch=batch,
                steps=arguments.steps // 2,
                images=count,
            )
        )
        rate, spent = ours(
            images, cache, arguments, method=method, encoder=encoder, size=size, batch=batch
        )
        rates["ours"].append(rate)
        shares.append(spent)
        if arguments.peer_python and method == "simclr":
            rates["lightly"].append(lightly(images, arguments, size=size, batch=batch))
    name = f"{method}, {size} px" + ("" if encoder == arguments.encoder else f", {encoder}")
    spent_on = "".join(
        f"{100 * statistics.median(found[part] for found in shares):>9.1f}" for part in shares[0]
    )
    print(line(f"{name}: bare step", rates["bare"], against=rates["bare"]))
    print(line("  selfsight train", rates["ours"], against=rates["bare"]) + spent_on)
    if rates["lightly"]:
        print(line("  lightly", rates["lightly"], against=rates["bare"]))
        print(line("  selfsight train / lightly", rates["ours"], against=rates["lightly"]))
    sys.stdout.flush()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "images", nargs="?", default="cifar10/train", help="folder with class folders of images"
    )
    parser.add_argument("--methods", default="simclr", help="names with commas, or all")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--stem", default="standard", choices=("standard", "small"))
    parser.add_argument("--sizes", default="32", help="in px, with commas")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--looks", type=int, default=10)
    parser.add_argument("--peer-steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default="", help="a Python that can import lightly")
    arguments = parser.parse_args()
    keep_freed_memory()  # as `selfsight train` does
    print(
        f"{arguments.encoder} ({arguments.stem} stem), batch {arguments.batch}, "
        f"{torch.get_num_threads()} threads, {Engine().precision}"
    )
    print(
        f"{'':<30}{'images/s':>8}  {'range':<14}{'ratio':>6}  {'range':<14}"
        + "".join(f"{part:>9}" for part in (*PARTS, "between"))
    )
    chosen = methods.names() if arguments.methods == "all" else arguments.methods.split(",")
    found = scan(arguments.images, progress=lambda *_: None)
    count = round(0.9 * len(found.paths))  # a tenth is held out
    with tempfile.TemporaryDirectory() as cache:
        for size in map(int, arguments.sizes.split(",")):
            for method in chosen:
                measure(arguments.images, cache, arguments, method, size, count=count)


if __name__ == "__main__":
    main()
