"""What an assessment measures: amounts of labels, arms, protocols and seeds, as asked for.

A cell is one measurement: an arm by a protocol with an amount of labels drawn by a seed, in a task
(the images asked for, or those of the transfer).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from selfsight.data.splits import stratified_share, stratified_subset
from selfsight.errors import UserError, suggest

PROTOCOLS = ("knn", "linear", "finetune")
AGAINST = ("scratch", "random", "pixels")
DEFAULT_AMOUNTS = "1,2,5,10,25,100,all"


@dataclass(frozen=True, slots=True)
class Amount:
    """How many labels: so many of each class, or a share of each class (all: a share of 1)."""

    per_class: int | None
    share: float | None

    @property
    def name(self) -> str:
        """Return the amount in words: "5 per class", "1 %", "all"."""
        if self.per_class is not None:
            return f"{self.per_class} per class"
        assert self.share is not None
        return "all" if self.share == 1 else f"{100 * self.share:g} %"

    def rows(self, labels: Int[np.ndarray, "images"], *, seed: int) -> Int[np.ndarray, "rows"]:
        """Return the images whose labels are used, sorted; of a smaller class all."""
        if self.per_class is not None:
            return stratified_subset(labels, per_class=self.per_class, seed=seed)
        assert self.share is not None
        return stratified_share(labels, share=self.share, seed=seed)


@dataclass(frozen=True, slots=True)
class Task:
    """Images to draw labels from and to measure on, and where the labels of both are."""

    name: str
    train: str
    test: str
    labels: str
    test_labels: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that was asked for. transfer: two more folders, or ()."""

    encoder: str
    train: str
    test: str
    transfer: tuple[str, ...]
    labels: str
    test_labels: str
    amounts: tuple[Amount, ...]
    against: tuple[str, ...]
    protocols: tuple[str, ...]
    seeds: tuple[int, ...]
    effort: float
    precision: str  # of training with labels: "fp32" or "bf16"

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the task of the plan, and that of a transfer, which is labelled by folders."""
        main = Task("main", self.train, self.test, self.labels, self.test_labels)
        if not self.transfer:
            return (main,)
        train, test = self.transfer
        return main, Task("transfer", train, test, "auto", "auto")

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        content: dict[str, Any] = asdict(self)
        return content | {"amounts": [amount.name for amount in self.amounts]}


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement. Protocol "scratch" is that of the arm of the same name."""

    task: str
    arm: str
    protocol: str
    amount: Amount
    seed: int

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Return what tells this cell from all others."""
        return self.task, self.arm, self.protocol, self.amount.name, self.seed


def parse_amounts(per_class: str | None, fractions: str | None) -> tuple[Amount, ...]:
    """Return the amounts in two texts, "1,5,all" and "0.01,1", of which at most one is given.

    Raises UserError for both, and for what is no number of labels or no share.
    """
    if per_class is not None and fractions is not None:
        raise UserError("labels_per_class and fractions are both given; give one of them")
    words = _words(DEFAULT_AMOUNTS if per_class is None else per_class)
    read, option = _per_class, "labels_per_class"
    if fractions is not None:
        words, read, option = _words(fractions), _fraction, "fractions"
    if not words:
        raise UserError(f"{option} is empty; give numbers with commas between them")
    amounts = {read(word) for word in words}
    return tuple(sorted(amounts, key=lambda one: (one.share or 0.0, one.per_class or 0)))


def parse_protocols(text: str) -> tuple[str, ...]:
    """Return the protocols in a text such as "knn,linear". Raises UserError for an unknown one."""
    words = _words(text)
    for word in words:
        if word not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            raise UserError(
                f"no protocol {word!r}{suggest(word, list(PROTOCOLS))}; there are: {known}"
            )
    if not words:
        raise UserError(f"protocols is empty; give some of: {', '.join(PROTOCOLS)}")
    return tuple(name for name in PROTOCOLS if name in words)


def parse_against(text: str) -> tuple[str, ...]:
    """Return what the encoder is held against, as asked, each once. Raises UserError."""
    words = _words(text)
    for word in words:
        named = word in AGAINST or word.startswith("timm:")
        if not named and Path(word).suffix != ".safetensors":
            raise UserError(
                f"against {word!r}{suggest(word, list(AGAINST))}: give {', '.join(AGAINST)}, "
                "an encoder file (.safetensors), or timm:NAME"
            )
    return tuple(words)


def cells_of(
    plan: Plan, arms: dict[str, tuple[str, ...]], amounts: dict[str, tuple[Amount, ...]]
) -> Iterator[Cell]:
    """Yield all cells, those with few labels first. arms: the protocols of each; amounts: by task.

    So an assessment that is stopped holds the whole comparison for the small amounts.
    """
    for task in plan.tasks:
        for amount in amounts[task.name]:
            for seed in plan.seeds:
                for arm, protocols in arms.items():
                    for protocol in protocols:
                        yield Cell(task.name, arm, protocol, amount, seed)


def distinct(amounts: tuple[Amount, ...], labels: Int[np.ndarray, "images"]) -> tuple[Amount, ...]:
    """Return the amounts that differ with these labels: as many as the largest class has are all.

    labels: class numbers, -1 for none.
    """
    largest = int(np.bincount(labels[labels >= 0]).max())
    everything = Amount(None, 1.0)
    whole = [
        everything if amount.per_class is not None and amount.per_class >= largest else amount
        for amount in amounts
    ]
    sizes = {len(amount.rows(labels, seed=0)): amount for amount in whole}
    return tuple(amount for _, amount in sorted(sizes.items()))


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _per_class(word: str) -> Amount:
    if word == "all":
        return Amount(None, 1.0)
    if not word.isdecimal() or int(word) < 1:
        raise UserError(f"labels_per_class has {word!r}; give whole numbers from 1, or all")
    return Amount(int(word), None)


def _fraction(word: str) -> Amount:
    try:
        share = float(word)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f"fractions has {word!r}; give shares above 0 and up to 1")
    return Amount(None, share)
