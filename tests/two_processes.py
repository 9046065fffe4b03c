"""What `test_processes.py` lets torchrun start twice: every method, on halves of a batch.

Each process first trains half of the cases alone, on whole batches, while there is no process group
yet. Then both train every case together, in torch's own data-parallel wrapper, each on its half of
the same views. What differed is written to a file, in JSON, by the process that has the reference.

Methods that draw at random inside `forward` (masks, noise, holes, patches, puzzles) get from
`WholeDraws` what one process with the whole batch would draw for these images.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from selfsight import methods
from selfsight.chunks import in_chunks
from selfsight.engine import Engine
from selfsight.gather import gather, process_rank
from selfsight.loop import train
from selfsight.method import Method
from selfsight.nets.encoder import build_encoder
from selfsight.nets.synchronised import synchronise
from selfsight.optim import build_optimiser

WORLD, SHARE, SIZE, STEPS = 2, 8, 32, 3
BATCH = WORLD * SHARE
TWICE, HALF = {"queue": 2 * BATCH}, {"momentum": 0.5}  # the third step's batch goes over the end

# small heads, queues that fill, slow copies that move; `splits` of MoCo is a case of its own
SMALL: dict[str, dict[str, object]] = {
    "barlow_twins": {"projection": 64},
    "byol": {"hidden": 64, "projection": 32, **HALF},
    "dino": {"hidden": 64, "projection": 16, "outputs": 32, "centre_momentum": 0.5, **HALF},
    "emp_ssl": {"hidden": 64, "projection": 32, "patches": 4},
    "jigsaw": {"hidden": 64, "width": 16},
    "moco": {"hidden": 64, "projection": 32, "splits": 1, **TWICE, **HALF},
    "moco_v3": {"hidden": 64, "projection": 32, **HALF},
    "nnclr": {"hidden": 64, "predicting": 64, "projection": 32, **TWICE},
    "relative_patch": {"hidden": 64},
    "simclr": {"hidden": 64, "projection": 32},
    "simsiam": {"projection": 64, "bottleneck": 16},
    "swav": {"hidden": 64, "projection": 16, "prototypes": 16, "queue": BATCH, "queue_from": 0.0},
    "vicreg": {"projection": 64},
}
RATES = {"emp_ssl": 1e-4, "barlow_twins": 1e-4, "vicreg": 1e-3, "nnclr": 1e-3}  # steep losses


@dataclass(frozen=True)
class Case:
    method: str
    more: dict[str, object] = field(default_factory=dict)
    encoder: str = "smallest"

    def __str__(self) -> str:
        words = [self.method, *(f"{name}={value}" for name, value in self.more.items())]
        return " ".join(words if self.encoder == "smallest" else [*words, self.encoder])


CASES = [
    *(Case(name) for name in methods.names()),
    Case("denoising", {"noise": "masking", "untouched": 0.3}),
    Case("denoising", {"noise": "salt_and_pepper"}),
    Case("inpainting", {"adversarial": 0.1}),
    Case("moco", {"directions": "both"}),
    Case("relative_patch", {"colour": "project"}),
    Case("rotation", encoder="test_efficientnet"),  # timm's batch norms with an activation inside
]


ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-10}  # of values up to 1


@dataclass
class Taken:
    """One optimiser step, as it went."""

    loss: Tensor
    gradients: dict[str, Tensor]
    state: dict[str, Tensor]  # after it


class WholeDraws(TorchFunctionMode):
    """Draws random numbers for the images of all processes, and keeps this process's."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.rand:
            return self._mine(torch.rand, args if isinstance(args[0], int) else args[0])
        if func is torch.randint:
            return self._mine(lambda shape: torch.randint(args[0], shape), args[1])
        if func in (torch.rand_like, torch.randn_like):
            draw = torch.rand if func is torch.rand_like else torch.randn
            return self._mine(draw, args[0].shape)
        return func(*args, **kwargs)

    def _mine(self, draw: Callable[[list[int]], Tensor], shape: tuple[int, ...]) -> Tensor:
        axis = next(axis for axis, length in enumerate(shape) if length % SHARE == 0)
        repeats = shape[axis] // SHARE  # several puzzles an image: blocks of all images
        whole = draw([*shape[:axis], WORLD * shape[axis], *shape[axis + 1 :]])
        whole = whole.unflatten(axis, (repeats, BATCH))
        mine = whole.narrow(axis + 1, process_rank() * SHARE, SHARE)
        return mine.flatten(axis, axis + 1)


