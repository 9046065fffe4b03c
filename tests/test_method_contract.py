"""What every method promises. A new file in methods/ is found here by its name."""

import re
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from selfsight import methods
from selfsight.diagnosis.spread import ideal_spread, spread
from selfsight.engine import Engine
from selfsight.errors import UserError
from selfsight.loop import Record, train
from selfsight.method import Method, Situation
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser

BATCH = 8
SIZES = (16, 24)  # px; the smaller that a method takes
BLOCKS = 3  # of a transformer, which has more than a test needs
MEAN, STD = (0.21, 0.20, 0.20), (0.20, 0.17, 0.18)  # of the images below

TRIED = ("0", "-1", "-0.5", "2", "100")  # of every numeric setting
SLOW = {
    "depth",
    "local_crops",
    "pairs",
    "patches",
    "permutations",
    "shuffles",
    "small_views",
}  # 100

every_method = pytest.mark.parametrize("name", methods.names())


def images(count: int = 64, *, size: int = SIZES[-1]) -> Tensor:
    """Return rings under gratings that differ in direction, width and colour, lighter at the top.

    There is something to see for every task: texture, colour, place, and which way is up.
    """
    generator = torch.Generator().manual_seed(7)
    angle, phase = torch.rand(2, count, 1, 1, 1, generator=generator) * 6.28
    width = 0.3 + torch.rand(count, 1, 1, 1, generator=generator)
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    grating = torch.sin((x * angle.cos() + y * angle.sin()) * width + phase)
    rings = torch.sin(1.2 * ((x - size / 2) ** 2 + (y - size / 3) ** 2).sqrt())  # one place
    lit = colour * (0.6 + 0.25 * grating) * (1 + 0.4 * rings) * (1 - 0.6 * y / size)
    return (lit.clamp(0, 1) * 255).to(torch.uint8)


