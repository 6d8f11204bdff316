"""One picture of an app's three weeks: what each day cost, against what it would have cost. For `BENCH=whole`."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 300, 56, 34, 62

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a } .title { font-size: 14px; font-weight: 600 }
.before { fill: #b6bdc5 } .now { fill: #1a7f5a } line { stroke: #b6bdc5; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) { text { fill: #adb5bd } .before { fill: #4b535c } .now { fill: #3fb98a } }
"""


def drawn_weeks(cost: Sequence[int], baseline: Sequence[int], happened: Mapping[int, str], saved: float) -> str:
    """Return an SVG of each day's cost in micro-dollars and its `baseline`, with what `happened`, by day, and which
    share was `saved`."""
    most, step = max(baseline), (WIDTH - LEFT - 12) / len(cost)
    floor = HEIGHT - BOTTOM
    parts = [
        f'<text class="title" x="{LEFT}" y="18">Cost of the AI by day</text>',
        '<circle class="before" cx="244" cy="14" r="5"/>',
        '<text x="255" y="18">all at once, by one provider, no cache</text>',
        '<circle class="now" cx="504" cy="14" r="5"/>',
        f'<text x="515" y="18">as it was: {saved:.0%} less</text>',
    ]
    for tick in (0.5, 1.0):
        y = floor - (floor - TOP) * tick
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{most * tick / 10_000:.1f} ¢</text>')
    for day, (spent, before) in enumerate(zip(cost, baseline, strict=True)):
        x = LEFT + day * step
        for name, micros, inset in (("before", before, 2), ("now", spent, 5)):
            tall = (floor - TOP) * micros / most
            box = f'x="{x + inset:.1f}" y="{floor - tall:.1f}" width="{step - 2 * inset:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect class="{name}" {box} rx="2"/>')
        if day % 7 == 0:
            parts.append(f'<text x="{x + 2:.1f}" y="{floor + 16}">day {day + 1}</text>')
    for number, (day, what) in enumerate(sorted(happened.items())):
        x, y = LEFT + (day + 0.5) * step, floor + 34 + 15 * (number % 2)
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{escape(what)}</text>')
    told = f'role="img" aria-label="{_title(saved)}"'
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {told}><style>{_STYLE}</style>{"".join(parts)}</svg>\n'


def _title(saved: float) -> str:
    return f"Three weeks, day by day: {saved:.0%} less than all at once, by one provider, without a cache"
