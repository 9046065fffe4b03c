"""What keeping freed memory is worth: training steps with glibc's allocator plain and with ours.

    python bench/allocator.py [--rounds 3] [--threads 1]

SimCLR's bare step on two views in memory, batch 256 at 32 px, each in a process of its own and in
turn: images/s, page faults a step and the process's peak memory. Ratios are within a round.
"""

import argparse
import statistics
import subprocess
import sys

STEP = """
import resource, sys, time, torch
from selfsight import methods
from selfsight.allocator import keep_freed_memory
from selfsight.engine import Engine
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser
encoder, keep, threads, steps = sys.argv[1], sys.argv[2] == "kept", int(sys.argv[3]), 12
if keep:
    keep_freed_memory()
torch.set_num_threads(threads)
engine = Engine(precision="fp32")
net = build_encoder(encoder, image_size=32, stem="standard", mean=[0.5] * 3, std=[0.25] * 3)
method = methods.find("simclr")(net)
optimiser = build_optimiser(method.recipe.optimiser, method.param_groups(), weight_decay=1e-4)
forward, optimiser = engine.set_up(method, optimiser)
views = method.views(torch.randint(0, 256, (256, 3, 32, 32), dtype=torch.uint8))
for step in range(steps + 3):
    if step == 3:
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    optimiser.zero_grad()
    engine.backward(forward(views, step / 1000).loss)
    optimiser.step()
seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
faults = (after.ru_minflt - before.ru_minflt) / steps
print(steps * 256 / seconds, faults, after.ru_maxrss / 1024)
"""


def measured(encoder: str, memory: str, *, threads: int) -> tuple[float, float, float]:
    """Return images/s, page faults a step and the peak MiB."""
    words = [sys.executable, "-c", STEP, encoder, memory, str(threads)]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    rate, faults, peak = map(float, out.split())
    return rate, faults, peak


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--encoders", default="resnet18,convnet")
    arguments = parser.parse_args()
    print(
        f"{arguments.threads} threads\nencoder    memory    images/s  [range]      ratio  [range]",
        end="",
    )
    print("           faults/step  peak MiB")
    for encoder in arguments.encoders.split(","):
        found: dict[str, list[tuple[float, float, float]]] = {"as it is": [], "kept": []}
        for _ in range(arguments.rounds):
            for memory, rows in found.items():
                rows.append(measured(encoder, memory, threads=arguments.threads))
        plain = [rate for rate, _, _ in found["as it is"]]
        for memory, rows in found.items():
            rates, faults, peaks = zip(*rows, strict=True)
            ratios = [rate / base for rate, base in zip(rates, plain, strict=True)]
            print(
                f"{encoder:<10} {memory:<9} {statistics.median(rates):8.0f}  "
                f"[{min(rates):.0f}, {max(rates):.0f}]   {statistics.median(ratios):.3f}  "
                f"[{min(ratios):.3f}, {max(ratios):.3f}]  {statistics.median(faults):11.0f}  "
                f"{statistics.median(peaks):8.0f}"
            )


if __name__ == "__main__":
    main()
