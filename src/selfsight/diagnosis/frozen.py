"""Has a frozen encoder collapsed? What its features alone can tell, without the training.

While a run goes on, the vectors that its method watches are judged (`collapse.py`). Here there are
only features, which after a ReLU share a direction by nature: those of a healthy untrained ResNet
may have a mean cosine of 0.99. So the thresholds of `collapse.py` count only where the untrained
twin, measured on the same images, does not cross them too.
"""

from jaxtyping import Float
from torch import Tensor

from selfsight.diagnosis.collapse import COMPLETE, DIMENSIONAL, RANK, SPREAD, Collapse
from selfsight.diagnosis.finding import Column, Finding, Row, Table
from selfsight.diagnosis.spread import effective_rank, ideal_spread, mean_cosine, spread


def collapse_finding(
    features: Float[Tensor, "images dim"], untrained: Float[Tensor, "images dim"], *, trained: str
) -> Finding:
    """Return whether the features have collapsed, as a finding.

    trained: the collapse that the run itself was stopped or warned for, "" for none or unknown.
    """
    found = find_feature_collapse(features, untrained)
    columns = (Column("encoder", drawn=True), Column("untrained", drawn=True))
    ideal, dim = ideal_spread(features.shape[1]), features.shape[1]
    both = (features, untrained)
    rows = (
        Row(
            "spread",
            tuple(spread(part) / ideal for part in both),
            axis=(0.0, 1.0),
            facts=(("Range", "0: one direction, to 1: every direction alike"),),
            tone="bad" if found is COMPLETE else "neutral",
        ),
        Row(
            "mean cosine",
            tuple(mean_cosine(part) for part in both),
            axis=(0.0, 1.0),
            facts=(("Range", "1: one direction, 0: every direction alike"),),
        ),
        Row(
            "effective rank",
            tuple(effective_rank(part) for part in both),
            facts=(("Range", f"1 to {min(len(features) - 1, dim)}"),),
            levels=(("a line", RANK),),
            tone="bad" if found is DIMENSIONAL else "neutral",
        ),
    )
    table = Table("spread", "Spread of the features", columns, rows, head="number")
    protocol = {
        "images": len(features),
        "complete": f"spread below {SPREAD:g} of 1/sqrt(width) and of the untrained twin's",
        "dimensional": f"effective rank below {RANK:g} and below the untrained twin's",
    }
    word = found.mode if found else "none"
    said = f"{found}." if found else _healthy(features)
    if trained:
        word = found.mode if found else "in training"
        said += f" While it was trained, this run's own vectors had collapsed: {trained}."
    return Finding(
        "collapse",
        "Collapse",
        word,
        "bad" if found or trained else "good",
        said[0].upper() + said[1:],
        tables=(table,),
        protocol=protocol,
    )


def find_feature_collapse(
    features: Float[Tensor, "images dim"], untrained: Float[Tensor, "images dim"]
) -> Collapse | None:
    """Return the collapse that features show and the untrained twin's do not, or None."""
    ideal = ideal_spread(features.shape[1])
    if spread(features) < SPREAD * min(ideal, spread(untrained)):
        return COMPLETE
    rank = effective_rank(features)
    return DIMENSIONAL if rank < min(RANK, effective_rank(untrained)) else None


def _healthy(features: Float[Tensor, "images dim"]) -> str:
    rank, dim = effective_rank(features), features.shape[1]
    return (
        f"The features have not collapsed: they fill {rank:.1f} of {dim} directions evenly counted "
        f"and spread {spread(features) / ideal_spread(dim):.0%} as far as they could. "
        "That alone does not make them good."
    )
