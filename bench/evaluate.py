"""How long the measurements take, and what memory: the linear probe and kNN.

    python bench/evaluate.py [--images 50000] [--queries 10000] [--threads 2]

Features are made up, with the shape that those of networks have: rectified, a few strong directions
and many weak ones, classes that overlap. In turn, after a warm-up, on the same features:

probe   ours, as every report uses it: 10 strengths tried on 10,000 training images (8,000 fitted,
        2,000 held back), the best one fitted on all; and the same protocol with scikit-learn's
        LogisticRegression (lbfgs, tolerance 1e-4, at most 1,000 steps);
fits    10 strengths on all training images, strong to weak, each begun where the last one ended,
        with both; accuracy on the queries at each strength;
kNN     queries against the bank, 20 neighbours;
memory  what kNN adds to the memory of a process that holds the features already, at its peak, for
        banks of 10,000 rows and more, in a process of its own each (Linux).

Beside the seconds stand those of all cores together, which other work on the machine hardly moves.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from selfsight.evaluation import linear
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.knn import knn_accuracy

DIM, CLASSES = 512, 10
STRENGTHS = tuple(10.0**power for power in np.linspace(5, 0.5, 10))
MEMORY = """
import re, sys
from pathlib import Path
import numpy as np, torch
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.knn import knn_predict
bank, queries, dim = map(int, sys.argv[1:4])
torch.set_num_threads(int(sys.argv[4]))
random = np.random.default_rng(0)
def made(rows):
    features = np.empty((rows, dim), dtype=np.float32)
    random.standard_normal(out=features, dtype=np.float32)
    return Embeddings(features, random.integers(0, 10, rows))
def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
knn_predict(made(100), made(100))  # libraries load and threads start
train, test = made(bank), made(queries)
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = memory("VmRSS")
knn_predict(train, test)
print(memory("VmHWM") - before)
"""


def made_up(rows: int, *, seed: int) -> Embeddings:
    """Return features of `rows` images; the network that makes them is the same for every seed."""
    fixed, random = np.random.default_rng(7), np.random.default_rng(seed)
    centres = fixed.standard_normal((CLASSES, 64)) * 0.35
    strong = np.arange(1, 65) ** -0.7  # directions of the input, strong to weak
    weights = (fixed.standard_normal((64, DIM)) * strong[:, None]).astype(np.float32)
    labels = random.integers(0, CLASSES, rows)
    inputs = (centres[labels] + random.standard_normal((rows, 64))).astype(np.float32)
    features = np.maximum(inputs @ weights + fixed.standard_normal(DIM).astype(np.float32), 0)
    noise = random.standard_normal((rows, DIM), dtype=np.float32)
    return Embeddings(features + 0.05 * noise, labels)


def timed(name: str, work: Callable[[], list[float]]) -> list[float]:
    """Return the accuracies that some work finds, printing its time and the best of them."""
    began, cores = time.perf_counter(), time.process_time()
    found = work()
    seconds, cores = time.perf_counter() - began, time.process_time() - cores
    print(f"{name:<30}{seconds:>9.1f}{cores:>9.1f}{100 * max(found):>12.2f}", flush=True)
    return found


def standardised(train: Embeddings, test: Embeddings) -> tuple[np.ndarray, np.ndarray]:
    """Return both parts with the training part's mean 0 and deviation 1."""
    mean, deviation = train.features.mean(0), train.features.std(0)
    return (train.features - mean) / deviation, (test.features - mean) / deviation


def peer(strength: float) -> LogisticRegression:
    """Return scikit-learn's classifier for a strength."""
    return LogisticRegression(C=1 / strength, max_iter=1000, tol=1e-4, warm_start=True)


def our_probe(train: Embeddings, test: Embeddings) -> list[float]:
    """Return the accuracy of the probe, as the only one."""
    probe = linear.linear_probe(train, test, seed=0, strengths=STRENGTHS)
    return [float((probe.predicted == test.labels).mean())]


