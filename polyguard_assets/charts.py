"""Charts as small PNGs for metadata and reports. matplotlib is imported inside: definitions must not load it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

LARGEST_PNG = 100_000
COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3")


def _figure(width: float = 6.4, height: float = 3.4) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    for dpi in (110, 80, 60, 45):
        sink = BytesIO()
        figure.savefig(sink, format="png", dpi=dpi)
        if sink.tell() <= LARGEST_PNG:
            break
    return sink.getvalue()


def inline(png: bytes, title: str) -> str:
    """Markdown that shows a PNG in the Dagster UI."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"


def interval_bars(summaries: Mapping[str, Mapping[str, Any]], value: str, interval: str, title: str) -> bytes:
    """Bars with 95% intervals, one per policy."""
    figure, axes = _figure()
    names = list(summaries)
    heights = [summaries[name][value] for name in names]
    # A Wilson bound at exactly 0 or 1 may miss the share itself by a rounding error.
    low = [max(0.0, h - summaries[name][interval][0]) for h, name in zip(heights, names, strict=True)]
    high = [max(0.0, summaries[name][interval][1] - h) for h, name in zip(heights, names, strict=True)]
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    axes.bar(names, heights, yerr=[low, high], color=colours, capsize=4)
    axes.set_title(title)
    axes.set_ylim(0, 1)
    axes.tick_params(axis="x", rotation=20)
    return _png(figure)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], title: str, x: str, y: str) -> bytes:
    """One line per series of (x, y) points."""
    figure, axes = _figure()
    for place, (name, points) in enumerate(series.items()):
        axes.plot([p[0] for p in points], [p[1] for p in points], label=name, color=COLOURS[place % len(COLOURS)])
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if len(series) > 1:
        axes.legend()
    return _png(figure)


def counts(values: Mapping[str, float], title: str) -> bytes:
    """Horizontal bars, largest first."""
    figure, axes = _figure()
    ordered = sorted(values.items(), key=lambda pair: pair[1])
    axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=COLOURS[0])
    axes.set_title(title)
    return _png(figure)


def grouped_bars(groups: Mapping[str, Mapping[str, float]], title: str) -> bytes:
    """Bars by group, one colour per inner key: {group: {name: value}}."""
    figure, axes = _figure(7.2, 3.6)
    names = list(next(iter(groups.values())))
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        offsets = [number + place * width for number in range(len(groups))]
        heights = [group.get(name, 0.0) for group in groups.values()]
        axes.bar(offsets, heights, width, label=name, color=COLOURS[place % len(COLOURS)])
    axes.set_xticks([number + 0.4 - width / 2 for number in range(len(groups))], list(groups), rotation=20)
    axes.set_title(title)
    axes.legend(fontsize=7, ncols=4)
    return _png(figure)
