"""Joint figures: every true cohort passes, and a cohort whose columns do not belong together does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.patients.joint import joint_figure
from polyguard_env.patients.realism import joint_rows
from polyguard_env.patients.selection import People
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import rule_index

COUNT = 20_000
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def index() -> RuleIndex:
    return rule_index(KnowledgeBase.default())


@pytest.fixture(scope="module")
def people(index: RuleIndex) -> pd.DataFrame:
    return PatientGenerator(index, seed=5).frame(0, COUNT)


def outside(people: pd.DataFrame, index: RuleIndex) -> set[str]:
    return {row.figure for row in joint_rows(people, index) if not row.plausible}


@pytest.mark.parametrize(("seed", "count"), [(5, COUNT), (6, COUNT), (7, COUNT), (8, 100_000), (9, 100_000)])
def test_a_true_cohort_is_plausible(seed: int, count: int, index: RuleIndex) -> None:
    assert outside(PatientGenerator(index, seed).frame(0, count), index) == set()


def permuted(*columns: str) -> Change:
    """The columns moved to other people, together."""

    def change(people: pd.DataFrame) -> pd.DataFrame:
        order = np.random.default_rng(3).permutation(len(people))
        return people.assign(**{name: people[name].to_numpy()[order] for name in columns})

    return change


def shifted(column: str, step: float) -> Change:
    return lambda people: people.assign(**{column: people[column] + step})


def constant(column: str, value: object) -> Change:
    return lambda people: people.assign(**{column: pd.Series([value] * len(people), index=people.index)})


def copied(people: pd.DataFrame) -> pd.DataFrame:
    """A hundred people, each two hundred times, with identifiers of their own."""
    few = pd.concat([people.head(100)] * (len(people) // 100), ignore_index=True)
    return few.assign(patient_id=people["patient_id"].to_numpy())


MUTANTS: dict[str, tuple[Change, set[str]]] = {
    "regimens": (permuted("drugs", "doses", "indications"), {"use_levodopa", "use_metformin", "indication_held"}),
    "drugs": (permuted("drugs"), {"use_levothyroxine", "indication_held", "dose_in_range"}),
    "doses": (permuted("doses"), {"dose_in_range"}),
    "indications": (permuted("indications"), {"indication_held"}),
    "conditions": (permuted("conditions"), {"use_metformin", "ckd_flag", "obesity_bmi", "dementia_below_70"}),
    "age": (permuted("age"), {"egfr_age", "ckd_flag", "falls_85", "dementia_90", "cognition_age"}),
    "sex": (permuted("sex"), {"prostate_women", "height_women_95", "ckd_flag", "second_osteoporosis_men"}),
    "weight": (permuted("weight"), {"weight_height_women", "weight_height_men", "obesity_bmi"}),
    "height": (permuted("height"), {"weight_height_women", "height_women_95", "obesity_bmi"}),
    "creatinine": (permuted("creatinine"), {"ckd_flag", "egfr_age", "no_ckd_flag"}),
    "potassium": (permuted("potassium"), {"hyperkalaemia_ckd"}),
    "haemoglobin": (permuted("haemoglobin"), {"anaemia_flag_men", "anaemia_flag_women", "haemoglobin_men_50"}),
    "heart_rate": (permuted("heart_rate"), {"heart_rate_beta_blocker"}),
    "systolic_bp": (permuted("systolic_bp"), {"systolic_hypertension"}),
    "qtc": (permuted("qtc"), {"qtc_hfref"}),
    "frailty": (permuted("frailty"), {"frail_85", "falls_frail"}),
    "falls": (permuted("falls"), {"falls_85", "falls_frail"}),
    "cognition": (permuted("cognition"), {"cognition_dementia", "cognition_age"}),
    "child_pugh": (permuted("child_pugh"), {"child_pugh"}),
    "potassium 8.0": (constant("potassium", 8.0), {"potassium_05", "potassium_50", "potassium_95"}),
    "qtc 600": (constant("qtc", 600.0), {"qtc_05", "qtc_50", "qtc_95"}),
    "all allergic": (constant("allergies", ["penicillins"]), {"allergy_penicillins", "allergy_nsaids"}),
    "nobody allergic": (constant("allergies", []), {"allergy_penicillins", "allergy_sulfonamides"}),
    "one genotype": (constant("cyp2c19", "normal"), {"cyp2c19_poor"}),
    "taller": (shifted("height", 6.0), {"height_women_50", "height_men_50", "obesity_bmi"}),
    "heavier": (shifted("weight", 12.0), {"weight_women_50", "no_obesity_bmi"}),
    "creatinine in umol/L": (
        lambda people: people.assign(creatinine=people["creatinine"] * 88.4), {"creatinine_women_50", "no_ckd_flag"}
    ),
    "less sodium": (shifted("sodium", -4.0), {"sodium_50", "hyponatraemia"}),
    "more pressure": (shifted("systolic_bp", 12.0), {"systolic_bp_50"}),
    "slower": (shifted("heart_rate", -8.0), {"heart_rate_50"}),
    "less haemoglobin": (shifted("haemoglobin", -1.0), {"haemoglobin_women_50", "anaemia_men"}),
    "copied": (copied, {"distinct_people"}),
    "one identifier": (constant("patient_id", "p0000000000"), {"distinct_ids"}),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_cohort_that_does_not_hang_together_is_implausible(name: str, people: pd.DataFrame, index: RuleIndex) -> None:
    change, figures = MUTANTS[name]
    assert figures <= outside(change(people), index)


def test_each_disease_pair_is_seen_to_be_unrelated(people: pd.DataFrame, index: RuleIndex) -> None:
    rows = [row for row in read_fragments("cohort_figures") if row["kind"] == "odds_ratio"]
    rows += [row for row in read_fragments("cohort_figures") if row["figure"] in ("anxiety_depression", "asthma_copd")]
    assert len(rows) >= 9
    for row in rows:
        name = row["other"] or row["within"]
        terms = name.removeprefix("has ").split("|")
        rng = np.random.default_rng(4)
        share = float(People(people).select(name).mean())
        others = [[c for c in had if c not in terms] for had in people["conditions"]]
        drawn = rng.random(len(people)) < share
        held = pd.Series([[*c, terms[0]] if d else c for c, d in zip(others, drawn, strict=True)], index=people.index)
        strangers = people.assign(conditions=held)
        found = joint_figure(People(strangers), row, index)
        assert not float(row["low"]) <= found <= float(row["high"]), row["figure"]


def test_an_unknown_term_kind_or_column_is_named(people: pd.DataFrame, index: RuleIndex) -> None:
    cohort = People(people)
    with pytest.raises(PolyGuardError, match="wears glasses"):
        cohort.select("wears glasses")
    with pytest.raises(PolyGuardError, match="ferritin"):
        cohort.select("ferritin>=3")
    with pytest.raises(PolyGuardError, match="kind"):
        joint_figure(cohort, {"figure": "x", "kind": "mode", "within": ""}, index)


def test_every_condition_and_drug_in_the_figures_exists(index: RuleIndex, people: pd.DataFrame) -> None:
    known = {name for column in ("conditions", "drugs", "allergies") for held in people[column] for name in held}
    for row in read_fragments("cohort_figures"):
        for cell in (row["subject"], row["other"], row["within"]):
            for term in cell.split(" & "):
                word, _, names = term.partition(" ")
                if word in ("has", "lacks", "takes", "allergic"):
                    assert set(names.split("|")) <= known, row["figure"]
