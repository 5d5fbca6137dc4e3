"""The course of an episode, two policies side by side, and the case as a file."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from polyguard_env.reward.columns import COLUMNS
from polyguard_serving.workbench.case import DRAWN, Case
from polyguard_serving.workbench.drawings import lines
from polyguard_serving.workbench.views.parts import EMPTY, table
from polyguard_serving.workbench.views.words import sentence, words


def course(case: Case) -> str:
    """Risk and reward over the steps taken; before the first, the risk as it is."""
    over_time = case.risk_over_time()
    if not case.steps:
        return _risk_now(over_time[0])
    series = {"total": [r["total"] for r in over_time]}
    for name in (*DRAWN, "other"):
        values = [r[name] for r in over_time]
        if any(values):
            series[name.replace("_", " ")] = values
    charts = lines("Risk: weight of the findings", dict(list(series.items())[:6]), "steps taken")
    rewards = {"reward": [s.reward for s in case.steps]}
    for name in case.steps[0].channels:
        rewards[name.replace("_", " ")] = [s.channels[name] for s in case.steps]
    charts += lines("Reward and its channels", rewards, "step", top=1.0, first=1)
    return f"<div class='pg-charts'>{charts}</div>" + _steps(case) + _columns(case)


def _risk_now(risk: dict[str, float]) -> str:
    """The risk before any step."""
    named = [(words(name), value) for name, value in risk.items() if value or name == "total"]
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{value:.1f}</dd></div>" for name, value in named)
    told = EMPTY.format("No step taken yet. This is the weight of the findings now; each step adds to its course.")
    return f"{told}<dl class='pg-facts'>{facts}</dl>"


def _steps(case: Case) -> str:
    rows = [
        f"<tr><th scope='row'>{s.number}</th><td>{escape(sentence(s.text))}</td><td>{escape(s.by)}</td><td>{s.day}</td>"
        f"<td>{s.reward:.3f}</td><td>{'yes' if s.legal else 'no'}</td>"
        f"<td>{escape(', '.join(words(r) for r in s.reasons) or 'none')}</td></tr>"
        for s in case.steps
    ]
    return table("Steps", ("Step", "Action", "By", "Day", "Reward", "Legal", "Reasons"), rows)


def _columns(case: Case) -> str:
    heads = ("Column", *(f"Step {s.number}" for s in case.steps))
    rows = []
    for name in COLUMNS:
        cells = "".join(
            f"<td>{_meter(s.columns[name])}</td>" if name in s.columns else "<td>none</td>" for s in case.steps
        )
        rows.append(f"<tr><th scope='row'>{escape(words(name.removesuffix('_score')))}</th>{cells}</tr>")
    return f"<details><summary>All reward columns</summary>{table('Reward columns', heads, rows)}</details>"


def _meter(value: float) -> str:
    share = max(0.0, min(1.0, value))
    bar = f"<span class='pg-meter' aria-hidden='true'><span style='width:{share:.0%}'></span></span>"
    return f"{bar}{value:.2f}"


def comparison(names: Sequence[str], cases: Sequence[Case]) -> str:
    """Two policies on the same case, side by side."""
    heads = ("", *names)
    ends = [case.observation.info for case in cases]
    harm = [len(info.get("events", [])) for info in ends]
    rows = [
        _side("Episode reward", [f"{info.get('episode_reward', 0.0):.3f}" for info in ends]),
        _side("Harm events", [str(number) for number in harm]),
        _side("Steps", [str(len(case.steps)) for case in cases]),
        _side("Findings left", [str(len(case.findings())) for case in cases]),
        _side("Risk left", [f"{case.risk_over_time()[-1]['total']:.1f}" for case in cases]),
    ]
    for number in range(max(len(case.steps) for case in cases)):
        taken = [case.steps[number] if number < len(case.steps) else None for case in cases]
        rows.append(
            _side(f"Step {number + 1}", [f"{sentence(t.text)} ({t.reward:.2f})" if t else "ended" for t in taken])
        )
    labels = [f"{name} ({side})" if names[0] == names[1] else name for name, side in zip(names, "AB", strict=True)]
    risk = lines(
        "Risk after each step",
        {name: [r["total"] for r in case.risk_over_time()] for name, case in zip(labels, cases, strict=True)},
        "steps taken",
    )
    reward = lines(
        "Reward of each step",
        {name: [s.reward for s in case.steps] for name, case in zip(labels, cases, strict=True)}, "step", 1.0, 1,
    )  # fmt: skip
    return table("Two policies on the same case", heads, rows) + f"<div class='pg-charts'>{risk}{reward}</div>"


def _side(name: str, values: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(value)}</td>" for value in values)
    return f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>"


def export_link(case: Case, active_model: dict[str, Any]) -> str:
    """A link that saves the case as JSON; nothing is written on the server."""
    body = json.dumps(case.exported(active_model), indent=2, ensure_ascii=False)
    data = base64.b64encode(body.encode("utf-8")).decode("ascii")
    name = re.sub(r"[^A-Za-z0-9-]+", "-", case.title).strip("-").lower() or "case"
    return (
        f"<a class='pg-export' download='polyguard-{escape(name)}.json' href='data:application/json;base64,{data}'>"
        "Export this case (JSON)</a>"
    )