def build(name: str) -> Method:
    kind = methods.find(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for size in SIZES:
            encoder = build_encoder(kind.smallest_encoder, image_size=size, mean=MEAN, std=STD)
            if hasattr(encoder.network, "patch_embed"):
                encoder.network.blocks = encoder.network.blocks[:BLOCKS]
            with suppress(UserError):
                return kind(encoder)
        raise AssertionError(f"{name} takes no images of {SIZES} px")


@dataclass
class Training:
    method: Method
    optimiser: torch.optim.Optimizer
    start: int = 0

    def steps(self, until: int, *, of: int, batch: int = BATCH, lr: float = 1e-3):
        pictures = images()
        return train(
            self.method,
            lambda k: pictures[torch.arange(k * batch, (k + 1) * batch) % len(pictures)],
            engine=Engine(device="cpu", precision="fp32"),
            optimiser=self.optimiser,
            lr=lr,
            progress=lambda step: 1.0 if step >= until else step / of,
            seed=5,
            start=self.start,
        )


def begin(name: str) -> Training:
    method = build(name)
    return Training(method, build_optimiser("adamw", method.param_groups(), weight_decay=0.0))


def last(records) -> Record:
    return list(records)[-1]


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


@every_method
def test_every_trainable_weight_gets_a_gradient_and_no_frozen_one_does(name: str) -> None:
    method = build(name)
    method.train()
    torch.manual_seed(1)
    method(method.views(images(BATCH)), 0.5).loss.backward()
    for key, weight in method.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, key
            assert weight.grad.abs().sum() > 0, key
        else:
            assert weight.grad is None, key


@every_method
def test_the_optimiser_has_every_trainable_weight_once_and_no_other(name: str) -> None:
    method = build(name)
    given = [id(weight) for group in method.param_groups() for weight in group["params"]]
    trainable = [id(weight) for weight in method.parameters() if weight.requires_grad]
    assert sorted(given) == sorted(trainable)


@every_method
def test_a_resumed_run_is_the_run(name: str) -> None:
    whole = begin(name)
    last(whole.steps(6, of=6))

    first = begin(name)
    last(first.steps(3, of=6))
    saved = deepcopy((first.method.state_dict(), first.optimiser.state_dict()))
    second = begin(name)
    second.method.load_state_dict(saved[0])
    second.optimiser.load_state_dict(saved[1])
    second.start = 3
    last(second.steps(6, of=6))

    assert_same(second.method.state_dict(), whole.method.state_dict())


@every_method
def test_looking_at_a_run_does_not_change_it(name: str) -> None:
    alone, watched = begin(name), begin(name)
    last(alone.steps(3, of=6))
    for _ in watched.steps(3, of=6):
        watched.method.exported.encode(images(4))
        watched.method.eval()
        torch.rand(3)
    assert_same(watched.method.state_dict(), alone.method.state_dict())


@every_method
def test_the_exported_encoder_treats_each_image_alone(name: str) -> None:
    training = begin(name)
    last(training.steps(2, of=6))
    encoder, pictures = training.method.exported, images(6)
    together = encoder.encode(pictures)
    for row, picture in enumerate(pictures):
        alone = encoder.encode(picture[None])[0]
        torch.testing.assert_close(alone, together[row], rtol=1e-4, atol=1e-5)


@every_method
def test_watched_is_a_matrix_and_logs_are_scalars(name: str) -> None:
    method = build(name)
    step = method.train()(method.views(images(BATCH)), 0.0)
    assert step.loss.ndim == 0
    assert step.watched.ndim == 2
    assert len(step.watched) >= BATCH
    assert all(value.ndim == 0 for value in step.logs.values())


@every_method
def test_what_the_network_is_shown_can_be_pictured(name: str) -> None:
    method = build(name)
    pictures = method.pictured(method.views(images(BATCH)))
    for picture in pictures:
        assert picture.shape[:2] == (BATCH, 3)
        assert picture.shape[2] == picture.shape[3]
        assert torch.isfinite(picture).all()


@every_method
def test_forward_leaves_the_weights_alone(name: str) -> None:
    method = build(name).train()
    before = {key: weight.clone() for key, weight in method.named_parameters()}
    method(method.views(images(BATCH)), 0.3)
    assert_same(before, dict(method.named_parameters()))


def losses_without_learning(name: str, steps: int) -> list[float]:
    """Return the losses of steps that move queues, centres and frequencies, and no weight.

    Of a method without a memory the first three are as good as any.
    """
    method, losses = build(name).train(), []
    passing = ("mean", "var", "std", "tracked")
    memory = any(not key.endswith(passing) for key, _ in method.named_buffers())
    for step in range(steps if memory else 3):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(step)
            losses.append(method(method.views(images()), step / steps).loss.item())
    return losses


@every_method
def test_thirty_steps_on_fixed_images_lower_the_loss_well_below_knowing_nothing(name: str) -> None:
    training = begin(name)
    records = list(training.steps(30, of=30, batch=64, lr=2e-3))
    method, loss = training.method, sum(record.loss for record in records[-3:]) / 3
    untrained = sum(losses_without_learning(name, 30)[-3:]) / 3
    for nothing, least in ((method.knows_nothing(64), 0.1), (untrained, 0.03)):
        learned = (nothing - loss) / (nothing - method.perfect(64))
        assert learned > least, f"{loss:.3f} is near {nothing:.3f}, which knows nothing"
    if method.vectors_tell:  # equal vectors are a cheap way to a low loss
        vectors = records[-1].watched
        assert spread(vectors) > 0.3 * ideal_spread(vectors.shape[1])


@every_method
def test_the_loss_at_the_start_is_near_what_knows_nothing(name: str) -> None:
    method = build(name).train()
    torch.manual_seed(0)
    loss = method(method.views(images(64)), 0.0).loss.item()
    nothing, perfect = method.knows_nothing(64), method.perfect(64)
    assert abs(loss - nothing) < 0.6 * abs(nothing - perfect)


@every_method
def test_the_card_is_filled_in_and_every_setting_has_help(name: str) -> None:
    kind = methods.find(name)
    assert all(getattr(kind.card, part) for part in ("idea", "paper", "deviations", "fails"))
    assert len(re.findall(r"[.?!](?= |$)", kind.card.idea)) == 3
    for setting in methods.settings_of(kind).values():
        assert len(setting.help) > 10, setting.name
        assert re.search(r"\b(paper|code|usual|ours)\b", setting.help), f"{setting.name}: source?"


def numeric_settings(name: str) -> list[methods.Setting]:
    settings = methods.settings_of(methods.find(name)).values()
    return [setting for setting in settings if setting.kind in (int, float)]


@every_method
def test_every_numeric_setting_declares_its_range_and_its_default_is_within(name: str) -> None:
    for setting in numeric_settings(name):
        assert setting.allowed is not None, setting.name
        assert setting.default in setting.allowed, setting.name


@every_method
def test_a_number_out_of_range_is_refused_by_name_and_any_other_can_be_trained(name: str) -> None:
    kind, size = methods.find(name), build(name).encoder.image_size
    encoder = build_encoder(kind.smallest_encoder, image_size=size, mean=MEAN, std=STD)
    if hasattr(encoder.network, "patch_embed"):
        encoder.network.blocks = encoder.network.blocks[:1]
    situation = Situation(images=5000, batch=BATCH, image_size=size)
    for setting in numeric_settings(name):
        for text in TRIED[: -1 if setting.name in SLOW else None]:
            try:
                own = methods.parse_settings(kind, {setting.name: text})
                method = kind(deepcopy(encoder), **own).train()
                method.demand_fit(situation)
            except UserError as refused:
                assert setting.name in str(refused), f"{setting.name} = {text}: {refused}"
                assert "\n" not in str(refused)
                continue
            step = method(method.views(images(BATCH, size=size)), 0.5)
            step.loss.backward()
            assert torch.isfinite(step.loss), f"{setting.name} = {text}"


@every_method
def test_a_number_out_of_range_is_refused_in_python_as_on_the_command_line(name: str) -> None:
    kind = methods.find(name)
    for setting in numeric_settings(name):
        wrong = {setting.name: setting.kind(-1)}
        said = f"{setting.name} is {wrong[setting.name]}; it must be {setting.allowed}"
        for ask in (lambda own: kind(None, **own), lambda own: methods.parse_settings(kind, own)):
            with pytest.raises(UserError) as refused:
                ask(wrong)
            assert str(refused.value) == said
