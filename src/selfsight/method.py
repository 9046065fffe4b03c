"""What a self-supervised method is: views in, a loss out.

A method is a torch module with an encoder inside. The loop asks it for views of a batch, hands them
back to `forward`, minimises the loss and calls `after_step`. Its settings are the keyword-only
arguments of its `__init__`, annotated with their range and one line of help each, so that the
command line, the documentation and Python see the same thing.

A batch of loose images becomes targets inside `forward`: labels have no way in.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from selfsight.nets.encoder import Encoder
from selfsight.ranges import demand_ranges

Images = Shaped[Tensor, "batch channels height width"]  # uint8, or float in [0, 1]
Views = list[Float[Tensor, "batch channels _h _w"]]


class Step(NamedTuple):
    """What one forward pass returns. A tuple, because the engine casts precision through tuples.

    loss: the scalar to minimise.
    watched: the vectors in which a collapse would show, one row an image (any scale).
    logs: further scalars worth a line in the records, by name.
    """

    loss: Float[Tensor, ""]
    watched: Float[Tensor, "n dim"]
    logs: Mapping[str, Float[Tensor, ""]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The optimiser that suits a method, with its rates at batch 256."""

    optimiser: str
    lr: float
    weight_decay: float


@dataclass(frozen=True, slots=True)
class Card:
    """What `selfsight methods NAME` prints: for a reader who has not met the method."""

    idea: str  # three sentences
    paper: str  # authors, title, venue, year, arXiv number
    deviations: str  # where this code departs from the paper, and why
    fails: str  # how it fails and how one sees it
    choices: str = ""  # where public codes disagree, and what is taken here


@dataclass(frozen=True, slots=True)
class Situation:
    """What a default may have to adapt to."""

    images: int  # training images
    batch: int  # images that pass at once, over all processes
    image_size: int  # px
    accumulate: int = 1  # batches a step
    chunk: int | None = None  # views that an encoder computes at a time, or all
    grey: bool = False  # whether no image has a colour


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One default changed to suit a situation, with the reason that the user is shown."""

    setting: str
    value: float | int | str
    reason: str


class Method(nn.Module, ABC):
    """The contract that every file in `methods/` fulfils; `tests/test_method_contract.py` holds it.

    Queues, centres and counters are buffers, so that a checkpoint has them; randomness comes from
    torch's global generator, which the loop seeds at each step; `forward` leaves teachers alone.
    `views` may be asked for the same images again: from the same random state it gives the same.
    """

    card: ClassVar[Card]
    recipe: ClassVar[Recipe]
    scale_matters: ClassVar[bool] = False  # whether the loss asks watched vectors for a deviation
    vectors_tell: ClassVar[bool] = True  # False: a task that few directions solve; its loss tells
    compares_images: ClassVar[bool] = False  # whether a loss needs the whole batch (`chunks.py`)
    remedies: ClassVar[Mapping[str, str]] = {}  # by mode of collapse: which setting to change first
    smallest_encoder: ClassVar[str] = "convnet"  # one that it works with: for tests and examples

    encoder: Encoder
    views: Callable[[Images], Views]

    def __new__(cls, *_: object, **settings: object) -> "Method":
        """Raise UserError for a setting out of its declared range, before anything is built."""
        demand_ranges(cls.__init__, settings)
        return super().__new__(cls)

    @abstractmethod
    def forward(self, views: Views, progress: float) -> Step:
        """Return the loss of a batch of views; `progress` is the trained fraction in [0, 1)."""

    @abstractmethod
    def knows_nothing(self, batch: int) -> float:
        """Return the loss that a network without knowledge has on a batch of `batch` images."""

    def perfect(self, batch: int) -> float:  # noqa: ARG002
        """Return the loss of a network that solves the task."""
        return 0.0

    def collapsed(self, batch: int) -> float | None:  # noqa: ARG002
        """Return the loss when all outputs are equal, or None if that is no fixed number."""
        return None

    def after_step(self, progress: float) -> None:
        """Run once after each optimiser step; teachers that follow the encoder move here."""

    @property
    def groups(self) -> int:
        """Return into how many equal groups a batch is cut: images come in multiples of it."""
        return 1

    @property
    def exported(self) -> Encoder:
        """Return the encoder to keep."""
        return self.encoder

    @property
    def projection_head(self) -> nn.Sequential:
        """Return the layers on the exported encoder that are thrown away; empty without any.

        A head by the name of `projector` is found by itself.
        """
        found = dict(self.named_children()).get("projector", nn.Sequential())
        assert isinstance(found, nn.Sequential)
        return found

    def heads_to_measure(self) -> dict[str, nn.Module]:
        """Return heads on the exported encoder that are measured beside it, by name: none."""
        return {}

    def pictured(self, views: Views) -> Views:
        """Return what the network is shown of the views, for a reader: the views themselves."""
        return views

    def shown(self, images: Images) -> Views:
        """Return what the network would be shown of a batch of images, for a reader."""
        device = next(self.parameters()).device
        return self.pictured([view.to(device) for view in self.views(images)])

    def param_groups(self) -> list[dict[str, object]]:
        """Return the optimiser's groups.

        A group with `fixed_rate` keeps its rate all the way; one with `clip` has each tensor's
        gradient shortened to that length.
        """
        return [{"params": [weight for weight in self.parameters() if weight.requires_grad]}]

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:  # noqa: ARG003
        """Return the defaults to change for a situation: none, unless a method says otherwise."""
        return []

    def demand_fit(self, situation: Situation) -> None:
        """Raise UserError for settings that cannot work in a situation; nothing, as a rule."""