def images(step: int) -> Tensor:
    """Return coloured clouds: uint8, no two alike."""
    generator = torch.Generator().manual_seed(step)
    coarse = torch.rand(BATCH, 3, 8, 8, generator=generator)
    clouds = nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic")
    return clouds.clamp(0, 1).mul(255).to(torch.uint8)


def build(case: Case) -> Method:
    kind = methods.find(case.method)
    torch.manual_seed(3)
    name = kind.smallest_encoder if case.encoder == "smallest" else case.encoder
    encoder = build_encoder(name, image_size=SIZE, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    method: Method = kind(encoder, **(SMALL.get(case.method, {}) | case.more))
    smooth(method)
    return method.train()


def build_exact(case: Case) -> Method:
    """Build a method that compares images in double precision: what gathering does wrong shows."""
    method = build(case)
    return method.double() if method.compares_images else method


def smooth(network: nn.Module) -> None:
    """Replace every ReLU: at its kink a rounding error decides whether a gradient is 0 or not."""
    for name, part in network.named_children():
        if isinstance(part, nn.ReLU | nn.LeakyReLU):
            setattr(network, name, nn.SiLU())
        smooth(part)


def take_steps(
    method: Method,
    forward: nn.Module,
    *,
    lr: float,
    deal: Callable[[Tensor], Tensor],
    draws: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> list[Taken]:
    """Train `method` through `forward` on what `deal` makes of each view; return the steps."""
    learning = {name: weight for name, weight in method.named_parameters() if weight.requires_grad}
    optimiser = torch.optim.SGD(learning.values(), lr=lr)
    dtype, taken = next(iter(learning.values())).dtype, []
    for step in range(STEPS):
        torch.manual_seed(step)
        views = [deal(view.to(dtype)) for view in method.views(images(step))]
        optimiser.zero_grad()
        torch.manual_seed(100 + step)
        with draws():
            loss = forward(views, step / STEPS).loss
        loss.backward()
        gradients = {name: weight.grad.clone() for name, weight in learning.items()}
        optimiser.step()
        method.after_step(step / STEPS)
        taken.append(Taken(loss.detach(), gradients, deepcopy(method.state_dict())))
    return taken


def alone(case: Case) -> list[Taken]:
    method = build_exact(case)
    return take_steps(method, method, lr=RATES.get(case.method, 0.01), deal=lambda view: view)


def together(
    case: Case, draws: Callable[[], AbstractContextManager[object]] = WholeDraws
) -> list[Taken]:
    """Raise RuntimeError if a weight of the method gets no gradient: the wrapper waits for all."""
    method = build_exact(case)
    synchronise(method)
    wrapped = DistributedDataParallel(method)
    return take_steps(method, wrapped, lr=RATES.get(case.method, 0.01), deal=half, draws=draws)


def half(view: Tensor) -> Tensor:
    return view[process_rank() * SHARE :][:SHARE]


def compare(found: list[Taken], wanted: list[Taken] | None) -> list[dict[str, Any]]:
    """Return each step's differences between processes and, where known, from one process alone.

    A difference of tensors is (largest difference, largest value of the wanted tensor).
    """
    steps = []
    for place, step in enumerate(found):
        loss = gather(step.loss[None]).mean()
        gradients = {f"gradient of {name}": value for name, value in step.gradients.items()}
        between = apart(gradients | step.state)
        if wanted is not None:
            one = wanted[place]
            steps.append(
                {
                    "loss": (float(loss), float(one.loss)),
                    "gradients": differences(step.gradients, one.gradients),
                    "state": differences(step.state, one.state),
                    "between": between,
                    "rounding": ROUNDING[one.loss.dtype],
                }
            )
    return steps


def apart(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the largest difference between the processes' values of each tensor."""
    # Together, because every exchange between processes has its price.
    flat = torch.cat([value.detach().flatten().double() for value in values.values()])
    one, other = gather(flat[None])
    lengths = [value.numel() for value in values.values()]
    differing = (one - other).abs().split(lengths)
    return {name: float(part.max()) for name, part in zip(values, differing, strict=True)}


def differences(
    found: dict[str, Tensor], wanted: dict[str, Tensor]
) -> dict[str, tuple[float, float]]:
    assert found.keys() == wanted.keys()
    return {
        name: (
            float((found[name].double() - value.double()).abs().max()),
            float(value.double().abs().max()),
        )
        for name, value in wanted.items()
    }


SPLIT = {"splits": 2}  # groups a process: the whole batch has twice as many


def split_places() -> Tensor:
    """Return where image i of process r, in row 8 r + i, must lie in one process's batch.

    Batch norm puts every `splits`-th image into one group, so the groups of one process with twice
    the splits are those of two processes if their images lie by turns, `splits` at a time.
    """
    splits = SPLIT["splits"]
    rank = torch.arange(WORLD).repeat_interleave(SHARE)
    image = torch.arange(SHARE).repeat(WORLD)
    return image // splits * WORLD * splits + rank * splits + image % splits


def own_shuffle(rank: int) -> Tensor:
    return torch.randperm(SHARE, generator=torch.Generator().manual_seed(rank))


def split_alone() -> list[Taken]:
    """Train MoCo alone with batch norm in the groups and the keys in the order of two processes."""
    places = split_places()
    order = torch.empty_like(places)
    order[places] = places[torch.cat([own_shuffle(0), SHARE + own_shuffle(1)])]

    def deal(view: Tensor) -> Tensor:
        dealt = torch.empty_like(view)
        dealt[places] = view
        return dealt

    method = build_exact(Case("moco", {"splits": WORLD * SPLIT["splits"]}))
    taken = take_steps(method, method, lr=0.01, deal=deal, draws=lambda: shuffling(order))
    for number, step in enumerate(taken):  # same keys, each batch in the order of its images
        rows = step.state["queue.rows"].unflatten(0, (-1, BATCH))
        rows[: number + 1] = rows[: number + 1, places]
    return taken


def shuffling(order: Tensor) -> AbstractContextManager[object]:
    return mock.patch("torch.randperm", lambda count, device: order)


CHUNKED = Case("simclr")


def without_batch_norm(case: Case) -> Method:
    """Return a method whose encoder treats each image alone, so that chunks change nothing."""
    method = build(case)
    for block in method.encoder.network.blocks:
        block[1] = nn.GroupNorm(4, block[1].num_features)
    return method.double()


def in_chunks_together() -> list[Taken]:
    method = without_batch_norm(CHUNKED)
    synchronise(method)
    with in_chunks(method, SHARE // 2):
        return take_steps(method, DistributedDataParallel(method), lr=0.01, deal=half)


def train_on_two(engine: Engine, *, chunk: int | None) -> dict[str, Any]:
    """Train a few steps as a run does, and return how far the processes are from each other."""
    method = build(Case("byol"))
    records = list(
        train(
            method,
            lambda step: engine.place(images(step).numpy()),
            engine=engine,
            optimiser=build_optimiser("adamw", method.param_groups(), weight_decay=0.0),
            lr=1e-3,
            progress=lambda step: step / 3,
            accumulate=2,
            chunk=chunk,
        )
    )
    return {
        "losses": [gather(torch.tensor([record.loss])).tolist() for record in records],
        "images": [record.images for record in records],
        "weights": apart(method.state_dict()),
        "watched": apart({"watched": records[-1].watched})["watched"],
    }


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    cases = {str(case): case for case in CASES}
    references = {name: alone(cases[name]) for name in list(cases)[rank::WORLD]}
    split = split_alone() if rank == 0 else None
    one = without_batch_norm(CHUNKED)
    whole = take_steps(one, one, lr=0.01, deal=lambda view: view)
    engine = Engine(device="cpu", precision="fp32")
    found: dict[str, Any] = {}
    for name, case in cases.items():
        try:
            steps = compare(together(case), references.pop(name, None))
        except RuntimeError as error:
            steps = str(error)
        if steps:
            found[name] = steps
    own = own_shuffle(rank)
    steps = compare(together(Case("moco", SPLIT), lambda: shuffling(own)), split)
    if rank == 0:
        found["split"] = steps
    found["chunks"] = compare(in_chunks_together(), whole)
    found["loop"] = train_on_two(engine, chunk=None)
    found["loop in chunks"] = train_on_two(engine, chunk=SHARE // 2)
    (folder / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
