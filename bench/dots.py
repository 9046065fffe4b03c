"""A picture for benchmarks: accuracies as dots on one axis, one row a name."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, RIGHT, ROW = 720, 190, 30, 34  # px
INK, SOFT, MAIN, OTHER = "#1d1e20", "#62656a", "#1f5f99", "#b3541e"
KINDS = {"probe": ("linear probe", MAIN), "knn": ("kNN", OTHER)}


def dots(rows: Mapping[str, Sequence[Mapping[str, float]]], *, title: str, ours: str) -> str:
    """Return an SVG with a dot for each seed's probe and kNN accuracy, the best probe on top.

    rows: by name, the shares "probe" and "knn" of each seed. ours: the name that stands out.
    """
    order = sorted(rows, key=lambda name: -max(row["probe"] for row in rows[name]))
    shares = [row[kind] for found in rows.values() for row in found for kind in KINDS]
    low, high = int(10 * min(shares)) / 10, -int(-10 * max(shares)) / 10 + 0.1
    bottom = 64 + ROW * len(order)

    def place(share: float) -> float:
        return LEFT + (share - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 30}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{bottom + 30}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="15">{escape(title)}</text>',
    ]
    for number, (words, tone) in enumerate(KINDS.values()):
        drawn.append(f'<circle cx="{LEFT + 130 * number}" cy="42" r="5" fill="{tone}"/>')
        drawn.append(f'<text x="{LEFT + 130 * number + 12}" y="46" fill="{SOFT}">{words}</text>')
    for tick in range(round(100 * low), round(100 * high) + 1, 10):
        x = place(tick / 100)
        drawn.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="56" y2="{bottom}" stroke="#e2e1db"/>')
        drawn.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" fill="{SOFT}" '
            f'text-anchor="middle">{tick} %</text>'
        )
    for number, name in enumerate(order):
        y = 64 + ROW * (number + 0.5)
        weight = ' font-weight="bold"' if name == ours else ""
        drawn.append(
            f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end"{weight}>{escape(name)}</text>'
        )
        for row in rows[name]:
            for kind, (_, tone) in KINDS.items():
                drawn.append(
                    f'<circle cx="{place(row[kind]):.1f}" cy="{y}" r="5" fill="{tone}" '
                    'fill-opacity="0.7"/>'
                )
    return "\n".join([*drawn, "</svg>", ""])
