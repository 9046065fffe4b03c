"""Gradient caching gives what the whole batch gives, with the activations of a chunk."""

from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from two_processes import SMALL

from selfsight import methods
from selfsight.chunks import (
    chunk_lines,
    demand_chunk,
    demand_groups,
    in_chunks,
    views_in_chunks,
)
from selfsight.deferred import Deferred, drawn
from selfsight.engine import Engine
from selfsight.errors import UserError
from selfsight.loop import Record, train
from selfsight.method import Method
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser
from selfsight.recomputation import copied_buffers
from selfsight.settings import Settings

BATCH, CHUNK, SIZE = 16, 4, 16
EXACT = {"atol": 1e-9, "rtol": 1e-9}
COMPARING = [name for name in methods.names() if methods.find(name).compares_images]


def images(number: int = 0, *, batch: int = BATCH) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randint(0, 256, (batch, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)


def build(name: str, *, batch_norm: bool) -> Method:
    """Return a method in double precision; without batch norm its encoder has group norm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = build_encoder("convnet", image_size=SIZE, mean=[0.5] * 3, std=[0.25] * 3)
        if not batch_norm:
            for block in encoder.network.blocks:
                block[1] = nn.GroupNorm(4, block[1].num_features)
        return methods.find(name)(encoder, **SMALL.get(name, {})).double().train()


def fixed(method: Method) -> list[Tensor]:
    torch.manual_seed(1)
    return [view.double() for view in method.views(images())]


def gradients(
    method: Method, chunk: int | None, *, views_of: Callable[[Method], list[Tensor]] = fixed
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss and the gradients of a step on fixed views, and move nothing else."""
    with torch.random.fork_rng(devices=[]):
        views = views_of(method)
        torch.manual_seed(2)
        with in_chunks(method, chunk):
            loss = method(views, 0.5).loss
            loss.backward()
    learning = method.named_parameters()
    return loss.detach(), {name: w.grad for name, w in learning if w.requires_grad}


@pytest.mark.parametrize("name", COMPARING)
def test_loss_and_gradients_are_those_of_the_whole_batch(name: str) -> None:
    whole, chunked = (build(name, batch_norm=False) for _ in range(2))
    loss, wanted = gradients(whole, None)
    found_loss, found = gradients(chunked, CHUNK)
    torch.testing.assert_close(found_loss, loss, **EXACT)
    assert any(gradient.abs().max() > 1e-6 for gradient in wanted.values())
    for key, gradient in wanted.items():
        torch.testing.assert_close(found[key], gradient, **EXACT, msg=key)
    for key, value in whole.state_dict().items():  # queues, centres, statistics of heads
        torch.testing.assert_close(chunked.state_dict()[key], value, **EXACT, msg=key)


def piecewise(method: Method, *, chunk: int = CHUNK) -> Method:
    """Let the encoders compute chunks one by one with one graph, the plain and wasteful way."""
    for part in method.modules():
        if hasattr(part, "image_size"):
            plain = part.forward
            part.forward = lambda x, plain=plain: torch.cat([plain(row) for row in x.split(chunk)])
    return method


@pytest.mark.parametrize("name", ["simclr", "byol", "moco", "dino"])
def test_batch_norm_and_dropout_are_those_of_the_chunks_and_count_once(name: str) -> None:
    plain, chunked = build(name, batch_norm=True), build(name, batch_norm=True)
    for method in (plain, chunked):
        method.encoder.network.blocks[3].append(nn.Dropout(0.3))
    loss, wanted = gradients(piecewise(plain), None)
    found_loss, found = gradients(chunked, CHUNK)
    torch.testing.assert_close(found_loss, loss, **EXACT)
    for key, gradient in wanted.items():
        torch.testing.assert_close(found[key], gradient, **EXACT, msg=key)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(chunked.state_dict()[key], value, **EXACT, msg=key)


class Sometimes(nn.Module):
    """Scales by the sum of two weights, but passes by at random, as stochastic depth does."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = (nn.Parameter(torch.ones(1, 256, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.one + self.other).expand_as(x) if torch.rand(()) < 0.5 else x


class OneGradient(nn.Module):
    """Adds two weights, which are handed one gradient: by views of it, each."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = (nn.Parameter(torch.zeros(256)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.one.view(1, 256, 1, 1) + self.other.view(1, 256, 1, 1) + 1)


class Idle(nn.Module):
    """Has a weight that nothing uses: none is its gradient, not zero, by which it would decay."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("layer", [Sometimes, OneGradient, Idle])
def test_weights_that_share_a_gradient_or_get_none_from_a_chunk_keep_their_own(
    layer: type[nn.Module],
) -> None:
    plain, chunked = build("simclr", batch_norm=False), build("simclr", batch_norm=False)
    for method in (plain, chunked):
        method.encoder.network.blocks[4].append(layer().double())
    _, wanted = gradients(piecewise(plain), None)
    _, found = gradients(chunked, CHUNK)
    for key, gradient in wanted.items():
        torch.testing.assert_close(found[key], gradient, **EXACT, msg=key)


def test_no_map_of_the_encoder_is_kept_between_the_passes() -> None:
    method, kept = build("simclr", batch_norm=True), []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        views = [view.double() for view in method.views(images())]
        method(views, 0.0)
        assert {len(shape) for shape in kept} > {4}
        kept.clear()
        with in_chunks(method, CHUNK):
            method(views, 0.0)
    weights = {tuple(weight.shape) for weight in method.parameters()}
    assert {shape for shape in kept if len(shape) == 4} - weights == {(2 * BATCH, 3, SIZE, SIZE)}


def test_after_the_block_the_method_is_as_it_was() -> None:
    method = build("byol", batch_norm=True)
    with pytest.raises(ZeroDivisionError), in_chunks(method, CHUNK):
        raise ZeroDivisionError
    seen = []
    method.encoder.network.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    method([view.double() for view in method.views(images())], 0.0)
    assert seen == [BATCH, BATCH]


class Largest(TorchDispatchMode):
    """Notes the most rows that any tensor of views has had: the square ones with three channels."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def __torch_dispatch__(
        self, operation: Any, _: Any, given: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        found = operation(*given, **(named or {}))
        colours = type(found) is Tensor and found.ndim == 4 and found.shape[1] == 3
        if colours and found.is_floating_point() and found.shape[2] == found.shape[3] > 3:
            self.rows = max(self.rows, len(found))
        return found


def late(method: Method) -> list[Tensor]:
    torch.manual_seed(1)
    draw = method.views
    return views_in_chunks(lambda part: [view.double() for view in draw(part)], images(), 2)


def at_once(method: Method) -> list[Tensor]:
    return [drawn(view) for view in late(method)]


def test_views_are_drawn_for_every_image_alone() -> None:
    method = build("dino", batch_norm=True)
    views = views_in_chunks(method.views, images(batch=1).repeat(BATCH, 1, 1, 1), CHUNK)
    assert [len(view) for view in views] == [BATCH] * 4
    assert {len(view.flatten(1).unique(dim=0)) for view in views} == {BATCH}
    assert all(torch.isfinite(view).all() for view in views)


@pytest.mark.parametrize("name", COMPARING)
def test_views_drawn_late_have_the_gradients_of_those_drawn_at_once(name: str) -> None:
    one, other = (build(name, batch_norm=False) for _ in range(2))
    loss, wanted = gradients(one, None, views_of=at_once)
    with Largest() as largest:
        found_loss, found = gradients(other, 2, views_of=late)
    torch.testing.assert_close(found_loss, loss, **EXACT)
    for key, gradient in wanted.items():
        torch.testing.assert_close(found[key], gradient, **EXACT, msg=key)
    together = max(2, len(late(other)))  # views of one size of a chunk may be drawn as one
    assert 2 <= largest.rows <= (BATCH if name == "moco" else 2 * together)  # it shuffles its keys
    assert 2 * together < BATCH


TOGETHER = {"simclr": 2, "emp_ssl": 2, "dino": 5}  # networks that see all views of a size at once
ONE_BY_ONE = {"barlow_twins": 4, "byol": 6, "moco": 3}  # those of teachers too, without a way back


@pytest.mark.parametrize(("name", "times"), [*TOGETHER.items(), *ONE_BY_ONE.items()])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_views_are_drawn_for_each_pass_of_the_network_and_no_more(
    name: str, times: int, precision: str
) -> None:
    method, drawings, seen = build(name, batch_norm=True).float(), [], []
    draw = method.views

    def counted(part: Tensor) -> list[Tensor]:
        drawings.append(len(part))
        return draw(part)

    method.views = counted
    method.register_forward_pre_hook(lambda _, given: seen.extend(map(type, given[0])))
    steps(method, start=0, end=1, precision=precision)
    assert {*seen} == {Deferred}  # the engine turns them to its precision
    assert drawings == [CHUNK] * (times * BATCH // CHUNK)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny"])
def test_every_weight_of_a_larger_encoder_gets_its_gradient(name: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(name, image_size=32, mean=[0.5] * 3, std=[0.25] * 3)
    pixels = torch.rand(4, 3, 32, 32, dtype=torch.float64)

    def found() -> list[Tensor]:
        learning = [weight for weight in method.encoder.parameters() if weight.requires_grad]
        return list(torch.autograd.grad(method.encoder(pixels).square().sum(), learning))

    method = piecewise(methods.find("simclr")(encoder).double().train(), chunk=2)
    wanted = found()
    del encoder.forward
    with in_chunks(method, 2):
        for one, other in zip(found(), wanted, strict=True):
            torch.testing.assert_close(one, other, **EXACT)
    assert all(isinstance(weight, nn.Parameter) for weight in encoder.parameters())


def adamw(method: Method) -> torch.optim.Optimizer:
    return build_optimiser("adamw", method.param_groups(), weight_decay=0.1)


def steps(
    method: Method,
    *,
    start: int,
    end: int,
    optimiser: torch.optim.Optimizer | None = None,
    precision: str = "fp32",
) -> list[Record]:
    records = train(
        method,
        images,
        engine=Engine(device="cpu", precision=precision),
        optimiser=optimiser or adamw(method),
        lr=1e-3,
        progress=lambda step: step / 4,
        chunk=CHUNK,
        start=start,
    )
    return list(islice(records, end - start))


@pytest.mark.parametrize("name", ["simclr", "moco"])
def test_a_resumed_run_in_chunks_is_the_run(name: str) -> None:
    def new() -> tuple[Method, torch.optim.Optimizer]:
        method = build(name, batch_norm=True).float()
        return method, adamw(method)

    whole, optimiser = new()
    steps(whole, start=0, end=4, optimiser=optimiser)
    first, optimiser = new()
    steps(first, start=0, end=2, optimiser=optimiser)
    saved = deepcopy((first.state_dict(), optimiser.state_dict()))
    second, optimiser = new()
    second.load_state_dict(saved[0])
    optimiser.load_state_dict(saved[1])
    steps(second, start=2, end=4, optimiser=optimiser)
    for key, value in whole.state_dict().items():
        assert torch.equal(second.state_dict()[key], value), key


@pytest.mark.parametrize("name", sorted({*methods.names()} - {*COMPARING}))
def test_methods_that_treat_each_image_alone_are_refused(name: str) -> None:
    settings = Settings(method=name, batch=16, chunk=4)
    with pytest.raises(UserError, match=rf"{name} treats each image alone: give --accumulate"):
        demand_chunk(methods.find(name), settings)


@pytest.mark.parametrize("chunk", [3, 16, 32])
def test_a_chunk_must_divide_the_batch_and_be_smaller(chunk: int) -> None:
    with pytest.raises(UserError, match=f"chunk is {chunk}; it must divide the 16 images"):
        demand_chunk(methods.find("simclr"), Settings(batch=16, chunk=chunk))


def test_a_chunk_must_be_cut_into_the_methods_groups() -> None:
    method = methods.find("moco")(build("moco", batch_norm=True).encoder, splits=4, queue=16)
    demand_groups(method, Settings(method="moco", batch=16, chunk=8))
    with pytest.raises(UserError, match="chunk is 2; moco cuts it into 4 equal groups"):
        demand_groups(method, Settings(method="moco", batch=16, chunk=2))


def test_it_is_said_aloud_when_batch_norm_sees_chunks_only() -> None:
    settings = Settings(batch=16, chunk=4)
    (line,) = chunk_lines(build("simclr", batch_norm=True), settings)
    assert "batch norm normalises so many views at a time, not 16" in line
    (line,) = chunk_lines(build("simclr", batch_norm=False), settings)
    assert "the gradient is that of the whole batch of 16" in line
    assert chunk_lines(build("simclr", batch_norm=True), Settings()) == []


def test_images_that_ask_for_a_gradient_get_that_of_the_whole_batch() -> None:
    method = build("simclr", batch_norm=False)
    pixels = images().double().div_(255).requires_grad_()
    (wanted,) = torch.autograd.grad(method.encoder(pixels).square().sum(), pixels)
    with in_chunks(method, CHUNK):
        (found,) = torch.autograd.grad(method.encoder(pixels).square().sum(), pixels)
    torch.testing.assert_close(found, wanted, **EXACT)


def test_the_second_pass_is_in_the_precision_of_the_first() -> None:
    method = build("simclr", batch_norm=False).float()
    seen = []
    block = method.encoder.network.blocks[0]
    block.register_forward_hook(lambda _, __, found: seen.append(found.dtype))
    with in_chunks(method, CHUNK):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = method.encoder(images().float() / 255)
        features.float().square().sum().backward()
    assert len(seen) == 2 * BATCH // CHUNK
    assert len(set(seen)) == 1


def test_buffers_that_no_chunk_changes_are_copied_once() -> None:
    encoder = build("simclr", batch_norm=False).encoder
    first = copied_buffers(encoder, before=[])
    encoder.std += 1
    then = copied_buffers(encoder, before=first)
    assert then[0][1]["mean"] is first[0][1]["mean"]
    assert then[0][1]["std"].equal(encoder.std)
    assert not first[0][1]["std"].equal(encoder.std)


def test_all_chunks_share_the_copies_of_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    method, found = build("simclr", batch_norm=False), []

    def noted(*given: object, **named: object) -> object:
        found.append(copied_buffers(*given, **named))
        return found[-1]

    monkeypatch.setattr("selfsight.chunks.copied_buffers", noted)
    with in_chunks(method, CHUNK):
        method.encoder(images().double())
    assert len(found) == BATCH // CHUNK
    assert len({id(copies[0][1]["mean"]) for copies in found}) == 1
