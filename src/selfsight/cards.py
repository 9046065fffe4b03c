"""What each method is, in lines of text: `selfsight methods` and `selfsight methods NAME`."""

import textwrap
from typing import Any

from selfsight import methods

WIDTH = 96
BATCH = 256  # the batch for which "knows nothing" is printed


def list_lines() -> list[str]:
    """Return a few lines a method: its name and the first sentence of its idea."""
    lines = []
    for name in methods.names():
        first = methods.find(name).card.idea.split(". ")[0]
        lines += _wrapped(f"{name:<15} {first}.", first="", others=" " * 16)
    return [*lines, "", "Everything about one: selfsight methods NAME"]


def card_lines(name: str) -> list[str]:
    """Return all that is known about a method. Raises UserError for an unknown name."""
    kind = methods.find(name)
    card, recipe = kind.card, kind.recipe
    lines = [name, ""]
    for title, text in (
        ("Idea", card.idea),
        ("Paper", card.paper),
        ("Deviations", card.deviations),
        ("Where public codes disagree", card.choices),
        ("How it fails", card.fails),
        ("Knows nothing", _knows_nothing(kind)),
        (
            "Recipe",
            f"{recipe.optimiser}, rate {recipe.lr:g} at batch 256, weight decay "
            f"{recipe.weight_decay:g}; change them with --optimiser, --lr, --weight-decay",
        ),
    ):
        lines += _paragraph(title, text) if text else []
    settings = methods.settings_of(kind).values()
    lines.append("Settings (--set NAME=VALUE)" if settings else "Settings: none")
    for setting in settings:
        lines.append(f"  {setting.name} = {setting.default}")
        allowed = f" ({setting.allowed})" if setting.allowed else ""
        lines += _wrapped(setting.help + allowed, first=" " * 6, others=" " * 6)
    return lines


def _knows_nothing(kind: Any) -> str:
    from selfsight.nets.encoder import build_encoder

    encoder = build_encoder(kind.smallest_encoder, image_size=32, mean=[0.5] * 3, std=[0.25] * 3)
    method = kind(encoder)
    said = f"a loss of {method.knows_nothing(BATCH):.3f} at batch {BATCH}"
    collapsed = method.collapsed(BATCH)
    return said if collapsed is None else f"{said}; equal outputs for all images: {collapsed:.3f}"


def _paragraph(title: str, text: str) -> list[str]:
    return [title, *_wrapped(text, first="  ", others="  "), ""]


def _wrapped(text: str, *, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )
