"""How far from a collapse are healthy runs, and how far beyond it broken ones?

    python bench/collapse.py IMAGES --out margins [--size 32] [--batch 256] [--steps 150]
                             [--looks 20] [--only byol moco …]

Every method is trained as it is, and broken as the tests break it (tests/diagnosis/breaking.py),
with the small encoder on one core and without the evaluation at the end. One line a look:

    spread   of the watched vectors, as a share of 1/sqrt(d)      collapse below 0.15
    rank     effective rank of the watched vectors                collapse below 1.5
    scale    their standard deviation, where the loss asks for 1  collapse below 0.1
    mean     entropy of the mean assignment, share of ln K        collapse below 0.5 and 0.2
    says     that minus the assignments' own entropy              collapse below 0.003
    off      distance of the loss from that of equal outputs, in training and on the watched
             images: the larger, as a share of what there is to learn; collapse below 0.003, twice

A run that is there already is not repeated, so a killed benchmark goes on where it was.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import selfsight
from selfsight import fit, methods
from selfsight.diagnosis.collapse import find_collapse
from selfsight.run import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "diagnosis"))
from breaking import BROKEN, Break, broken

HEAD = f"{'step':>6} {'done':>6} {'spread':>7} {'rank':>7} {'scale':>7} {'mean':>7} {'says':>7} "
HEAD += f"{'off':>7}  said"


def wanted(only: list[str]) -> Iterator[tuple[str, str, Break | None]]:
    """Yield a title, a method's name and how it is broken, if it is."""
    for name in only or methods.names():
        yield name, name, None
        yield from ((what, name, how) for what, how in BROKEN.items() if how.method == name)


def trained(arguments: argparse.Namespace, title: str, name: str, how: Break | None) -> Run:
    """Return the run, training it if it is not there."""
    out = arguments.out / title.lower().replace(" ", "-")
    if not (out / "done").exists():
        with (
            broken(how) if how else nullcontext(),
            mock.patch.object(fit, "conclude"),
        ):
            selfsight.train(
                arguments.images,
                out=out,
                method=name,
                encoder=methods.find(name).smallest_encoder,
                size=arguments.size,
                batch=arguments.batch,
                steps=arguments.steps,
                looks=arguments.looks,
                labels="none",
                threads=1,
                seed=arguments.seed,
                cache=str(arguments.out / "cache"),
                method_settings=how.settings if how else {},
                resume=out.exists(),
                quiet=True,
            )
        (out / "done").touch()
    return Run.open(out)


def line(look: dict[str, Any], before: dict[str, Any]) -> str:
    """Return what a look shows."""
    found = find_collapse(look, before)
    mean, each = look["mean_assignment_entropy"], look["assignment_entropy"]
    shares = {
        "spread": look["spread"] / look["spread_ideal"],
        "rank": look["effective_rank"],
        "scale": look["scale"],
        "mean": mean,
        "says": None if mean is None else mean - each,
        "off": off_constant(look),
    }
    numbers = " ".join(f"{'-':>7}" if x is None else f"{x:7.4f}" for x in shares.values())
    return f"{look['step']:6} {look['progress']:6.1%} {numbers}  {found.mode if found else ''}"


def off_constant(look: dict[str, Any]) -> float | None:
    """Return the distance of the loss from that of equal outputs, None if there is none."""
    if look["collapsed"] is None:
        return None
    training = abs(look["loss"] - look["collapsed_in_training"])
    watched = abs(look["loss_watched"] - look["collapsed"])
    learnable = abs(look["knows_nothing"] - look["perfect"])
    return float(max(training, watched) / learnable)


def main() -> None:
    """Train what is not there and print all looks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    for name, default in (("size", 32), ("batch", 256), ("steps", 150), ("looks", 20), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    for title, name, how in wanted(arguments.only):
        run = trained(arguments, title, name, how)
        print(f"\n{title}\n{HEAD}")
        before: dict[str, Any] = {}
        for look in run.records("look"):
            print(line(look, before))
            before = look
        sys.stdout.flush()


if __name__ == "__main__":
    main()
