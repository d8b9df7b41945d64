"""The distribution of password ages against the limit, as SVG."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .answers import TOO_OLD
from .digest import Digest

_SVG = "http://www.w3.org/2000/svg"
# What is drawn in these is shown in the page's own colours, the style sheet's variables of these names. The numbers
# only have to differ.
_COLOURS = {
    name: f"#0a0b{number:02x}" for number, name in enumerate(("ink", "rule", "fresh", "expiring", "old", "exempt"))
}
# States that look the same, in the order in which they are stacked.
KINDS = {
    "fresh": ("within the limit", ("fresh",)),
    "expiring": ("soon too old", ("expiring",)),
    "old": ("too old: stale, held, in grace", TOO_OLD),
    "exempt": ("exempt", ("exempt",)),
}
# A limit is cut into this many bars, and this many limits are shown before all that is older becomes one bar.
_BARS = 6
_MOST_LIMITS = 4
_MOST_LINES = 3


@dataclass(frozen=True)
class Bar:
    """The users of an interval of ages, by kind; without an end, all that are older."""

    start: int
    end: int | None
    counts: dict[str, int]

    @property
    def label(self) -> str:
        """The interval in days, both ends included."""
        if self.end is None:
            return f"{self.start:,} and more"
        return f"{self.start:,}" if self.end == self.start + 1 else f"{self.start:,} to {self.end - 1:,}"

    @property
    def users(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def bars(digest: Digest) -> list[Bar]:
    """The bars of the figure. The limit of most users lies between two of them."""
    if not digest.ages:
        return []
    limit = max(1, _main_limit(digest))
    oldest = max(age for age, _ in digest.ages)
    limits = min(max(2, oldest // limit + 1), _MOST_LIMITS)
    edges = sorted({round(step * limit / _BARS) for step in range(limits * _BARS + 1)})
    kind_of = {state: kind for kind, (_, states) in KINDS.items() for state in states}

    def bar(start: int, end: int | None) -> Bar:
        counts = dict.fromkeys(KINDS, 0)
        for (age, state), users in digest.ages.items():
            if start <= age and (end is None or age < end):
                counts[kind_of[state]] += users
        return Bar(start, end, counts)

    drawn = [bar(start, end) for start, end in zip(edges, edges[1:], strict=False)]
    return [*drawn, bar(edges[-1], None)] if oldest >= edges[-1] else drawn


def _main_limit(digest: Digest) -> int:
    return max(digest.limits, key=lambda limit: (digest.limits[limit], limit))


def draw(digest: Digest, alternative: str) -> Markup:
    """The figure, for a page that defines its colours; `alternative` says in words what it shows."""
    drawn = bars(digest)
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "font.size": 10,
        "text.color": _COLOURS["ink"],
        "axes.edgecolor": _COLOURS["rule"],
        "axes.labelcolor": _COLOURS["ink"],
        "xtick.color": _COLOURS["rule"],
        "ytick.color": _COLOURS["rule"],
        "xtick.labelcolor": _COLOURS["ink"],
        "ytick.labelcolor": _COLOURS["ink"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
    }
    with matplotlib.rc_context():
        # Whatever the caller's own settings are.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style)
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        _draw(figure, digest, drawn)
        file = io.StringIO()
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    return _for_the_page(file.getvalue(), alternative)


def _draw(figure: Figure, digest: Digest, drawn: list[Bar]) -> None:
    axes = figure.subplots()
    limit, end = max(1, _main_limit(digest)), drawn[-1].end or drawn[-1].start
    # What is older than the axis reaches stands beside it, as wide as a bar.
    width = limit / _BARS
    places = [(bar.start, bar.end) if bar.end else (bar.start + width, bar.start + 2 * width) for bar in drawn]
    below = [0] * len(drawn)
    for kind in KINDS:
        heights = [bar.counts[kind] for bar in drawn]
        seen = [number for number, height in enumerate(heights) if height]
        axes.bar(
            [places[number][0] for number in seen],
            [heights[number] for number in seen],
            width=[(places[number][1] - places[number][0]) * 0.92 for number in seen],
            bottom=[below[number] for number in seen],
            align="edge",
            **_look(kind),
        )
        below = [sum(pair) for pair in zip(below, heights, strict=True)]
    for (start, stop), bar in zip(places, drawn, strict=True):
        if bar.users:
            axes.annotate(
                _short(bar.users),
                ((start + stop) / 2, bar.users),
                (0, 3),
                textcoords="offset points",
                ha="center",
                size=8,
            )
    limits = [limit for limit in sorted(digest.limits) if limit <= end]
    _mark_limits(axes, limits)
    ticks = list(range(0, end + 1, limit))
    labels = [f"{tick:,}" for tick in ticks]
    if drawn[-1].end is None:
        ticks.append((places[-1][0] + places[-1][1]) / 2)
        labels.append("older")
    axes.set_xticks(ticks, labels)
    axes.set_xlim(0, places[-1][1])
    axes.set_ylim(0, max(bar.users for bar in drawn) * 1.3)
    axes.set_xlabel("age of the password in days")
    axes.set_ylabel("users")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=_COLOURS["rule"], linewidth=0.5, alpha=0.4)
    axes.set_axisbelow(True)
    patches = [Patch(label=label, **_look(kind)) for kind, (label, _) in KINDS.items()]
    figure.legend(handles=patches, loc="outside upper left", ncols=len(patches), frameon=False, handlelength=1)


def _short(number: int) -> str:
    """As wide as a bar at most."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number / 1000:.{1 if number < 100_000 else 0}f}k"


def _look(kind: str) -> dict[str, Any]:
    # Exempt users as outlines: told apart without any colour.
    return {"facecolor": "none" if kind == "exempt" else _COLOURS[kind], "edgecolor": _COLOURS[kind], "linewidth": 1}


def _mark_limits(axes: matplotlib.axes.Axes, limits: list[int]) -> None:
    top = axes.get_xaxis_transform()
    if len(limits) > _MOST_LINES:
        axes.axvspan(limits[0], limits[-1], facecolor=_COLOURS["rule"], alpha=0.2, linewidth=0, zorder=0)
        lines, labels = [limits[0], limits[-1]], [f"limits {limits[0]:,}", f"to {limits[-1]:,}"]
    else:
        lines, labels = limits, [f"limit {limit:,}" for limit in limits]
    for number, (line, label) in enumerate(zip(lines, labels, strict=True)):
        axes.axvline(line, color=_COLOURS["ink"], linewidth=1.5, linestyle=(0, (4, 2)))
        # One below the other: limits may lie close together.
        place = {"xycoords": top, "textcoords": "offset points", "va": "top"}
        axes.annotate(label, (line, 1), (4, -2 - 12 * number), weight="bold", **place)


def _for_the_page(svg: str, alternative: str) -> Markup:
    xml.register_namespace("", _SVG)
    xml.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = xml.fromstring(svg)
    # It would hold for the whole page.
    for defs in root.findall(f"{{{_SVG}}}defs"):
        for style in defs.findall(f"{{{_SVG}}}style"):
            defs.remove(style)
    for size in ("width", "height"):
        del root.attrib[size]
    root.set("role", "img")
    root.set("aria-label", alternative)
    names = {colour: name for name, colour in _COLOURS.items()}
    text = xml.tostring(root, encoding="unicode")
    return Markup(re.sub(r"#0a0b\w\w", lambda found: f"var(--{names[found[0]]})", text))
