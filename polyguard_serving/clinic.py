"""Look-ups that need no episode: evidence, a regimen's review, interactions. They run off the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

from polyguard_env.commands.review import TYPICAL, TYPICAL_IN_WORDS
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.reading import listed_drugs, patient_from
from polyguard_env.risk.entries import within_products
from polyguard_env.risk.review import review_regimen

if TYPE_CHECKING:
    from polyguard_env.evidence.search import EvidenceIndex

LEAST_DRUGS = 2


@cache
def evidence_index() -> EvidenceIndex:
    """The passages of the knowledge's own tables, made when first asked for."""
    from polyguard_env.evidence.corpus import CorpusBuilder, frame_of
    from polyguard_env.evidence.search import EvidenceIndex

    knowledge = KnowledgeBase.default()
    return EvidenceIndex(frame_of(CorpusBuilder(knowledge).from_tables()), knowledge)


def search_evidence(question: str, most: int = 5) -> dict[str, Any]:
    """The passages that answer a question, best first.

    Raises:
        PolyGuardError: the question is empty.
    """
    if not question.strip():
        raise PolyGuardError("question", question, "ask something, for example 'warfarin with ibuprofen'")
    index = evidence_index()
    return {
        "passages": [asdict(hit) for hit in index.search(question, most)],
        "knowledge_fingerprint": KnowledgeBase.default().fingerprint,
        "disclaimer": DISCLAIMER,
    }


def review(drugs: Sequence[str] = (), patient: dict[str, Any] | None = None) -> dict[str, Any]:
    """The findings of a patient's regimen, or of drugs taken by a typical older adult.

    Raises:
        PolyGuardError: neither or both are given, a name is unknown, or a value is out of range.
    """
    if bool(drugs) == bool(patient):
        raise PolyGuardError("drugs", list(drugs), "give either drugs (a list of names) or patient (with a regimen)")
    knowledge = KnowledgeBase.default()
    assumed = patient if patient else {**TYPICAL, "regimen": list(drugs)}
    report = review_regimen(patient_from(assumed, knowledge), knowledge).to_dict()
    return report | {"assumed": "" if patient else f"{TYPICAL_IN_WORDS}; doses as far as the list tells them"}


def check_interactions(drugs: Sequence[str]) -> dict[str, Any]:
    """The graded interactions among drugs, and the pairs without a known one; not those inside one product.

    Raises:
        PolyGuardError: a name is unknown, or there are fewer than two drugs.
    """
    knowledge = KnowledgeBase.default()
    regimen = listed_drugs(drugs, knowledge, "drugs")
    named, within = sorted({item.drug_id for item in regimen}), within_products(regimen)
    if len(named) < LEAST_DRUGS:
        raise PolyGuardError("drugs", list(drugs), "name two drugs at least, for example warfarin and ibuprofen")
    edges, clear = [], []
    for pair in combinations(named, 2):
        if pair in within:
            continue
        edge = knowledge.interaction(*pair)
        if edge is None:
            clear.append(list(pair))
        else:
            edges.append(asdict(edge))
    return {
        "drugs": named,
        "interactions": edges,
        "pairs_without_known_interaction": clear,
        "knowledge_fingerprint": knowledge.fingerprint,
        "disclaimer": DISCLAIMER,
    }
