"""OnSIDES version 3: adverse effects that product labels name, summed up by ingredient and effect.

Only products of one ingredient count: in a combination nobody knows which part an effect belongs to.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pandas as pd

from polyguard_env.sources.supplied import Files, Wanted, one_of, read_rows

SOURCE = "onsides"


def _named(name: str) -> tuple[str, ...]:
    return (f"{name}.csv", f"{name}.csv.gz")


FILES = (
    Wanted("effects", _named("product_adverse_effect")),
    Wanted("products", _named("product_to_rxnorm")),
    Wanted("contents", _named("vocab_rxnorm_ingredient_to_product")),
    Wanted("ingredients", _named("vocab_rxnorm_ingredient")),
    Wanted("terms", _named("vocab_meddra_adverse_effect")),
)
COLUMNS = ("rxcui", "name", "meddra_id", "effect", "labels", "boxed")
# AR adverse reactions, BW boxed warning, WP warnings and precautions; NA in labels of other countries.
SECTIONS = {"AR": "", "BW": "", "WP": "", "NA": ""}


def read(files: Files) -> pd.DataFrame:
    """Ingredient and effect, with the number of labels that name it, and of those in a boxed warning.

    Raises:
        PolyGuardError: a malformed row, or one that points to an effect or ingredient that is not there.
    """
    terms = _vocabulary(files["terms"], "meddra_id", "meddra_name")
    ingredients = _vocabulary(files["ingredients"], "rxnorm_id", "rxnorm_name")
    of_label = _ingredient_of_label(files)
    # Millions of rows: the same text is kept once.
    texts: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    in_box: set[tuple[str, str]] = set()
    for path in files["effects"]:
        for line, row in read_rows(path, ("product_label_id", "label_section", "effect_meddra_id")):
            one_of(path, line, "label_section", row["label_section"], SECTIONS)
            effect, ingredient = row["effect_meddra_id"], of_label.get(row["product_label_id"], "")
            if not effect or not ingredient:
                continue
            one_of(path, line, "effect_meddra_id", effect if effect not in terms else "known", {"known": ""})
            label = row["product_label_id"]
            pair = (texts.setdefault(label, label), texts.setdefault(effect, effect))
            seen.add(pair)
            if row["label_section"] == "BW":
                in_box.add(pair)
    labels = Counter((of_label[label], effect) for label, effect in seen)
    boxed = Counter((of_label[label], effect) for label, effect in in_box)
    rows = [
        (rxcui, ingredients.get(rxcui, ""), effect, terms[effect], count, boxed[rxcui, effect])
        for (rxcui, effect), count in sorted(labels.items())
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _vocabulary(paths: tuple[Path, ...], code: str, name: str) -> dict[str, str]:
    return {row[code]: row[name] for path in paths for _, row in read_rows(path, (code, name))}


def _ingredient_of_label(files: Files) -> dict[str, str]:
    """Label id to its one ingredient; labels of combinations are left out."""
    held: dict[str, set[str]] = defaultdict(set)
    for path in files["contents"]:
        for _, row in read_rows(path, ("ingredient_id", "product_id")):
            held[row["product_id"]].add(row["ingredient_id"])
    found: dict[str, set[str]] = defaultdict(set)
    for path in files["products"]:
        for _, row in read_rows(path, ("label_id", "rxnorm_product_id")):
            found[row["label_id"]] |= held.get(row["rxnorm_product_id"], set())
    return {label: next(iter(parts)) for label, parts in found.items() if len(parts) == 1}
