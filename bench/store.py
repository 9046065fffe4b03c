"""How fast a folder becomes a store, and what memory it takes: 10,000 images against all.

    python bench/store.py cifar10/train [--size 32] [--rounds 3]

Each round, in turn: a plain loop of one process with Pillow over 5,000 of the files, our store of
10,000 of them (links in a folder), and of all. Memory is the peak of the process that asks for the
store, without its decoding workers.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

STORE = """
import resource, sys, time
from pathlib import Path
from selfsight.data.images import open_images
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
images = open_images(sys.argv[1], size=int(sys.argv[3]), cache=Path(sys.argv[2]))
seconds = time.perf_counter() - began
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(images) / seconds, (after - before) / 1024, after / 1024)
"""


def plain(files: list[Path]) -> float:
    """Return images/s of the obvious loop on one core, keeping the pixels."""
    began = time.perf_counter()
    pixels = np.empty((len(files), 3, 32, 32), dtype=np.uint8)
    for row, path in enumerate(files):
        with Image.open(path) as image:
            pixels[row] = np.asarray(image.convert("RGB").resize((32, 32))).transpose(2, 0, 1)
    return len(files) / (time.perf_counter() - began)


def store(folder: Path, size: int) -> tuple[float, float]:
    """Return images/s and the peak memory in MiB of storing a folder in a fresh process."""
    with tempfile.TemporaryDirectory() as cache:
        words = [sys.executable, "-c", STORE, str(folder), cache, str(size)]
        out = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), float(out[2])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.images.rglob("*") if path.is_file())
    rows: dict[str, list[tuple[float, float]]] = {"plain loop": [], "10,000": [], "all": []}
    with tempfile.TemporaryDirectory() as few:
        for number, path in enumerate(files[:: max(1, len(files) // 10_000)][:10_000]):
            (Path(few) / f"{number:05d}{path.suffix}").symlink_to(path.resolve())
        for _ in range(arguments.rounds):
            rows["plain loop"].append((plain(files[::10][:5000]), 0.0))
            rows["10,000"].append(store(Path(few), arguments.size))
            rows["all"].append(store(arguments.images, arguments.size))
    print(f"{len(files):,} files, {os.cpu_count()} cores, side {arguments.size}")
    print(f"{'':<12}{'images/s':>10}  {'range':<18}{'peak MiB':>10}")
    for name, found in rows.items():
        rates = [rate for rate, _ in found]
        memory = max(peak for _, peak in found)
        spread = f"[{min(rates):.0f}, {max(rates):.0f}]"
        print(f"{name:<12}{statistics.median(rates):>10.0f}  {spread:<18}{memory:>10.0f}")


if __name__ == "__main__":
    main()
