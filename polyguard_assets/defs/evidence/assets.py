"""Evidence: passages from the knowledge and supplied labels, and the index that searches them."""

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.paths import evidence_index_folder, knowledge_folder, within_project
from polyguard_assets.versions import KNOWLEDGE, source_version
from polyguard_env.environment.splits import pair_split
from polyguard_env.evidence.corpus import CorpusBuilder, frame_of, named_in, table_finder, training_passages
from polyguard_env.evidence.labels import label_passages
from polyguard_env.evidence.names import NameFinder
from polyguard_env.evidence.questions import make_questions, recall
from polyguard_env.evidence.search import EvidenceIndex
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.index import RuleIndex
from polyguard_env.sources.catalogue import catalogue

GROUP = "evidence"
CODE = source_version(
    "polyguard_env/evidence", "polyguard_env/environment/splits.py", "polyguard_env/risk/index.py",
    "polyguard_env/sources/catalogue.py", "polyguard_env/sources/catalogue.csv",
    "polyguard_assets/defs/evidence/assets.py", *KNOWLEDGE,
)  # fmt: skip
LEAST_RECALL, QUESTIONS_PER_KIND, QUESTION_SEED = 0.95, 150, 7


@dg.asset(group_name=GROUP, deps=["knowledge_snapshot"], code_version=CODE, kinds={"parquet"})
def evidence_corpus(supplied_texts: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """One passage per interaction, rule row, drug profile and piece of a supplied label, with source and split."""
    builder = CorpusBuilder(KnowledgeBase.load(knowledge_folder()))
    frame = frame_of([*builder.from_tables(), *label_passages(supplied_texts, builder)])
    kinds = {str(name): int(count) for name, count in frame["kind"].value_counts().items()}
    splits = {str(name) or "no pair": int(count) for name, count in frame["split"].value_counts().items()}
    return versioned(
        "evidence_corpus", frame, passages=len(frame), by_kind=kinds, by_split=splits,
        for_training=len(training_passages(frame)), knowledge_fingerprint=builder.knowledge.fingerprint,
    )  # fmt: skip


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"bm25s"})
def evidence_index(evidence_corpus: pd.DataFrame) -> dg.MaterializeResult[None]:
    """The searchable index (BM25, bm25s) over the corpus."""
    index = EvidenceIndex(evidence_corpus, KnowledgeBase.load(knowledge_folder()))
    manifest = index.save(evidence_index_folder())
    return dg.MaterializeResult(
        metadata=manifest | {"path": dg.MetadataValue.path(within_project(evidence_index_folder()))},
        data_version=dg.DataVersion(manifest["corpus_sha256"][:16]),
    )


@dg.asset_check(asset="evidence_corpus", blocking=True)
def passages_are_sourced(evidence_corpus: pd.DataFrame) -> dg.AssetCheckResult:
    """Every passage has its own id, a known source, a year and text."""
    known = {row["source"] for row in read_fragments("sources")} | set(catalogue())
    sourced = evidence_corpus["source"].map(lambda cell: bool(cell) and set(str(cell).split(";")) <= known)
    dated = evidence_corpus["year"].between(1950, 2100) & (evidence_corpus["date"] != "")
    unique, filled = bool(evidence_corpus["passage_id"].is_unique), bool((evidence_corpus["text"] != "").all())
    return dg.AssetCheckResult(
        passed=unique and filled and bool(sourced.all()) and bool(dated.all()),
        metadata={"passages": len(evidence_corpus), "without_source": int((~sourced).sum()), "unique_ids": unique},
    )


@dg.asset_check(asset="evidence_corpus", blocking=True)
def training_text_names_no_holdout_pair(evidence_corpus: pd.DataFrame) -> dg.AssetCheckResult:
    """Passages meant for training, read afresh, name no two drugs whose interaction is held out."""
    knowledge = KnowledgeBase.load(knowledge_folder())
    leaks = leaking_passages(training_passages(evidence_corpus), knowledge)
    return dg.AssetCheckResult(passed=not leaks, metadata={"leaks": len(leaks), "first": leaks[:10]})


def leaking_passages(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> list[str]:
    """Ids of passages whose text names both drugs of a validation or holdout pair."""
    index, tables, labels = RuleIndex(knowledge), table_finder(knowledge), NameFinder(knowledge)
    found = []
    columns = (corpus[name] for name in ("passage_id", "kind", "drugs", "text"))
    for passage_id, kind, drugs, text in zip(*columns, strict=True):
        named = sorted(named_in(kind, drugs, text, tables, labels))
        pairs = ((a, b) for place, a in enumerate(named) for b in named[place + 1 :])
        if any(pair_split(a, b, index) in ("validation", "holdout") for a, b in pairs):
            found.append(str(passage_id))
    return found


@dg.asset_check(asset="evidence_index", blocking=True)
def evidence_is_found() -> dg.AssetCheckResult:
    """Recall@5 of at least 0.95 on questions worded unlike the passages, many with brand names."""
    knowledge = KnowledgeBase.load(knowledge_folder())
    index = EvidenceIndex.load(evidence_index_folder(), knowledge)
    questions = make_questions(index.corpus, knowledge, QUESTIONS_PER_KIND, QUESTION_SEED)
    found, missed = recall(index, questions)
    return dg.AssetCheckResult(
        passed=found["all"] >= LEAST_RECALL,
        metadata={
            "recall_at_5": found["all"], "by_kind": found, "questions": len(questions), "seed": QUESTION_SEED,
            "missed": [question.text for question in missed[:20]],
        },
    )  # fmt: skip


ASSETS = [evidence_corpus, evidence_index]
CHECKS = [passages_are_sourced, training_text_names_no_holdout_pair, evidence_is_found]
