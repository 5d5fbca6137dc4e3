"""Pictures as SVG: the interaction network, and lines over steps. Colours never carry a meaning alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from polyguard_env.risk.findings import Finding

# Severity to colour, line width and dashes.
STROKE = {
    "contraindicated": ("#9b1c31", 5.0, ""),
    "major": ("#b4480f", 3.5, ""),
    "moderate": ("#8a6d00", 2.5, "7 4"),
    "minor": ("#5b6573", 1.5, "2 4"),
}
LINE_COLOURS = ("#1f4e79", "#b4480f", "#0f7a5c", "#6b3fa0", "#9b1c31", "#5b6573")
LINE_DASHES = ("", "8 4", "2 3", "10 3 2 3", "5 5", "1 4")
# Round numbers from 1 to 10.
ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
NETWORK_WIDTH, NETWORK_HEIGHT = 600, 430
CHART_WIDTH, CHART_HEIGHT, LEFT, BOTTOM, TOP = 560, 250, 44, 34, 14


def network(drugs: Sequence[tuple[str, str]], findings: Sequence[Finding]) -> str:
    """The regimen as a ring of drugs, a line for each interacting pair.

    Args:
        drugs: drug id and name, in the order of the ring.
        findings: those of two or more drugs are drawn.
    """
    pairs = edges_of(drugs, findings)
    middle_x, middle_y = NETWORK_WIDTH / 2, NETWORK_HEIGHT / 2 - 14
    across, down = NETWORK_WIDTH / 2 - 150, NETWORK_HEIGHT / 2 - 62
    place = {}
    for number, (drug_id, _) in enumerate(drugs):
        angle = 2 * math.pi * number / max(len(drugs), 1) - math.pi / 2
        place[drug_id] = (middle_x + across * math.cos(angle), middle_y + down * math.sin(angle))
    parts = []
    for (a, b), severity in sorted(pairs.items(), key=lambda entry: STROKE[entry[1]][1]):
        colour, width, dashes = STROKE[severity]
        (x1, y1), (x2, y2) = place[a], place[b]
        # Bent towards the middle, so that lines of neighbours are told apart.
        bend_x, bend_y = (x1 + x2) / 2 * 0.75 + middle_x * 0.25, (y1 + y2) / 2 * 0.75 + middle_y * 0.25
        parts.append(
            f'<path d="M{x1:.0f} {y1:.0f} Q{bend_x:.0f} {bend_y:.0f} {x2:.0f} {y2:.0f}" fill="none" stroke="{colour}" '
            f'stroke-width="{width}" stroke-dasharray="{dashes}" stroke-linecap="round"/>'
        )
    involved = {drug for pair in pairs for drug in pair}
    for drug_id, name in drugs:
        x, y = place[drug_id]
        fill = "#1f4e79" if drug_id in involved else "#ffffff"
        parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="9" fill="{fill}" stroke="#1f4e79" stroke-width="2"/>')
        side = "start" if x > middle_x + 5 else "end" if x < middle_x - 5 else "middle"
        dx = {"start": 15, "end": -15, "middle": 0}[side]
        dy = 5 if side != "middle" else (-16 if y < middle_y else 26)
        parts.append(
            f'<text x="{x + dx:.0f}" y="{y + dy:.0f}" text-anchor="{side}" class="pg-node">'
            f"{escape(_short(name))}</text>"
        )
    legend, at = [], 16
    for severity, (colour, width, dashes) in STROKE.items():
        y = NETWORK_HEIGHT - 16
        legend.append(
            f'<line x1="{at}" y1="{y}" x2="{at + 34}" y2="{y}" stroke="{colour}" stroke-width="{width}" '
            f'stroke-dasharray="{dashes}"/><text x="{at + 42}" y="{y + 5}" class="pg-axis">{severity}</text>'
        )
        at += 170 if severity == "contraindicated" else 138
    if not pairs:
        parts.append(
            f'<text x="{middle_x:.0f}" y="{middle_y + 5:.0f}" text-anchor="middle" class="pg-axis">'
            f"no interaction among these drugs</text>"
        )
    counted = {s: sum(1 for found in pairs.values() if found == s) for s in STROKE}
    told = ", ".join(f"{number} {severity}" for severity, number in counted.items() if number) or "no interactions"
    label = f"Interaction network of {len(drugs)} drugs: {told}. The table of findings lists each."
    return _svg(NETWORK_WIDTH, NETWORK_HEIGHT, label, "".join(parts + legend))


def edges_of(drugs: Sequence[tuple[str, str]], findings: Sequence[Finding]) -> dict[tuple[str, str], str]:
    """Pairs to draw with their worst severity; combinations of three or more join each of their drugs."""
    known = {drug_id for drug_id, _ in drugs}
    found: dict[tuple[str, str], str] = {}
    for finding in findings:
        if finding.category not in ("interaction", "duplication") and not finding.finding_id.startswith("combination:"):
            continue
        names = [drug for drug in finding.drugs if drug in known]
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                # Findings come worst first.
                found.setdefault((a, b) if a < b else (b, a), finding.severity)
    return found


def lines(
    title: str, series: Mapping[str, Sequence[float]], x_name: str, top: float | None = None, first: int = 0
) -> str:
    """Lines over steps, with a legend; each has its own colour, dashes and points.

    Args:
        series: label to values, one per step from `first` on.
        top: of the scale; the highest value rounded up when None.
    """
    longest = max((len(values) for values in series.values()), default=0)
    highest = max((max(values, default=0.0) for values in series.values()), default=0.0)
    scale = top or _round_scale(highest)
    width, height = CHART_WIDTH - LEFT - 12, CHART_HEIGHT - TOP - BOTTOM
    step = width / max(longest - 1, 1)
    parts = []
    for tick in range(5):
        value = scale * tick / 4
        y = TOP + height * (1 - tick / 4)
        parts.append(f'<line x1="{LEFT}" y1="{y:.0f}" x2="{CHART_WIDTH - 12}" y2="{y:.0f}" class="pg-grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" class="pg-axis">{value:g}</text>')
    for place in range(longest):
        x = LEFT + (step * place if longest > 1 else width / 2)
        parts.append(
            f'<text x="{x:.0f}" y="{TOP + height + 18}" text-anchor="middle" class="pg-axis">{place + first}</text>'
        )
    for number, (_, values) in enumerate(series.items()):
        colour, dashes = LINE_COLOURS[number % len(LINE_COLOURS)], LINE_DASHES[number % len(LINE_DASHES)]
        points = [
            (LEFT + (step * i if longest > 1 else width / 2), TOP + height * (1 - min(value, scale) / scale))
            for i, value in enumerate(values)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    parts.append(
        f'<text x="{LEFT + width / 2:.0f}" y="{CHART_HEIGHT - 2}" text-anchor="middle" class="pg-axis">'
        f"{escape(x_name)}</text>"
    )
    legend = "".join(
        f'<li><svg width="30" height="10" aria-hidden="true"><line x1="0" y1="5" x2="30" y2="5" '
        f'stroke="{LINE_COLOURS[n % len(LINE_COLOURS)]}" stroke-width="3" '
        f'stroke-dasharray="{LINE_DASHES[n % len(LINE_DASHES)]}"/></svg>{escape(label)}</li>'
        for n, label in enumerate(series)
    )
    last = ", ".join(f"{label} {values[-1]:.2f}" for label, values in series.items() if values)
    picture = _svg(CHART_WIDTH, CHART_HEIGHT, f"{title}. Last values: {last or 'none yet'}.", "".join(parts))
    return f'<figure class="pg-chart"><figcaption>{escape(title)}</figcaption>{picture}<ul>{legend}</ul></figure>'


def _round_scale(highest: float) -> float:
    """The end of a scale of four equal parts, each a round number."""
    part = max(highest, 1e-9) / 4
    size = 10.0 ** math.floor(math.log10(part))
    return 4 * size * next(step for step in ROUND if step * size >= part * (1 - 1e-9)) if highest > 0 else 4.0


def _svg(width: int, height: int, label: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, quote=True)}" '
        f'class="pg-picture" preserveAspectRatio="xMidYMid meet">{content}</svg>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 22 else name[:21] + "…"
