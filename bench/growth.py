"""How time an image and memory grow with images, size, batch, chunks, views and processes.

    python bench/growth.py                       # up to 1,000,000 rows: 3 GB of disk
    python bench/growth.py --most 10000 --steps 4 --encoder convnet

Each row is a training of its own process on made-up images in a memory-mapped store, by the loop of
`selfsight train`; one thing varies at a time from 32 px, batch 256, two views of SimCLR. Rows with
a chunk have gradient caching; rows of views are EMP-SSL's; processes share threads and batch, by
torchrun, and the first one's memory is told. The settings are taken in turn, `--rounds` times; the
table has the median. Rates leave out the first step. Memory is what the process holds of its own at
most, polled every 5 ms, less what it held before the first step; pages of the store, which the
system lends and takes back, are not in it. Reading is the time of one image's share of a batch.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

STEP = """
import json, os, sys, threading, time
from pathlib import Path
import numpy as np, torch
from selfsight import methods
from selfsight.allocator import keep_freed_memory
from selfsight.data.splits import endless_rows
from selfsight.engine import Engine
from selfsight.forecast import Pace
from selfsight.loop import train
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser

keep_freed_memory()  # as `selfsight train` does
asked = json.loads(sys.argv[1])
processes, rank = asked["processes"], int(os.environ.get("RANK", "0"))
torch.set_num_threads(max(1, asked["threads"] // processes))
size, batch, images = asked["size"], asked["batch"], asked["images"]
pixels = np.memmap(asked["store"], dtype=np.uint8, mode="r", shape=(images, 3, size, size))
torch.manual_seed(0)
net = build_encoder(asked["encoder"], image_size=size, stem=asked["stem"],
                    mean=[0.5] * 3, std=[0.25] * 3)
method = methods.find(asked["method"])(net, **asked["own"])
engine = Engine()

def own():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])

def batch_at(number):
    rows = endless_rows(number, images=images, batch=batch, seed=0)
    return engine.place(np.asarray(pixels[rows]))

before, most, over = own(), [0], threading.Event()

def poll():
    while not over.wait(0.005):
        most[0] = max(most[0], own())

threading.Thread(target=poll, daemon=True).start()
records = []
for record in train(method, batch_at, engine=engine, chunk=asked["chunk"], lr=1e-3,
                    optimiser=build_optimiser("adamw", method.param_groups(), weight_decay=1e-4),
                    progress=lambda step: step / asked["steps"]):
    assert record.images * processes == batch, record.images
    records.append(record)
over.set()
pace = Pace.of(records)
told = {
    "ms": 1000 * pace.seconds / batch,
    "reading": 1e6 * pace.shares["reading"] * pace.seconds / batch,
    "shares": dict(pace.shares),
    "memory": max(most[0], own()) - before,
}
if rank == 0:
    print(json.dumps(told))
"""

Row = dict[str, object]
USUAL: Row = {"images": 10_000, "size": 32, "batch": 256, "chunk": None, "views": 2}
USUAL |= {"processes": 1, "method": "simclr"}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def rows(arguments: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    """Give what varies, and the settings of each training."""
    usual = USUAL | {"images": min(arguments.most, 10_000)}
    for images in (1_000, 10_000, 100_000, 1_000_000):
        if images <= arguments.most:
            yield "images", usual | {"images": images}
    for size in arguments.sizes:
        yield "image size", usual | {"size": size}
    for batch in (64, 256, 1024, 4096):
        if batch <= arguments.whole:
            yield "batch, whole", usual | {"batch": batch}
    for batch, chunk in ((1024, 256), (4096, 256), (4096, 64)):
        yield "batch, in chunks", usual | {"batch": batch, "chunk": chunk}
    for views in (2, 4, 8, 16):
        yield "views", usual | {"views": views, "method": "emp_ssl"}
    for processes in (1, 2):
        yield "processes", usual | {"processes": processes}


def measure(
    row: Row,
    stores: dict[tuple[int, int], Path],
    arguments: argparse.Namespace,
    *,
    script: Path,
) -> Row:
    """Return what a training of its own process printed."""
    asked = row | {
        "store": str(stores[int(row["images"]), int(row["size"])]),
        "encoder": arguments.encoder,
        "stem": arguments.stem,
        "threads": arguments.threads,
        "steps": arguments.steps + 1,
        "own": {"patches": row["views"]} if row["method"] == "emp_ssl" else {},
    }
    launcher = [*TORCHRUN, str(row["processes"])] if row["processes"] != 1 else []
    words = [sys.executable, *launcher, str(script), json.dumps(asked)]
    out = subprocess.run(words, capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(out.stderr)
    found: Row = json.loads(out.stdout.splitlines()[-1])
    return found


def write_store(path: Path, *, images: int, size: int) -> None:
    """Write made-up images: 1,000 of noise over and over, so that every byte is on the disk."""
    block = np.random.default_rng(0).integers(0, 256, (1000, 3, size, size), dtype=np.uint8)
    with path.open("wb") as file:
        for _ in range(images // 1000):
            file.write(block.data)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="images, at most")
    parser.add_argument("--sizes", default="32,64,128", help="image sides in px")
    parser.add_argument("--whole", type=int, default=1024, help="largest batch without chunks")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--stem", default="standard", choices=("standard", "small", "auto"))
    parser.add_argument("--steps", type=int, default=10, help="that are measured")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="of the first column: images, batch, …")
    arguments = parser.parse_args()
    if arguments.most < 1_000:
        parser.error("--most is the images of the largest row; it must be 1,000 at least")
    arguments.sizes = [int(word) for word in arguments.sizes.split(",")]
    plan = [pair for pair in rows(arguments) if pair[0].startswith(arguments.only)]
    found: list[list[Row]] = [[] for _ in plan]
    with tempfile.TemporaryDirectory() as folder:
        script, stores = Path(folder) / "step.py", {}
        script.write_text(STEP)
        for images, size in {(int(row["images"]), int(row["size"])) for _, row in plan}:
            stores[images, size] = Path(folder) / f"{images}-{size}.u8"
            write_store(stores[images, size], images=images, size=size)
        for _ in range(arguments.rounds):
            for place, (_, row) in enumerate(plan):
                found[place].append(measure(row, stores, arguments, script=script))
    print(f"{arguments.encoder} ({arguments.stem} stem), {arguments.threads} threads")
    print(
        f"{'varied':<17}{'images':>10}{'px':>5}{'batch':>7}{'chunk':>7}{'views':>7}{'processes':>11}"
        f"{'ms/image':>10}  {'range':<16}{'reading us':>11}{'MiB':>8}"
    )
    for (varied, row), results in zip(plan, found, strict=True):
        times = [float(result["ms"]) for result in results]
        reading = statistics.median(float(result["reading"]) for result in results)
        memory = max(float(result["memory"]) for result in results) / 2**20
        spread = f"[{min(times):.2f}, {max(times):.2f}]"
        print(
            f"{varied:<17}{row['images']:>10,}{row['size']:>5}{row['batch']:>7}"
            f"{row['chunk'] or '-':>7}{row['views']:>7}{row['processes']:>11}"
            f"{statistics.median(times):>10.2f}  {spread:<16}{reading:>11.1f}{memory:>8.0f}"
        )


if __name__ == "__main__":
    main()
