"""`python -m polyguard_env evidence`: the passages that answer a question."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.evidence.corpus import CorpusBuilder, frame_of
from polyguard_env.evidence.search import EvidenceIndex
from polyguard_env.knowledge.base import KnowledgeBase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--query", required=True, help="a question in plain words; any drug name works")
    parser.add_argument("--most", type=int, default=5, help="passages shown")
    parser.add_argument("--index", type=Path, default=None, help="saved index (made from the knowledge by default)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the passages; 0 also when none was found."""
    if not arguments.query.strip():
        raise PolyGuardError("--query", arguments.query, "ask something, for example 'warfarin with ibuprofen'")
    if arguments.most < 1:
        raise PolyGuardError("--most", arguments.most, "use 1 or more")
    knowledge = KnowledgeBase.default()
    if arguments.index is None:
        index = EvidenceIndex(frame_of(CorpusBuilder(knowledge).from_tables()), knowledge)
    else:
        index = EvidenceIndex.load(arguments.index, knowledge)
    hits = index.search(arguments.query, arguments.most)
    if arguments.json:
        print(json.dumps([asdict(hit) for hit in hits], indent=2))
        return 0
    for hit in hits:
        print(f"{hit.passage_id}  [{hit.source}, {hit.date}]  score {hit.score:.1f}\n    {hit.text}")
    print(f"{len(hits)} of {len(index.corpus)} passages; knowledge {knowledge.fingerprint}. Not a medical device.")
    return 0
