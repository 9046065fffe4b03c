"""How long one waits before anything happens: `import selfsight` and `selfsight --help`.

    python bench/startup.py [--rounds 20]

Wall clock of whole processes, in turn, beside a Python that does nothing; median and range.
"""

import argparse
import statistics
import subprocess
import sys
import time

WORDS = {
    "python": ["-c", "pass"],
    "import selfsight": ["-c", "import selfsight"],
    "selfsight --help": ["-m", "selfsight", "--help"],
    "selfsight train --help": ["-m", "selfsight", "train", "--help"],
    "import torch": ["-c", "import torch"],
}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in WORDS}
    for _ in range(rounds):
        for name, words in WORDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            times[name].append(time.perf_counter() - began)
    for name, found in times.items():
        spread = f"[{min(found):.2f}, {max(found):.2f}]"
        print(f"{name:<24}{statistics.median(found):>6.2f} s  {spread}")


if __name__ == "__main__":
    main()
