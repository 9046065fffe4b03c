"""The verdict on a run in plain words, from what was measured and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARGIN = 0.01  # smallest gain over the untrained encoder that is called learning


@dataclass(frozen=True, slots=True)
class Verdict:
    """A word for programs and a sentence for people."""

    word: str  # learned, barely, worse, collapsed, diverged or unmeasured
    sentence: str


def judge(
    *,
    finite: bool,
    collapse: str,
    look: Mapping[str, Any],
    rows: Mapping[str, float],
    gain: tuple[float, float],
) -> Verdict:
    """Return the verdict on a run.

    finite: whether the last loss was a number. collapse: what the last look shows, empty if
    nothing. look: the last look at the run (loss_share, step), empty where no step was to be taken.
    rows: linear-probe accuracy by row name (encoder, untrained, pixels), empty without labels.
    gain: the confidence interval of the encoder's accuracy minus the untrained encoder's on the
    same images.
    """
    if not finite and not look:
        return Verdict(
            "diverged",
            "Diverged: some of the weights that were found are not numbers. Are there images that "
            "differ from each other?",
        )
    if not finite:
        return Verdict(
            "diverged",
            f"Diverged: the loss stopped being a number after step {look['step']}. "
            "Lower the learning rate (--lr) or use --precision fp32.",
        )
    if collapse:
        return Verdict("collapsed", f"Collapsed. {collapse[0].upper()}{collapse[1:]}.")
    if not rows:
        progress = "No gradient step was taken, so no loss tells of progress."
        if look:
            progress = (
                f"The loss has gone {look['loss_share']:z.0%} of the way from knowing nothing, and "
                "nothing has collapsed."
            )
        return Verdict(
            "unmeasured",
            f"Unmeasured: there are no labels of two or more classes to measure with. {progress}",
        )
    return _against_untrained(rows, gain, advice=": train longer." if look else ".")


def _against_untrained(
    rows: Mapping[str, float], gain: tuple[float, float], *, advice: str
) -> Verdict:
    encoder, untrained, pixels = rows["encoder"], rows["untrained"], rows["pixels"]
    numbers = (
        f"a linear probe reads {encoder:.1%} of the held-out images right from the encoder, "
        f"{untrained:.1%} from the untrained one, {pixels:.1%} from raw pixels"
    )
    low, high = gain
    interval = f"95% interval of the gain {100 * low:+.1f} to {100 * high:+.1f} points"
    if high < 0:
        return Verdict("worse", f"Worse than an untrained encoder: {numbers} ({interval}).")
    if low <= 0 or encoder - untrained < MARGIN:
        return Verdict(
            "barely", f"Barely above an untrained encoder, if at all: {numbers} ({interval})."
        )
    below = "" if encoder > pixels else f" Raw pixels are still as good{advice}"
    return Verdict("learned", f"Learned: {numbers} ({interval}).{below}")
