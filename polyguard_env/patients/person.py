"""The person a scenario is built around: a generated patient without the regimen."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.patients.model import Patient
from polyguard_env.risk.index import RuleIndex

PERSON_SEED = 20_260


@lru_cache(maxsize=4)
def _generator(index: RuleIndex) -> PatientGenerator:
    return PatientGenerator(index, PERSON_SEED)


def person_at(number: int, index: RuleIndex) -> Patient:
    """The person with this number (0 or more), without a regimen."""
    return replace(_generator(index).patient(number), regimen=(), genotype={})