def peers_probe(train: Embeddings, test: Embeddings) -> list[float]:
    """Return the same protocol's, carried out with scikit-learn."""
    features, queries = standardised(train, test)
    # The very images that ours chooses with, or the two would choose differently by luck.
    random, labels = np.random.default_rng(0), train.labels
    share = min(1.0, linear.sweep_rows(train.features.shape[1]) / len(train))
    chosen = linear.stratified_mask(labels, share, random, smallest=1)
    kept = np.where(chosen, labels, -1)
    held_back = linear.stratified_mask(kept, linear.HELD_BACK, random, smallest=2)
    fitted = chosen & ~held_back
    best, model = (0.0, 0.0), peer(1.0)
    for strength in STRENGTHS:
        model.C = 1 / strength
        model.fit(features[fitted], labels[fitted])
        best = max(best, (model.score(features[held_back], labels[held_back]), strength))
    model.C = 1 / best[1]
    return [float(model.fit(features, labels).score(queries, test.labels))]


def our_fits(train: Embeddings, test: Embeddings) -> list[float]:
    """Return the accuracy at every strength, fitted on all training images."""
    features, queries = (
        torch.from_numpy(part.astype(np.float32)) for part in standardised(train, test)
    )
    axes, variances = linear._principal(features)
    problem = linear.Problem(features, torch.from_numpy(train.labels), axes, variances, CLASSES)
    zeros = torch.zeros(DIM, CLASSES, dtype=torch.float64)
    fitted = linear.Fitted(zeros, torch.zeros(CLASSES, dtype=torch.float64), converged=False)
    found = []
    for strength in STRENGTHS:
        fitted = linear.fit(problem, strength=strength, start=fitted)
        found.append(float((fitted.predict(queries).numpy() == test.labels).mean()))
    return found


def peers_fits(train: Embeddings, test: Embeddings) -> list[float]:
    """Return the same with scikit-learn."""
    features, queries = standardised(train, test)
    model, found = peer(1.0), []
    for strength in STRENGTHS:
        model.C = 1 / strength
        found.append(float(model.fit(features, train.labels).score(queries, test.labels)))
    return found


def probes(train: Embeddings, test: Embeddings) -> None:
    """Time both probes and print them."""
    print(f"{'':<30}{'seconds':>9}{'core s':>9}{'accuracy %':>12}")
    timed("probe, selfsight", lambda: our_probe(train, test))
    timed("probe, scikit-learn", lambda: peers_probe(train, test))
    ours = timed("10 fits on all, selfsight", lambda: our_fits(train, test))
    peers = timed("10 fits on all, scikit-learn", lambda: peers_fits(train, test))
    apart = max(abs(one - other) for one, other in zip(ours, peers, strict=True))
    print(f"largest difference of accuracy at one strength: {100 * apart:.2f} points")


def memory(banks: list[int], *, queries: int, threads: int) -> None:
    """Print what kNN adds to the peak memory for each size of the bank."""
    print(f"\n{'bank rows':>10}{'features, MiB':>15}{'kNN adds, MiB':>15}")
    for bank in banks:
        words = [sys.executable, "-c", MEMORY, str(bank), str(queries), str(DIM), str(threads)]
        out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        print(f"{bank:>10,}{bank * DIM * 4 / 2**20:>15,.0f}{float(out):>15,.0f}", flush=True)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--banks", default="10000,100000,1000000", help="rows, for the memory")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")  # scikit-learn's, where 1,000 steps are not enough
    train, test = made_up(arguments.images, seed=0), made_up(arguments.queries, seed=1)
    print(
        f"{len(train):,} training and {len(test):,} test images, {DIM} features, {CLASSES} "
        f"classes, {arguments.threads} threads of {os.cpu_count()} cores, torch {torch.__version__}"
    )
    with threadpool_limits(arguments.threads):
        linear.linear_probe(made_up(2000, seed=2), test, seed=0)
        probes(train, test)
    timed("kNN, 20 neighbours", lambda: [knn_accuracy(train, test)])
    memory(
        [int(rows) for rows in arguments.banks.split(",")],
        queries=min(1000, arguments.queries),
        threads=arguments.threads,
    )


if __name__ == "__main__":
    main()
