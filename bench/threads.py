"""Why a busy core should be left alone: training speed with one and two threads beside other work.

    python bench/threads.py [--rounds 3]

Forward and backward passes of `convnet` at 32 px, batch 256, on an otherwise idle machine and
beside one process that keeps one core busy; in turn, each in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys

STEP = """
import sys, time, torch
from selfsight.nets.encoder import build_encoder
torch.set_num_threads(int(sys.argv[1]))
net = build_encoder("convnet", image_size=32, mean=[0.5] * 3, std=[0.25] * 3)
images, times = torch.rand(256, 3, 32, 32), []
for _ in range(8):
    began = time.perf_counter()
    net(images).pow(2).mean().backward()
    times.append(time.perf_counter() - began)
print(256 / sorted(times)[4])
"""


def speed(threads: int, *, beside: bool) -> float:
    """Return the median images/s."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if beside else None
    try:
        words = [sys.executable, "-c", STEP, str(threads)]
        out = subprocess.run(words, check=True, capture_output=True, text=True)
    finally:
        if other:
            other.kill()
            other.wait()
    return float(out.stdout)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    cases = [(threads, beside) for beside in (False, True) for threads in (1, 2)]
    found = {case: [] for case in cases}
    for _ in range(rounds):
        for threads, beside in cases:
            found[threads, beside].append(speed(threads, beside=beside))
    for (threads, beside), rates in found.items():
        where = "one core busy" if beside else "idle machine "
        spread = f"[{min(rates):.0f}, {max(rates):.0f}]"
        print(f"{where}  {threads} threads  {statistics.median(rates):6.0f} images/s  {spread}")


if __name__ == "__main__":
    main()
