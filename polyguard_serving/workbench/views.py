"""What the Workbench shows, as HTML: the person, the regimen, findings, choices, the course. Text is always escaped."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from polyguard_env.agents.observed import is_known
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import Patient
from polyguard_env.patients.reading import measurement_table
from polyguard_env.reward.columns import COLUMNS
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import kidney_function
from polyguard_serving.policy.types import ModelStatus
from polyguard_serving.workbench.case import DRAWN, Case
from polyguard_serving.workbench.drawings import lines, network

CATEGORY_WORDS = {
    "interaction": "Interaction", "drug_disease": "Drug and disease", "organ_dosing": "Dose", "burden": "Burden",
    "duplication": "Duplicate", "omission": "Missing treatment", "monitoring": "Monitoring", "withdrawal": "Withdrawal",
}  # fmt: skip
SEVERITY_MARK = {"contraindicated": "●●●●", "major": "●●●", "moderate": "●●", "minor": "●"}
SHOWN_FINDINGS, SHOWN_EFFECTS = 12, 5
UPPER = re.compile(r"\b(qtc?|cyp\w*|ecg|inr|cns|nsaids?|acb|dbi|ck|tsh|alt|ddi|ckd|copd|hiv)\b", re.IGNORECASE)
MIXED = {"QTC": "QTc", "NSAIDS": "NSAIDs"}
SOURCE_WORDS = {"grpo_adapter": "GRPO adapter", "merged": "merged model"}
EMPTY = "<p class='pg-empty'>{}</p>"


def words(term: str) -> str:
    """A controlled term for a person: "qt_prolongation" is "QT prolongation"."""
    text = term.replace("_", " ")
    return UPPER.sub(lambda found: MIXED.get(found[0].upper(), found[0].upper()), text[:1].upper() + text[1:])


def header() -> str:
    """The banner every view has."""
    return (
        "<header class='pg-head'><h1>Patient Workbench</h1>"
        "<p>Review a regimen, ask a policy what it would do, and follow what comes of it.</p></header>"
        f"<p class='pg-banner' role='note'><strong>Research only.</strong> {escape(DISCLAIMER)} "
        "Enter no real person's data.</p>"
    )


def chip(status: ModelStatus) -> str:
    """Which model would speak."""
    words_of = {
        "absent": "none: rule-based policy and agents only", "not_started": "loads when first asked",
        "loading": "loading", "ready": f"ready ({SOURCE_WORDS.get(status.source, status.source)})",
        "failed": "does not load",
    }  # fmt: skip
    name = escape(status.label or "Active model")
    more = f"<span class='pg-why'>{escape(status.reason)}</span>" if status.reason else ""
    if status.fallback_reason:
        more += f"<span class='pg-why'>Fallback: {escape(status.fallback_reason)}</span>"
    return (
        f"<div class='pg-chip pg-chip-{status.state}' role='status'><span class='pg-dot' aria-hidden='true'></span>"
        f"<strong>{name}</strong> <span>{escape(words_of[status.state])}</span>{more}</div>"
    )


def error(problem: Exception | None) -> str:
    """A refusal for a person; nothing without one."""
    if problem is None:
        return ""
    field, fix = getattr(problem, "field", "input"), getattr(problem, "fix", str(problem))
    value = getattr(problem, "value", "")
    shown = f" <code>{escape(str(value)[:120])}</code>" if value not in ("", None) else ""
    return (
        f"<div class='pg-error' role='alert'><strong>{escape(words(str(field)))}</strong>{shown}: {escape(fix)}</div>"
    )


def person(case: Case) -> str:
    """Who the patient is."""
    patient = case.patient()
    kidney = kidney_function(patient)
    facts = [
        ("Age", f"{patient.age}, {'woman' if patient.sex == 'F' else 'man'}"),
        ("Size", f"{patient.weight:g} kg, {patient.height:g} cm"),
        ("Kidneys", f"CrCl {kidney['crcl']:.0f} mL/min" if "crcl" in kidney else "not known"),
        ("Frailty", f"{patient.frailty} of 9"),
        ("Falls", f"{patient.falls} in the last year"),
        ("Conditions", ", ".join(words(name) for name in patient.conditions) or "none known"),
        ("Allergies", _allergies(case, patient)),
    ]
    if patient.child_pugh:
        facts.insert(3, ("Liver", f"Child-Pugh {patient.child_pugh}"))
    labs = [lab for name, value in sorted(patient.measurements.items()) if (lab := _lab(name, value))]
    if labs:
        facts.append(("Labs", ", ".join(labs)))
    hidden = case.observation.patient.get("to_check", ())
    if hidden:
        facts.append(("Not known yet", ", ".join(words(name) for name in hidden)))
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    notes = "".join(f"<li>{escape(note)}</li>" for note in case.notes)
    if case.left_out:
        left = ", ".join(words(name) for name in case.left_out)
        notes += f"<li>Reviewed, but without a formulary profile and so not part of the episode: {escape(left)}.</li>"
    return f"<h2>{escape(case.title)}</h2><dl class='pg-facts'>{rows}</dl>" + (
        f"<ul class='pg-notes'>{notes}</ul>" if notes else ""
    )


def _allergies(case: Case, patient: Patient) -> str:
    if case.given is None and case.observation.patient.get("allergies") is None:
        return "not looked up yet"
    return ", ".join(words(name) for name in patient.allergies) or "none known"


def _lab(name: str, value: float) -> str:
    if name in ("crcl", "egfr"):
        return ""
    unit = measurement_table().get(name, {}).get("unit", "")
    return f"{words(name)} {value:g} {unit}".strip()


def regimen(case: Case) -> str:
    """The drugs as taken."""
    knowledge, seen = case.env.knowledge, {e["drug_id"]: e for e in case.observation.regimen}
    rows = []
    for item in case.patient().regimen:
        drug, entry = knowledge.drug(item.drug_id), seen.get(item.drug_id)
        unit = drug.profile.dose_unit if drug.profile else ""
        dose = "not known" if item.dose is None else f"{item.dose:g} {unit}/day"
        if case.given is not None and not case.steps and _dose_was_assumed(case.given, item.drug_id):
            dose += " (usual dose, assumed)"
        marks = [
            word
            for word, on in (("tapering", entry and entry["tapering"]), ("withdrawal", entry and entry["withdrawal"]))
            if on
        ]
        for_what = words(item.indication) if item.indication else "not stated"
        roles = [f["text"] for f in entry["facts"] if f["code"]] if entry else []
        rows.append(
            f"<tr><th scope='row'>{escape(drug.name)}</th><td>{escape(dose)}{_tags(marks)}</td>"
            f"<td>{escape(for_what)}</td><td>{escape('; '.join(roles[:5]) or 'none listed')}</td></tr>"
        )
    for entry in case.observation.regimen:
        if not is_known(entry):
            dose = f"{entry['dose']:g} {escape(entry['unit'])}/day{_tags(['not looked up yet'])}"
            cells = "<td>not known</td><td>not known yet</td>"
            rows.append(f"<tr><th scope='row'>{escape(words(entry['name']))}</th><td>{dose}</td>{cells}</tr>")
    return _table("Regimen", ("Drug", "Daily dose", "For", "Roles the agent sees"), rows)


def _dose_was_assumed(patient: Patient, drug_id: str) -> bool:
    return any(item.drug_id == drug_id and item.dose is None for item in patient.regimen)


def _tags(marks: Sequence[str]) -> str:
    return "".join(f" <span class='pg-tag'>{escape(mark)}</span>" for mark in marks)


def findings_table(found: Sequence[Finding], knowledge: KnowledgeBase) -> str:
    """What is wrong, worst first, with what it rests on."""
    if not found:
        return EMPTY.format("No findings: nothing in the tables speaks against this regimen.")
    rows = [_finding_row(finding, knowledge) for finding in found]
    table = _table(f"{len(found)} findings, worst first", FINDING_HEADS, rows[:SHOWN_FINDINGS])
    rest = rows[SHOWN_FINDINGS:]
    if rest:
        inner = _table("Further findings", FINDING_HEADS, rest)
        table += f"<details><summary>{len(rest)} further findings</summary>{inner}</details>"
    return table


FINDING_HEADS = ("Severity", "What", "Drugs", "Because", "What to do", "Evidence")


def _finding_row(finding: Finding, knowledge: KnowledgeBase) -> str:
    names = " + ".join(knowledge.drugs[d].name if d in knowledge.drugs else words(d) for d in finding.drugs)
    what_to_do = words(finding.management)
    if finding.limit is not None:
        what_to_do += f" to at most {finding.limit:g} a day"
    if finding.measurement and finding.category != "omission":
        what_to_do += "; check " + _inside(finding.measurement)
    evidence = " ".join(f"<code>{escape(name)}</code>" for name in finding.evidence_ids[:3])
    return (
        f"<tr class='pg-row-{finding.severity}'><td>{severity(finding.severity)}</td>"
        f"<td>{escape(CATEGORY_WORDS[finding.category])}</td><th scope='row'>{escape(names)}</th>"
        f"<td>{escape(words(finding.mechanism))}</td><td>{escape(what_to_do)}</td><td>{evidence}</td></tr>"
    )


def _inside(term: str) -> str:
    """A term within a sentence: "potassium", but "INR"."""
    shown = words(term)
    return shown if shown[:2].isupper() else shown[:1].lower() + shown[1:]


def severity(name: str) -> str:
    """A severity as a mark and a word."""
    mark = f"<span aria-hidden='true'>{SEVERITY_MARK[name]}</span>"
    return f"<span class='pg-sev pg-sev-{name}'>{mark} {escape(name)}</span>"


def picture(case: Case, found: Sequence[Finding]) -> str:
    """The interaction network."""
    knowledge = case.env.knowledge
    drugs = [(item.drug_id, knowledge.drug(item.drug_id).name) for item in case.patient().regimen]
    if len(drugs) < 2:
        return EMPTY.format("Interactions need two drugs; this regimen has fewer.")
    return network(drugs, found)


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
        f"<li><strong>{escape(veto['text'])}</strong>: {escape('; '.join(r['text'] for r in veto['reasons']))}</li>"
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
        what = f"{CATEGORY_WORDS[finding['category']].lower()}, {_inside(finding['mechanism'])}"
        items.append(f"<li>{severity(finding['severity'])} {escape(names)} ({escape(what)})</li>")
    if len(found) > SHOWN_EFFECTS:
        items.append(f"<li>and {len(found) - SHOWN_EFFECTS} more</li>")
    return f"<ul>{''.join(items)}</ul>"


def _forecasts(found: Sequence[dict[str, Any]]) -> str:
    rows = [
        f"<tr><th scope='row'>{escape(f['text'])}</th><td>{f['value']:+.1f}</td><td>{len(f['resolved'])}</td>"
        f"<td>{len(f['added'])}</td><td>{escape(', '.join(words(o) for o in f['objections']) or 'none')}</td></tr>"
        for f in found
    ]
    return _table("Forecast of each action", ("Action", "Weight taken away", "Resolves", "Adds", "Objections"), rows)


def outcome(case: Case) -> str:
    """How an episode ended."""
    info = case.observation.info
    events = info.get("events", [])
    harm = (
        "<ul>" + "".join(f"<li>Day {e.get('day', '?')}: {escape(_event(e))}</li>" for e in events) + "</ul>"
        if events
        else "<p>No harm event.</p>"
    )
    return (
        f"<div class='pg-decision'><p class='pg-choice'>The episode is over.</p>"
        f"<p>Episode reward <strong>{info.get('episode_reward', 0.0):.3f}</strong> over {len(case.steps)} steps.</p>"
        f"<h3>Harm</h3>{harm}</div>"
    )


def _event(event: dict[str, Any]) -> str:
    category, _, rest = str(event.get("finding_id", "harm")).partition(":")
    about = ", ".join(words(part) for part in rest.split(":")) if rest else ""
    named = CATEGORY_WORDS.get(category, words(category))
    return f"{named}{': ' if about else ''}{about} ({'severe' if event.get('severe') else 'not severe'})"


def course(case: Case) -> str:
    """Risk and reward over the steps taken."""
    over_time = case.risk_over_time()
    series = {"total": [r["total"] for r in over_time]}
    for name in (*DRAWN, "other"):
        values = [r[name] for r in over_time]
        if any(values):
            series[name.replace("_", " ")] = values
    charts = lines("Risk: weight of the findings", dict(list(series.items())[:6]), "steps taken")
    if not case.steps:
        return charts + EMPTY.format("Take a step to see rewards.")
    rewards = {"reward": [s.reward for s in case.steps]}
    for name in case.steps[0].channels:
        rewards[name.replace("_", " ")] = [s.channels[name] for s in case.steps]
    charts += lines("Reward and its channels", rewards, "step", top=1.0, first=1)
    return f"<div class='pg-charts'>{charts}</div>" + _steps(case) + _columns(case)


def _steps(case: Case) -> str:
    rows = [
        f"<tr><th scope='row'>{s.number}</th><td>{escape(s.text)}</td><td>{escape(s.by)}</td><td>{s.day}</td>"
        f"<td>{s.reward:.3f}</td><td>{'yes' if s.legal else 'no'}</td>"
        f"<td>{escape(', '.join(words(r) for r in s.reasons) or 'none')}</td></tr>"
        for s in case.steps
    ]
    return _table("Steps", ("Step", "Action", "By", "Day", "Reward", "Legal", "Reasons"), rows)


def _columns(case: Case) -> str:
    heads = ("Column", *(f"Step {s.number}" for s in case.steps))
    rows = []
    for name in COLUMNS:
        cells = "".join(
            f"<td>{_meter(s.columns[name])}</td>" if name in s.columns else "<td>none</td>" for s in case.steps
        )
        rows.append(f"<tr><th scope='row'>{escape(words(name.removesuffix('_score')))}</th>{cells}</tr>")
    return f"<details><summary>All reward columns</summary>{_table('Reward columns', heads, rows)}</details>"


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
        rows.append(_side(f"Step {number + 1}", [f"{t.text} ({t.reward:.2f})" if t else "ended" for t in taken]))
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
    return _table("Two policies on the same case", heads, rows) + f"<div class='pg-charts'>{risk}{reward}</div>"


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


def _table(caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    top = "".join(f"<th scope='col'>{escape(head)}</th>" if head else "<td></td>" for head in heads)
    return (
        f"<div class='pg-scroll' tabindex='0' role='region' aria-label='{escape(caption, quote=True)}'><table>"
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
