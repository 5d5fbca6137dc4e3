"""Controlled terms in words for a person."""

from __future__ import annotations

import re

CATEGORY_WORDS = {
    "interaction": "Interaction", "drug_disease": "Drug and disease", "organ_dosing": "Dose", "burden": "Burden",
    "duplication": "Duplicate", "omission": "Missing treatment", "monitoring": "Monitoring", "withdrawal": "Withdrawal",
    "measurement": "Measured value",
}  # fmt: skip
# Terms whose words stand in another order, or say too little alone.
TERMS = {
    "infection_bacterial": "Bacterial infection", "infection_fungal": "Fungal infection",
    "infection_viral": "Viral infection", "cancer_other": "Other cancer",
    "glaucoma_angle_closure": "Angle-closure glaucoma", "glaucoma_open_angle": "Open-angle glaucoma",
    "parkinsons_disease": "Parkinson's disease", "huntingtons_disease": "Huntington's disease",
    "agitation_dementia": "Agitation in dementia", "heartburn_nsaid_prophylaxis": "Stomach protection with an NSAID",
    "ddi": "Interaction of two drugs (DDI)", "hba1c": "HbA1c",
}  # fmt: skip
# Why a finding is one, where the term alone does not tell.
WHY = {
    ("burden", "avoid"): "Best avoided in older adults", ("burden", "dbi"): "Drug Burden Index",
    ("burden", "acb"): "Anticholinergic burden (ACB)", ("burden", "fall_risk"): "Several drugs that raise fall risk",
    ("burden", "cns_depression"): "Several drugs that sedate", ("organ_dosing", "renal"): "Kidney function",
    ("organ_dosing", "hepatic"): "Liver function", ("organ_dosing", "maximum"): "Above the highest dose at this age",
    ("organ_dosing", "interval"): "Taken too often",
    ("organ_dosing", "composite"): "Dose for this age, weight and kidneys",
    ("monitoring", "missing_measurement"): "No result on file",
    ("duplication", "same_ingredient"): "The same ingredient twice",
}  # fmt: skip
TO_DO = {("omission", "add"): "Consider adding it", ("monitoring", "monitor"): "Have it measured"}
SHORT = re.compile(
    r"\b(qtc?|cyp\w*|ecg|inr|cns|nsaids?|acb|dbi|ck|tsh|alt|ddi|ckd|copd|hiv|bp|gerd|bph|adhd|gi|g6pd|b12|hfref|hfpef|"
    r"psa|aptt|wbc|ssris?|snris?|maois?|ppis?|arbs?|ace|ptsd)\b",
    re.IGNORECASE,
)
MIXED = {
    "QTC": "QTc", "NSAIDS": "NSAIDs", "HFREF": "HFrEF", "HFPEF": "HFpEF", "APTT": "aPTT", "SSRIS": "SSRIs",
    "SNRIS": "SNRIs", "MAOIS": "MAOIs", "PPIS": "PPIs", "ARBS": "ARBs",
}  # fmt: skip


def words(term: str) -> str:
    """A controlled term for a person: "qt_prolongation" is "QT prolongation"."""
    if term in TERMS:
        return TERMS[term]
    return SHORT.sub(lambda found: MIXED.get(found[0].upper(), found[0].upper()), sentence(term.replace("_", " ")))


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def inside(term: str) -> str:
    """A term within a sentence: "potassium", but "INR"."""
    shown = words(term)
    return shown if any(letter.isupper() for letter in shown[1:4]) else shown[:1].lower() + shown[1:]


def why(category: str, mechanism: str) -> str:
    """Why a finding is one: its mechanism, for a person."""
    if category == "duplication" and (category, mechanism) not in WHY:
        kinds, same = [part.partition(":") for part in mechanism.split(";")], "Same class"
        if all(kind == "drug" for kind, _, _ in kinds):
            same = "Same kind of drug"
        return f"{same}: {', '.join(inside(name or kind) for kind, _, name in kinds)}"
    return WHY.get((category, mechanism)) or words(mechanism)


def to_do(category: str, management: str) -> str:
    """What to do about a finding, for a person."""
    return TO_DO.get((category, management)) or words(management)
