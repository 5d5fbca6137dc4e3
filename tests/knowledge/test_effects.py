"""Effects name what happens and to which drug, and belong to their mechanism."""

from __future__ import annotations

import pytest

from polyguard_env.commands.review import with_measurement
from polyguard_env.knowledge.base import KnowledgeBase


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def test_no_edge_leaves_its_effect_to_the_source(knowledge: KnowledgeBase) -> None:
    vague = ("see the source", "levels change", "levels of one of the two change")
    assert not knowledge.tables["interactions"]["effect"].isin(vague).any()


@pytest.mark.parametrize(
    ("a", "b", "mechanism", "told"),
    [
        ("lisinopril", "furosemide", "hypotension", "acute kidney injury"),
        ("ramipril", "hydrochlorothiazide", "hypotension", "acute kidney injury"),
        ("clobazam", "cannabidiol", "cyp2c19_inhibition", "metabolite of clobazam rises"),
        ("tirzepatide", "ethinyl_estradiol", "reduced_absorption", "slows the stomach"),
        ("ezetimibe", "fenofibrate", "additive_toxicity", "gallstones"),
    ],
)
def test_an_effect_belongs_to_its_mechanism(
    knowledge: KnowledgeBase, a: str, b: str, mechanism: str, told: str
) -> None:
    edge = knowledge.interaction(a, b)
    assert edge is not None
    assert (edge.mechanism, told in edge.effect) == (mechanism, True), edge


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("carbamazepine", "losartan"), ("phenytoin", "pioglitazone"), ("phenobarbital", "glimepiride"),
        ("clonidine", "mirtazapine"), ("bupropion", "prednisone"), ("ezetimibe", "fenofibrate"),
    ],
)  # fmt: skip
def test_what_labels_only_watch_is_no_major_interaction(knowledge: KnowledgeBase, a: str, b: str) -> None:
    edge = knowledge.interaction(a, b)
    assert edge is not None
    assert (edge.severity, edge.management.partition(":")[0]) == ("moderate", "monitor"), edge


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("avoid", "avoid; if it cannot be avoided monitor heart rate"), ("monitor", "monitor: heart rate"),
        ("substitute", "substitute; until then monitor heart rate"),
        ("reduce_dose", "reduce_dose and monitor heart rate"),
    ],
)  # fmt: skip
def test_a_measurement_reads_with_its_action(action: str, told: str) -> None:
    assert with_measurement(action, "heart rate") == told


def test_a_level_that_falls_asks_for_no_smaller_dose(knowledge: KnowledgeBase) -> None:
    edges = knowledge.tables["interactions"]
    cut = edges[edges["management"].str.startswith("reduce_dose") & edges["mechanism"].str.endswith("induction")]
    assert cut["effect"].str.contains("rise").all(), cut[~cut["effect"].str.contains("rise")].head()


@pytest.mark.parametrize(
    ("a", "b", "mechanism", "action"),
    [
        ("aripiprazole", "carbamazepine", "cyp_induction", "monitor"),
        ("lamotrigine", "phenytoin", "cyp_induction", "monitor"),
        ("efavirenz", "prednisone", "cyp_induction", "monitor"), ("lefamulin", "rifampin", "cyp_induction", "avoid"),
        ("pirtobrutinib", "efavirenz", "cyp_induction", "avoid"), ("acalabrutinib", "apixaban", "bleeding", "avoid"),
        ("ritonavir", "rifabutin", "cyp3a4_inhibition", "reduce_dose"),
        ("clozapine", "lorazepam", "cns_depression", "avoid"),
        ("clonidine", "tizanidine", "hypotension", "avoid"),
        ("insulin_glargine", "repaglinide", "hypoglycaemia", "avoid"),
        ("cilostazol", "verapamil", "cyp3a4_inhibition", "reduce_dose"),
        ("cilostazol", "omeprazole", "cyp2c19_inhibition", "reduce_dose"),
    ],
)  # fmt: skip
def test_management_follows_the_direction(
    knowledge: KnowledgeBase, a: str, b: str, mechanism: str, action: str
) -> None:
    edge = knowledge.interaction(a, b)
    assert edge is not None
    assert (edge.mechanism, edge.management.partition(":")[0]) == (mechanism, action), edge
