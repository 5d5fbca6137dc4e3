"""The formulary tables as profiles: one row, one fully described ingredient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.schema import CypRole, DrugProfile
from polyguard_env.knowledge.tabular import read_folder

GRADES = (
    "acb", "sedation", "fall_risk", "bleeding", "hyperkalaemia", "hyponatraemia", "hypoglycaemia", "hypotension",
    "bradycardia", "serotonergic", "cns_active", "nephrotoxic", "seizure_threshold",
)  # fmt: skip


def formulary_rows(folder: Path | None = None) -> list[dict[str, str]]:
    """All rows of the formulary, by drug id.

    Raises:
        PolyGuardError: a drug occurs twice.
    """
    rows: dict[str, dict[str, str]] = {}
    for row in read_folder("formulary", folder):
        if row["drug_id"] in rows:
            raise PolyGuardError("formulary drug_id", row["drug_id"], "keep one row per drug")
        rows[row["drug_id"]] = row
    return [rows[name] for name in sorted(rows)]


def profile_of(row: dict[str, str]) -> DrugProfile:
    """The profile of one row.

    Raises:
        PolyGuardError: a cell does not parse; the message names drug and column.
    """
    drug_id = row["drug_id"]

    def number(column: str) -> float:
        try:
            return float(row[column])
        except ValueError as error:
            raise PolyGuardError(f"formulary {drug_id} {column}", row[column], "write a number") from error

    low, usual, high = number("dose_min"), number("dose_usual"), number("dose_max")
    if not 0 < low <= usual <= high:
        raise PolyGuardError(f"formulary {drug_id} doses", (low, usual, high), "order them: minimum, usual, maximum")
    return DrugProfile(
        routes=split(row["routes"]),
        dose_unit=row["dose_unit"],
        dose_min=low,
        dose_usual=usual,
        dose_max=high,
        doses_per_day=number("doses_per_day") if row["doses_per_day"] else None,
        indications=split(row["indications"]),
        half_life_h=number("half_life_h") if row["half_life_h"] else None,
        renal_fraction=number("renal_fraction"),
        hepatic=row["hepatic"],
        cyp=tuple(cyp_roles(row["cyp"], drug_id)),
        qt=row["qt"] or "none",
        dbi_delta=number("dbi_delta") if row["dbi_delta"] else None,
        narrow_index=row["narrow_index"] == "1",
        monitoring=split(row["monitoring"]),
        taper_class=row["taper_class"],
        use_weight=number("use_weight") if row["use_weight"] else 0.01,
        sources=split(row["sources"]),
        year=int(number("year")),
        **{name: int(number(name)) for name in GRADES},
    )


def cyp_roles(cell: str, drug_id: str) -> Iterator[CypRole]:
    """Roles out of `enzyme:role:strength;…`."""
    for entry in split(cell):
        parts = entry.split(":")
        if len(parts) != 3 or parts[1] not in ("substrate", "inhibitor", "inducer"):
            raise PolyGuardError(f"formulary {drug_id} cyp", entry, "write enzyme:role:strength")
        yield CypRole(*parts)


def split(cell: str) -> tuple[str, ...]:
    """Parts of a `;` list, empty ones dropped."""
    return tuple(part.strip() for part in cell.split(";") if part.strip())
