"""A policy's choice with its explanation, and how an episode ended."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from polyguard_serving.workbench.case import Case
from polyguard_serving.workbench.views.parts import EMPTY, severity, table
from polyguard_serving.workbench.views.words import CATEGORY_WORDS, sentence, why, words

SHOWN_EFFECTS = 5


def decision(case: Case) -> str:
    """The policy's choice with its explanation, the critic's word and every agent's note."""
    made = case.decision
    if case.done:
        return outcome(case)
    if made is None:
        return EMPTY.format("Nobody has been asked about this step yet. Choose who decides, then press Ask.")
    confidence = made["action"].get("confidence")
    sure = f", confidence {confidence:.0%}" if confidence is not None else ""
    vetoes = "".join(
        f"<li><strong>{escape(sentence(veto['text']))}</strong>: "
        f"{escape('; '.join(reason['text'] for reason in veto['reasons']))}</li>"
        for veto in made["vetoes"]
    )
    critic = f"<p>The critic vetoed:</p><ul>{vetoes}</ul>" if vetoes else "<p>The critic had no objection.</p>"
    if made["abstained"]:
        critic += "<p><strong>Every choice was vetoed; the safest idle action is proposed instead.</strong></p>"
    effects = made["trace"][-1]["details"]
    explanation = "".join(
        f"<div><dt>{title}</dt><dd>{_effect_list(effects[key])}</dd></div>"
        for key, title in (("resolved", "It resolves"), ("added", "It adds"), ("left", "It leaves, of major findings"))
        if effects.get(key)
    )
    if effects.get("untreated"):
        lost = ", ".join(words(name) for name in effects["untreated"])
        explanation += f"<div><dt>Left without treatment</dt><dd>{escape(lost)}</dd></div>"
    explanation = explanation or "<div><dt>Effect</dt><dd>It changes no finding.</dd></div>"
    notes = "".join(
        f"<li><strong>{escape(note['agent'])}</strong> {escape(note['says'])}</li>" for note in made["trace"]
    )
    passages = [p for note in made["trace"] for p in note["details"].get("passages", ())]
    evidence = "".join(
        f"<li>{escape(p['text'])} <code>{escape(p['passage_id'])}</code> ({escape(p['source'])}, {p['year']})</li>"
        for p in passages
    )
    forecasts: Sequence[dict[str, Any]] = next(
        (n["details"]["forecasts"] for n in made["trace"] if "forecasts" in n["details"]), ()
    )
    return (
        f"<div class='pg-decision'><p class='pg-choice'>{escape(made['candidate']['text'])}</p>"
        f"<p class='pg-by'>chosen by {escape(made['by'])}{sure}</p><dl class='pg-effects'>{explanation}</dl>"
        f"<h3>The critic's word</h3>{critic}"
        + (
            f"<details><summary>Evidence found ({len(passages)})</summary><ul>{evidence}</ul></details>"
            if evidence
            else ""
        )
        + f"<details><summary>What each action would do</summary>{_forecasts(forecasts)}</details>"
        f"<details><summary>What each agent said</summary><ol>{notes}</ol></details></div>"
    )


def _effect_list(found: Sequence[dict[str, Any]]) -> str:
    """Findings of an effect, each with its severity."""
    items = []
    for finding in found[:SHOWN_EFFECTS]:
        names = " + ".join(words(drug) for drug in finding["drugs"])
        reason = why(finding["category"], finding["mechanism"])
        reason = reason if any(letter.isupper() for letter in reason[1:4]) else reason[:1].lower() + reason[1:]
        what = f"{CATEGORY_WORDS[finding['category']].lower()}: {reason}"
        items.append(f"<li>{severity(finding['severity'])} {escape(names)} ({escape(what)})</li>")
    if len(found) > SHOWN_EFFECTS:
        items.append(f"<li>and {len(found) - SHOWN_EFFECTS} more</li>")
    return f"<ul>{''.join(items)}</ul>"


def _forecasts(found: Sequence[dict[str, Any]]) -> str:
    rows = [
        f"<tr><th scope='row'>{escape(sentence(f['text']))}</th><td>{f['value']:+.1f}</td><td>{len(f['resolved'])}</td>"
        f"<td>{len(f['added'])}</td><td>{escape(', '.join(words(o) for o in f['objections']) or 'none')}</td></tr>"
        for f in found
    ]
    return table("Forecast of each action", ("Action", "Weight taken away", "Resolves", "Adds", "Objections"), rows)


def outcome(case: Case) -> str:
    """How an episode ended."""
    info = case.observation.info
    events = info.get("events", [])
    steps = "1 step" if len(case.steps) == 1 else f"{len(case.steps)} steps"
    harm = (
        "<ul>" + "".join(f"<li>Day {e.get('day', '?')}: {escape(_event(e))}</li>" for e in events) + "</ul>"
        if events
        else "<p>No harm event.</p>"
    )
    return (
        f"<div class='pg-decision'><p class='pg-choice'>The episode is over.</p>"
        f"<p>Episode reward <strong>{info.get('episode_reward', 0.0):.3f}</strong> over {steps}.</p>"
        f"<h3>Harm</h3>{harm}</div>"
    )


def _event(event: dict[str, Any]) -> str:
    category, _, rest = str(event.get("finding_id", "harm")).partition(":")
    about = ", ".join(words(part) for part in rest.split(":")) if rest else ""
    named = CATEGORY_WORDS.get(category, words(category))
    return f"{named}{': ' if about else ''}{about} ({'severe' if event.get('severe') else 'not severe'})"
