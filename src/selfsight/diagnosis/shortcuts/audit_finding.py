"""The view audit, told: do views share content, and does an operation destroy the label?"""

from collections.abc import Sequence

from selfsight.diagnosis.finding import Column, Finding, Row, Table, Tone
from selfsight.diagnosis.shortcuts.audit import DESTROYED, DRAWS, Audit
from selfsight.diagnosis.shortcuts.overlap import LITTLE, Overlap
from selfsight.diagnosis.shortcuts.permutation import LEVEL, PERMUTATIONS
from selfsight.diagnosis.shortcuts.wording import joined, percent, sure

NAME, TITLE = "views", "What views keep"
OFTEN = 0.1  # share of pairs without a common pixel from which it is said to be often


def audit_finding(overlaps: Sequence[Overlap], audit: Audit | None) -> Finding:
    """Return what was measured as a finding.

    overlaps: of each kind of pair, none if a method makes single views. audit: None without labels.
    """
    alarms = [one for one in audit.operations if one.alarm] if audit else []
    word, tone = _word(overlaps, audit)
    parts = [_shared(overlaps)]
    if audit is None:
        parts.append(
            "With no labels, or too few, it cannot be asked what an operation destroys of them."
        )
    elif audit.whole.p > LEVEL:
        parts.append(
            "The reader tells nothing of the label from untouched images, so nothing can be said "
            "of what operations destroy."
        )
    elif alarms:
        losses = [
            f"{one.name} destroys {percent(min(1.0, one.destroyed))} of it ({sure(one.p)})"
            for one in sorted(alarms, key=lambda one: -one.destroyed)
        ]
        parts.append(
            f"Of the label that is read from untouched images, {joined(losses)}: weaken it, or "
            "leave it out, if that is what the encoder is wanted for."
        )
    else:
        parts.append(
            f"No operation by itself surely destroys {percent(DESTROYED)} or more of the label "
            "that is read from untouched images; all together were not tried."
        )
    return Finding(
        name=NAME,
        title=TITLE,
        word=word,
        tone=tone,
        sentence=" ".join(parts),
        tables=(*_overlap_tables(overlaps), *_operation_tables(audit)),
        protocol={
            "views": DRAWS,
            "alarm": f"p of at most {LEVEL:g} (sign-flip test, {PERMUTATIONS} flips, Holm over "
            f"operations) and {DESTROYED:.0%} destroyed",
            "reader": "a small network, trained anew on views of each operation: a trained encoder "
            "has forgotten already what its views change",
        },
    )


def _word(overlaps: Sequence[Overlap], audit: Audit | None) -> tuple[str, Tone]:
    if audit and any(one.alarm for one in audit.operations):
        return "views destroy the label", "bad"
    if any(one.none >= OFTEN for one in overlaps):
        return "views often apart", "doubtful"
    if audit is None or audit.whole.p > LEVEL:
        return "views share content" if overlaps else "single views", "neutral"
    if any(one.destroyed >= DESTROYED for one in audit.operations):
        return "not sure", "neutral"
    return "views keep the label", "good"


def _shared(overlaps: Sequence[Overlap]) -> str:
    if not overlaps:
        return "The method makes one view of an image, so there is nothing for views to share."
    pairs = sum(one.pairs for one in overlaps)
    none, little = (
        sum(one.pairs * value for one, value in zip(overlaps, values, strict=True)) / pairs
        for values in ([one.none for one in overlaps], [one.little for one in overlaps])
    )
    return (
        f"Two views of an image share no pixel in {percent(none)} of the draws, and less than "
        f"{percent(LITTLE)} of the smaller one in {percent(little)}."
    )


def _overlap_tables(overlaps: Sequence[Overlap]) -> list[Table]:
    if not overlaps:
        return []
    rows = [
        Row(
            " and ".join(f"{low:g} to {high:g}" for low, high in one.areas),
            (one.common, one.union, one.none, one.little, float(one.pairs)),
            tone="doubtful" if one.none >= OFTEN else "neutral",
        )
        for one in overlaps
    ]
    return [
        Table(
            "overlap",
            "How much of the image two views share",
            (
                Column("common", "share", drawn=True, about="of the smaller view, on average"),
                Column("union", "share", about="intersection over union, on average"),
                Column("nothing", "share", about="of pairs"),
                Column("little", "share", about=f"less than {percent(LITTLE)} of the smaller"),
                Column("pairs", "number", about="of each image"),
            ),
            tuple(rows),
            "By the boxes that the augmentation draws.",
            "areas of the two views",
        )
    ]


def _operation_tables(audit: Audit | None) -> list[Table]:
    if audit is None:
        return []
    rows = [
        Row(
            one.name,
            (one.reading.accuracy, one.loss, one.destroyed, one.p),
            note=one.setting,
            levels=(("chance", audit.whole.chance), ("untouched", audit.whole.accuracy.value)),
            tone="bad" if one.alarm else "neutral",
        )
        for one in audit.operations
    ]
    return [
        Table(
            "operations",
            "What one operation by itself leaves of the label",
            (
                Column("read from views", "share", drawn=True),
                Column("loss", "points"),
                Column("destroyed", "share", about="of what is read beyond chance"),
                Column("p", "p"),
            ),
            tuple(rows),
            "Balanced accuracy of a linear probe fitted on such views and asked about such views "
            "of held-out images, as often and as strong as in training.",
            "operation",
        )
    ]
