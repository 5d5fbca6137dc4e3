"""The table of words' tokens: `python -m polyguard_assets.training.word_tokens --model data_lake/models/RUN/base`

It says how many tokens the embedded model's tokenizer makes of each word of the observations' vocabulary, at the start
of a line and after a space, so that the environment counts as that tokenizer does and needs none.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyguard_env.engine.naming import VERBS
from polyguard_env.environment.evidence import INJECTIONS, RULES
from polyguard_env.environment.observed import MEASUREMENT_WORD, facts_of
from polyguard_env.environment.person_line import ABNORMAL
from polyguard_env.environment.roles import GRADED
from polyguard_env.errors import PolyGuardError
from polyguard_env.evidence.corpus import class_words
from polyguard_env.evidence.sentences import profile_text, rule_text
from polyguard_env.knowledge.base import KnowledgeBase, combination_products
from polyguard_env.patients.tables import phenotypes, prevalences
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import rule_index

WORD = re.compile(r"[A-Za-z]+")
COLUMNS = ("word", "at_start", "after_space")
TABLE = "polyguard_env/environment/word_tokens.csv"
FIXED = (
    "F M None Options Also Evidence Chart Allergies Package insert of contains Profile none unknown facts new "
    "product ingredients range tapering held course kg CrCl falls frailty Child allergy withdrawal more tested "
    "results finish keep regimen ask specialist open the chart look up switch to test check take apart dangerous "
    "no danger found for and with recorded purpose has been shown to be free of this carries a marked risk grade"
)


def words(knowledge: KnowledgeBase) -> list[str]:
    """Every word that compact texts of the packaged scenarios are made of, passages among them, sorted."""
    return sorted({word for text in _texts(knowledge, rule_index(knowledge)) for word in WORD.findall(text)})


def _texts(knowledge: KnowledgeBase, index: RuleIndex) -> Iterator[str]:
    yield from (FIXED, *INJECTIONS, *VERBS.values(), *MEASUREMENT_WORD.values())
    yield from (f"{name} {label}" for name, (_, _, label) in ABNORMAL.items())
    yield from (f"{name} {code}" for name, code, _ in GRADED)
    yield from (f"{gene} {' '.join(kind for kind, _ in kinds)}" for gene, kinds in phenotypes().items())
    yield from combination_products(knowledge.drugs)
    for drug_id, drug in knowledge.drugs.items():
        if drug.profile is None:
            continue
        classes = [class_words("class", name) for name in drug.classes]
        yield f"{drug_id} {drug.name} {profile_text(drug, drug.profile, classes)}"
        yield from (f"{fact['code']} {fact['text']}" for fact in facts_of(drug_id, index)[1])
        yield from drug.profile.indications
        for kind in RULES:
            for rule in index.rules(kind, drug_id):
                yield f"{rule_text(rule, drug.name, knowledge)} {' '.join(rule.fields.values())}"
    for rule in index.omissions:
        yield f"{rule.drug_id} {' '.join(rule.fields.values())}"
    for condition in {*index.priorities, *(row.condition for row in prevalences())}:
        yield f"{condition} {index.short(condition)}"


def counts(model: Path, found: Sequence[str]) -> list[tuple[str, int, int]]:
    """Tokens of each word at the start of a line and after a space.

    Args:
        model: folder of the model, with its tokenizer.

    Raises:
        PolyGuardError: there is no tokenizer in the folder.
    """
    from tokenizers import Tokenizer

    file = model / "tokenizer.json"
    if not file.is_file():
        raise PolyGuardError("model", str(model), "give the folder of a base model, with its tokenizer.json")
    tokenizer = Tokenizer.from_file(str(file))
    start, after = (
        [len(one.ids) for one in tokenizer.encode_batch([before + word for word in found], add_special_tokens=False)]
        for before in ("", " ")
    )
    return list(zip(found, start, after, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table; 2 when the model's folder has no tokenizer."""
    parser = argparse.ArgumentParser(prog="python -m polyguard_assets.training.word_tokens", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the embedded base model")
    parser.add_argument("--out", type=Path, default=Path(TABLE), help="where the table goes")
    options = parser.parse_args(arguments)
    try:
        rows = counts(options.model, words(KnowledgeBase.default()))
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with options.out.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    print(f"wrote {len(rows):,} words to {options.out.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
