"""The closing sentence: did pretraining help, with how many labels, against what?

The encoder is ahead with some amount of labels if it is surely ahead of everything that needs no
pretraining (training from scratch, an untrained encoder, raw pixels): every interval lies above 0.
It is behind if one lies below. The sentence speaks of one way of the encoder, which is not chosen
by its numbers: the linear probe if it was measured, else fine-tuning, else kNN.
"""

from collections.abc import Sequence
from itertools import groupby

from selfsight.assessment.contrasts import ARMS, SCRATCH, Contrast, Way

WITHOUT = ("scratch", "untrained", "pixels")
AHEAD, LEVEL, BEHIND = "ahead", "level", "behind"
FROZEN = {
    "linear": "the frozen encoder",
    "finetune": "the fine-tuned encoder",
    "knn": "the frozen encoder (kNN)",
}


def main_protocol(protocols: Sequence[str]) -> str:
    """Return the protocol that the sentence speaks of."""
    return next(name for name in ("linear", "finetune", "knn") if name in protocols)


def closing(contrasts: Sequence[Contrast], *, protocol: str, seeds: int) -> str:
    """Return the sentence from the differences of the encoder's ways."""
    chosen = _against_nothing(contrasts, ("encoder", protocol))
    if not chosen:
        return "Nothing without pretraining was measured, so whether it helped is not known."
    labels = chosen[0].labels
    states = [_state(chosen, place) for place in range(len(labels))]
    groups = [
        (state, [place for place, _ in group])
        for state, group in groupby(enumerate(states), key=lambda pair: pair[1])
    ]
    parts = [_part(state, places, chosen, protocol) for state, places in groups]
    text = f"{_opening(states)}: {'; '.join(parts)}.{_fine_tuned(contrasts, protocol)}"
    if seeds == 1:
        text += " One seed only: the luck of the drawn labels is not in the intervals."
    return text


def _against_nothing(contrasts: Sequence[Contrast], way: Way) -> list[Contrast]:
    return [one for one in contrasts if one.first == way and one.second[0] in WITHOUT]


def _state(contrasts: Sequence[Contrast], place: int) -> str:
    points = [one.points[place] for one in contrasts]
    if any(point.high < 0 for point in points):
        return BEHIND
    return AHEAD if all(point.low > 0 for point in points) else LEVEL


def _opening(states: Sequence[str]) -> str:
    if all(state == AHEAD for state in states):
        return "Pretraining helped"
    if all(state == BEHIND for state in states):
        return "Pretraining did not help"
    if AHEAD not in states:
        return "Pretraining did not surely help"
    few = states[: states.index(AHEAD) + states.count(AHEAD)]
    if states[0] == AHEAD and set(few) == {AHEAD}:
        return "Pretraining helped where labels are few"
    return "Pretraining helped in part"


def _part(state: str, places: Sequence[int], contrasts: Sequence[Contrast], protocol: str) -> str:
    labels = contrasts[0].labels
    amounts = _amounts(labels, places)
    everything = _listed([ARMS[one.second[0]] for one in contrasts])
    subject = FROZEN[protocol]
    if state == AHEAD:
        least = 100 * min(one.points[place].mean for one in contrasts for place in places)
        return f"{amounts} {subject} was ahead of {everything} by {least:.1f} points or more"
    if state == BEHIND:
        surely = [
            (ARMS[one.second[0]], one.points[place].mean)
            for one in contrasts
            for place in places
            if one.points[place].high < 0
        ]
        most = -100 * min(mean for _, mean in surely)
        ahead = _listed([name for name, _ in surely])
        return f"{amounts} {subject} was behind {ahead}, by up to {most:.1f} points"
    others = f"all of {everything}" if len(contrasts) > 1 else everything
    return f"{amounts} {subject} was not surely ahead of {others}, nor surely behind"


def _fine_tuned(contrasts: Sequence[Contrast], protocol: str) -> str:
    """Return what to add of fine-tuning against training from scratch, or ""."""
    if protocol == "finetune":
        return ""
    for one in contrasts:
        if one.first == ("encoder", "finetune") and one.second == SCRATCH:
            states = [_state([one], place) for place in range(len(one.labels))]
            said = []
            for state in (AHEAD, LEVEL, BEHIND):
                places = [place for place, found in enumerate(states) if found == state]
                said += [f"{state} {_amounts(one.labels, places)}"] if places else []
            return f" Fine-tuned, against training from scratch, it was {', '.join(said)}."
    return ""


def _amounts(labels: Sequence[int], places: Sequence[int]) -> str:
    if len(places) == len(labels) and len(labels) > 1:
        return f"with every number of labels ({labels[0]:,} to {labels[-1]:,})"
    if len(places) > 2 and list(places) == list(range(places[0], places[-1] + 1)):
        return f"with {labels[places[0]]:,} to {labels[places[-1]]:,} labels"
    return f"with {_listed([f'{labels[place]:,}' for place in places])} labels"


def _listed(words: Sequence[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
