"""One person by number: age, body, kidneys, frailty, falls and common conditions, correlated.

Counter-based: a number gives the same person anywhere, whatever was drawn before.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.patients.model import Patient
from polyguard_env.risk.index import RuleIndex

ALLERGENS = ("penicillins", "sulfonamides", "macrolides", "nsaids")
COMMON_CONDITIONS: tuple[tuple[str, float], ...] = (
    ("hypertension", 0.66),
    ("dyslipidaemia", 0.50),
    ("osteoarthritis", 0.35),
    ("diabetes", 0.25),
    ("coronary_artery_disease", 0.20),
    ("atrial_fibrillation", 0.10),
    ("hfref", 0.06),
    ("copd", 0.12),
    ("depression", 0.13),
    ("osteoporosis", 0.17),
    ("gerd", 0.20),
    ("dementia", 0.08),
    ("stroke", 0.08),
    ("peptic_ulcer", 0.04),
    ("parkinsons_disease", 0.015),
    ("orthostatic_hypotension", 0.06),
    ("constipation", 0.15),
    ("insomnia", 0.15),
)
PERSON_STREAM = 0x706F6C79


def person_at(number: int, index: RuleIndex) -> Patient:
    """The person with this number (0 or more), without a regimen.

    Creatinine follows age and a log-normal spread, so that about a third have CrCl under 60 mL/min.
    """
    rng = np.random.Generator(np.random.Philox(key=PERSON_STREAM, counter=[0, 0, number, 0]))
    age = int(65 + min(35.0, rng.gamma(2.0, 5.2)))
    sex = "F" if rng.random() < 0.56 else "M"
    height = float(rng.normal(160 if sex == "F" else 174, 6.5))
    weight = float(np.clip(rng.normal(26.5, 4.5), 17, 45) * (height / 100) ** 2)
    decline = 1.0 + 0.012 * (age - 65)
    creatinine = float(np.clip((0.78 if sex == "F" else 0.95) * decline * rng.lognormal(0.0, 0.32), 0.4, 6.0))
    conditions = [c for c, share in COMMON_CONDITIONS if rng.random() < share]
    if creatinine > 1.5:
        conditions.append("ckd")
    frailty = int(np.clip(round(rng.normal(3 + (age - 75) / 10, 1.2)), 1, 8))
    falls = int(rng.poisson(0.15 + 0.12 * frailty))
    allergies = tuple(a for a in ALLERGENS if rng.random() < 0.05)
    measurements = {
        "creatinine": round(creatinine, 2),
        "potassium": round(float(rng.normal(4.3 + 0.25 * max(0.0, creatinine - 1.2), 0.35)), 1),
        "sodium": round(float(rng.normal(139.5, 2.6)), 0),
        "heart_rate": round(float(rng.normal(72, 9)), 0),
        "systolic_bp": round(float(rng.normal(134, 15)), 0),
        "qtc": round(float(rng.normal(425, 18)), 0),
        "haemoglobin": round(float(rng.normal(13.3, 1.3)), 1),
    }
    return Patient(
        patient_id=f"p{number:010d}",
        age=age,
        sex="F" if sex == "F" else "M",
        weight=round(weight, 1),
        height=round(height, 1),
        conditions=tuple(sorted(conditions)),
        measurements=measurements,
        frailty=frailty,
        falls=falls,
        allergies=allergies,
    )
