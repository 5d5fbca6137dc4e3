"""Bodies and conditions: age, sex, size, kidneys, and diseases that come together as in real cohorts.

A condition's logit is an intercept plus age, a shared latent multimorbidity and the conditions it
follows from. The intercepts are solved once, so that women and men of a reference population have the
prevalences of `prevalence.csv` whatever the other terms are.

The numbers of `make_body` are parameters of this project (2026), no published estimates: set so that the cohort meets
the published shares of age and sex (`census2022`), obesity (`nhanes2018`) and chronic kidney disease (`usrds2023`) of
`published.csv`, to which the check `cohort_is_plausible` holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from polyguard_env.patients.counter import normal, uniform
from polyguard_env.patients.tables import Prevalence, prevalences

REFERENCE_SEED, REFERENCE_PEOPLE = 0, 16_384
SOLVE_ROUNDS = 30
COMPUTED = ("obesity", "ckd")


@dataclass(frozen=True, slots=True)
class Body:
    """Columns of n people; every array has shape (n,).

    Attributes:
        age: whole years, 65-100. female: sex. latent: multimorbidity, standard normal.
        height: cm. bmi: kg/m2, 16.5-50. weight: kg.
        creatinine: mg/dL, 0.35-9. egfr: mL/min/1.73m2 (CKD-EPI 2021).
    """

    age: np.ndarray
    female: np.ndarray
    latent: np.ndarray
    height: np.ndarray
    bmi: np.ndarray
    weight: np.ndarray
    creatinine: np.ndarray
    egfr: np.ndarray


def make_body(seed: int, numbers: np.ndarray) -> Body:
    """The bodies of the people with these numbers."""
    age = np.floor(65.0 + np.minimum(35.0, _gamma2(seed, "age", numbers) * 5.0))
    female = uniform(seed, "sex", numbers) < 0.50 + 0.006 * (age - 65)
    latent = normal(seed, "latent", numbers)
    height = np.where(female, 159.5, 173.5) + 6.5 * normal(seed, "height", numbers) - 0.12 * (age - 70)
    bmi = np.clip(28.9 - 0.13 * (age - 70) + 1.0 * latent + 4.9 * normal(seed, "bmi", numbers), 16.5, 50.0)
    decline = np.exp(0.011 * (age - 70) + 0.07 * latent + 0.24 * normal(seed, "kidney", numbers))
    tail = np.where(uniform(seed, "kidney_disease", numbers) < 0.045, 1.9, 1.0)
    creatinine = np.clip(np.where(female, 0.75, 0.945) * decline * tail, 0.35, 9.0)
    weight = bmi * (height / 100.0) ** 2
    return Body(age, female, latent, height, bmi, weight, creatinine, ckd_epi_vector(age, creatinine, female))


def make_conditions(
    seed: int, numbers: np.ndarray, body: Body, solved: Mapping[str, tuple[float, float]]
) -> dict[str, np.ndarray]:
    """Condition id to a boolean array of shape (n,); parents come before the conditions they raise."""
    held: dict[str, np.ndarray] = {"ckd": body.egfr < 60.0}
    for entry in prevalences():
        if entry.condition == "obesity":
            held["obesity"] = body.bmi >= 30.0
            continue
        women, men = solved[entry.condition]
        chance = _logistic(np.where(body.female, women, men) + _load(entry, body, held))
        held[entry.condition] = uniform(seed, f"condition/{entry.condition}", numbers) < chance
    return held


@lru_cache(maxsize=1)
def intercepts() -> Mapping[str, tuple[float, float]]:
    """Condition to its intercepts for women and men, solved on a reference population."""
    numbers = np.arange(REFERENCE_PEOPLE, dtype=np.uint64)
    body = make_body(REFERENCE_SEED, numbers)
    held: dict[str, np.ndarray] = {"ckd": body.egfr < 60.0, "obesity": body.bmi >= 30.0}
    solved: dict[str, tuple[float, float]] = {}
    for entry in prevalences():
        if entry.condition in COMPUTED:
            continue
        load = _load(entry, body, held)
        women = _solve(load[body.female], entry.female)
        men = _solve(load[~body.female], entry.male)
        solved[entry.condition] = (women, men)
        chance = _logistic(np.where(body.female, women, men) + load)
        held[entry.condition] = uniform(REFERENCE_SEED, f"condition/{entry.condition}", numbers) < chance
    return solved


def _load(entry: Prevalence, body: Body, held: Mapping[str, np.ndarray]) -> np.ndarray:
    """What age, multimorbidity and other conditions add to the logit."""
    load = entry.age_slope * (body.age - 74.0) / 10.0 + entry.load * body.latent
    for parent, effect in entry.parents:
        load = load + effect * held[parent]
    return np.asarray(load)


def _solve(load: np.ndarray, prevalence: float) -> float:
    """The intercept at which the mean chance is the prevalence; -40 (never) at prevalence 0."""
    if prevalence <= 0.0:
        return -40.0
    low, high = -20.0, 20.0
    for _ in range(SOLVE_ROUNDS):
        middle = (low + high) / 2.0
        if float(_logistic(middle + load).mean()) < prevalence:
            low = middle
        else:
            high = middle
    # Rounded, so that another machine's last bit in exp() cannot move a patient across a threshold.
    return round((low + high) / 2.0, 5)


def _logistic(logit: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


def ckd_epi_vector(age: np.ndarray, creatinine: np.ndarray, female: np.ndarray) -> np.ndarray:
    """CKD-EPI 2021 for arrays of shape (n,); the formula and its source are in `risk.calculators.ckd_epi_2021`."""
    kappa = np.where(female, 0.7, 0.9)
    alpha = np.where(female, -0.241, -0.302)
    ratio = creatinine / kappa
    value = 142.0 * np.minimum(ratio, 1.0) ** alpha * np.maximum(ratio, 1.0) ** -1.200 * 0.9938**age
    return np.where(female, value * 1.012, value)


def _gamma2(seed: int, column: str, numbers: np.ndarray) -> np.ndarray:
    """Gamma draws of shape 2, scale 1."""
    return np.asarray(-np.log(uniform(seed, f"{column}/1", numbers)) - np.log(uniform(seed, f"{column}/2", numbers)))
