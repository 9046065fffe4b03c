"""An assessment as lines of text for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

NAME, CELL = 36, 14


def lines_of(evidence: Mapping[str, Any]) -> list[str]:
    """Return the evidence as lines: accuracies in per cent with spread, differences in points."""
    found: list[str] = []
    for task in evidence["tasks"]:
        found += [*_task_lines(task, seeds=len(evidence["seeds"])), ""]
    if evidence["unfinished"]:
        found += [f"not measured yet: {', '.join(evidence['unfinished'])}", ""]
    return [*found[:-1]]


def _task_lines(task: Mapping[str, Any], *, seeds: int) -> list[str]:
    labels = [amount["labels"] for amount in task["amounts"]]
    spread = f"± deviation over {seeds} seeds" if seeds > 1 else "one seed"
    lines = [
        f"{task['train']} → {task['test']}: accuracy in % on {task['test_images']:,} test images, "
        f"{spread}",
        _line("labels", [f"{number:,}" for number in labels]),
    ]
    for row in task["rows"]:
        lines.append(_line(row["title"], [_share(point) for point in row["points"]]))
    lines.append(_line("majority class", [f"{100 * task['majority']:.1f}"]))
    lines.append("balanced accuracy in %")
    for row in task["rows"]:
        cells = [f"{100 * point['balanced']:.1f}" for point in row["points"]]
        lines.append(_line(row["title"], cells))
    lines.append("differences in points, paired, with 95 % intervals")
    for found in task["differences"]:
        name = f"{found['first']} over {found['second']}"
        lines.append(f"{name}: " + "  ".join(_points(point) for point in found["points"]))
    lines += [_overtaken(found) for found in task["differences"] if "overtaken" in found]
    lines += [_unsupervised(found) for found in task["unsupervised"]]
    lines += [*_repeats(task), task["sentence"]]
    return lines


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<{NAME}}" + "".join(f"{cell:<{CELL}}" for cell in cells).rstrip()


def _share(point: Mapping[str, Any]) -> str:
    deviation = point["deviation"]
    return f"{100 * point['mean']:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")


def _points(point: Mapping[str, Any]) -> str:
    mean, low, high = (100 * point[name] for name in ("mean", "low", "high"))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _overtaken(found: Mapping[str, Any]) -> str:
    where = found["overtaken"]
    if where is None:
        return f"{found['second']} overtakes {found['first']}: not within this data"
    sure = "" if where["surely"] else ", but within the spread"
    if where["from the first"]:
        return f"{found['second']} leads {found['first']} from the fewest labels measured on{sure}"
    return (
        f"{found['second']} overtakes {found['first']} at about {where['labels']:,.0f} labels{sure}"
    )


def _unsupervised(found: Mapping[str, Any]) -> str:
    clusters, retrieval = found["clusters"], found["retrieval"]
    mean = retrieval["mean_average_precision"]
    return (
        f"{found['arm']}, without labels: k-means NMI {clusters['nmi']:.3f}, ARI "
        f"{clusters['ari']:.3f}, accuracy {100 * clusters['accuracy']:.1f} %; "
        f"retrieval mAP {'–' if mean is None else f'{mean:.3f}'}"
    )


def _repeats(task: Mapping[str, Any]) -> list[str]:
    lines = [task["repeats"]["sentence"]]
    if task["repeats"]["repeats"]:
        for row in task["rows"]:
            if row["without_repeats"] is not None:
                share = 100 * row["without_repeats"]
                lines.append(f"{row['title']}, most labels, without them: {share:.1f} %")
    return lines
