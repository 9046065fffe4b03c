"""Images per second of `selfsight train` against its own bare model step and against lightly.

    python bench/throughput.py cifar10/train --peer-python /path/to/python-with-lightly

Three rates of the same backbone, batch and images, taken in turn, `--rounds` times:

bare    forward, backward and optimiser step of the method on two views already in memory, at the
        precision that selfsight chooses;
ours    `selfsight train` from the store, end to end: reading, views, step, records, looks;
lightly lightly's SimCLR as its tutorial builds it: its transform, a folder of JPEGs, two loader
        workers, fp32, the same ResNet.

The ratios are what counts: a machine's speed drifts. Ours is read from the run's own records, from
the 5th step on, and so includes every look but the last.
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
from selfsight.engine import Engine
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser

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


def bare(name: str, *, encoder: str, stem: str, size: int, batch: int, steps: int) -> float:
    """Return images/s of the step alone, on views in memory."""
    engine = Engine()
    torch.manual_seed(0)
    net = build_encoder(encoder, image_size=size, stem=stem, mean=[0.5] * 3, std=[0.25] * 3)
    method = methods.find(name)(net)
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


def ours(images: str, cache: str, arguments: argparse.Namespace, method: str) -> float:
    """Return images/s of `selfsight train` by its records."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ["train", images, "--out", str(run), "--cache", cache, "--method", method]
        words += ["--encoder", arguments.encoder, "--stem", arguments.stem]
        words += ["--size", str(arguments.size), "--batch", str(arguments.batch)]
        words += ["--steps", str(arguments.steps), "--threads", str(torch.get_num_threads())]
        subprocess.run([sys.executable, "-m", "selfsight", *words], check=True, capture_output=True)
        lines = [json.loads(line) for line in (run / "records.jsonl").open()]
    steps = [line for line in lines if line["kind"] == "step"]
    images_seen = sum(line["images"] for line in steps[5:-1])
    return images_seen / (steps[-2]["seconds"] - steps[4]["seconds"])


def lightly(images: str, arguments: argparse.Namespace) -> float:
    """Return images/s of lightly's SimCLR in its own Python."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "peer.py"
        script.write_text(LIGHTLY)
        numbers = [arguments.size, arguments.batch, arguments.peer_steps]
        words = [str(script), images, arguments.stem, *map(str, numbers)]
        out = subprocess.run(
            [arguments.peer_python, *words], check=True, capture_output=True, text=True
        )
    return float(out.stdout.split()[-1])


def line(name: str, rates: list[float], *, against: list[float]) -> str:
    """Return a row: the median rate, its range, and the median ratio within the rounds."""
    ratios = [rate / other for rate, other in zip(rates, against, strict=True)]
    return (
        f"{name:<22} {statistics.median(rates):8.0f}  [{min(rates):.0f}, {max(rates):.0f}]   "
        f"{statistics.median(ratios):.3f}  [{min(ratios):.3f}, {max(ratios):.3f}]"
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help="folder with class folders of images")
    parser.add_argument("--methods", default="simclr")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--stem", default="standard", choices=("standard", "small", "auto"))
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--peer-steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default="", help="a Python that can import lightly")
    arguments = parser.parse_args()
    keep_freed_memory()  # as `selfsight train` does
    print(
        f"{arguments.encoder} ({arguments.stem} stem), {arguments.size} px, batch "
        f"{arguments.batch}, {torch.get_num_threads()} threads, {Engine().precision}"
    )
    with tempfile.TemporaryDirectory() as cache:
        for method in arguments.methods.split(","):
            rates: dict[str, list[float]] = {"bare": [], "ours": [], "lightly": []}
            for _ in range(arguments.rounds):
                rates["bare"].append(
                    bare(
                        method,
                        encoder=arguments.encoder,
                        stem=arguments.stem,
                        size=arguments.size,
                        batch=arguments.batch,
                        steps=arguments.steps // 2,
                    )
                )
                rates["ours"].append(ours(arguments.images, cache, arguments, method))
                if arguments.peer_python and method == "simclr":
                    rates["lightly"].append(lightly(arguments.images, arguments))
            print(f"\n{method:<22} images/s  [range]     ratio to the bare step [range]")
            print(line("bare step", rates["bare"], against=rates["bare"]))
            print(line("selfsight train", rates["ours"], against=rates["bare"]))
            if rates["lightly"]:
                print(line("lightly", rates["lightly"], against=rates["bare"]))
                print(line("selfsight / lightly", rates["ours"], against=rates["lightly"]))


if __name__ == "__main__":
    main()
