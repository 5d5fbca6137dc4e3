"""TWOSIDES: drug pairs reported with an effect more often than expected (FAERS), one row a pair and effect.

The file has some 43 million rows, so it is streamed and summed up by pair. These are signals of association,
not graded interactions.
"""

from __future__ import annotations

from heapq import heappush, heapreplace

import pandas as pd

from polyguard_env.sources.supplied import Files, Wanted, as_number, read_rows

SOURCE = "twosides"
FILES = (Wanted("signals", ("twosides*.csv", "twosides*.csv.gz")),)
COLUMNS = ("rxcui_a", "name_a", "rxcui_b", "name_b", "signals", "effects", "ratios")
LEAST_RATIO, LEAST_REPORTS, MOST_EFFECTS = 2.0, 5.0, 5
# "rxnorn" is how the published header spells it.
HEADER = (
    "drug_1_rxnorn_id", "drug_1_concept_name", "drug_2_rxnorm_id", "drug_2_concept_name", "condition_concept_name",
    "A", "PRR",
)  # fmt: skip


def read(files: Files) -> pd.DataFrame:
    """Pairs with a signal: a proportional reporting ratio of 2 or more on at least 5 reports.

    Returns:
        One row a pair: how many effects signal, and the 5 with the highest ratio.

    Raises:
        PolyGuardError: a malformed row, named by file, line and field.
    """
    pairs: dict[tuple[str, str, str, str], list[tuple[float, str]]] = {}
    counts: dict[tuple[str, str, str, str], int] = {}
    for path in files["signals"]:
        for line, row in read_rows(path, HEADER):
            ratio, reports = as_number(path, line, "PRR", row["PRR"]), as_number(path, line, "A", row["A"])
            if ratio < LEAST_RATIO or reports < LEAST_REPORTS:
                continue
            a, b = sorted(
                ((row[HEADER[0]], row[HEADER[1]]), (row[HEADER[2]], row[HEADER[3]])), key=lambda drug: drug[1].lower()
            )
            key = (*a, *b)
            counts[key] = counts.get(key, 0) + 1
            entry, kept = (ratio, row["condition_concept_name"]), pairs.setdefault(key, [])
            if len(kept) < MOST_EFFECTS:
                heappush(kept, entry)
            elif entry > kept[0]:
                heapreplace(kept, entry)
    rows = []
    for key, kept in pairs.items():
        best = sorted(kept, reverse=True)
        rows.append((*key, counts[key], [name for _, name in best], [ratio for ratio, _ in best]))
    return pd.DataFrame(rows, columns=list(COLUMNS))
