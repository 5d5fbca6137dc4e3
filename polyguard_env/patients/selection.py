"""Groups of a cohort in the words of `cohort_figures.csv`: `has diabetes & age>=80`."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.body import ckd_epi_vector

LISTS = {"has": "conditions", "takes": "drugs", "allergic": "allergies"}
COMPARED = re.compile(r"([a-z_0-9*:-]+)(>=|<|==)(\S+)")


class People:
    """A cohort table, its derived columns and its lists as flat arrays.

    Args:
        frame: one row per patient, as `PatientGenerator.table` makes them.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.size = frame, len(frame)
        self._flat: dict[str, tuple[np.ndarray, np.ndarray, dict[str, int]]] = {}

    @cached_property
    def bmi(self) -> np.ndarray:
        """Body mass index, kg/m2."""
        return np.asarray(self.frame["weight"] / (self.frame["height"] / 100.0) ** 2)

    @cached_property
    def egfr(self) -> np.ndarray:
        """CKD-EPI 2021 of age, creatinine and sex, mL/min/1.73m2."""
        women = (self.frame["sex"] == "F").to_numpy()
        return ckd_epi_vector(self.frame["age"].to_numpy(float), self.frame["creatinine"].to_numpy(float), women)

    def column(self, name: str) -> np.ndarray:
        """One column, `bmi` and `egfr` among them, shape (n,)."""
        if name in ("bmi", "egfr"):
            return np.asarray(getattr(self, name))
        if name not in self.frame:
            raise PolyGuardError("cohort_figures.csv column", name, f"name one of {', '.join(self.frame.columns)}")
        return self.frame[name].to_numpy()

    def flat(self, name: str) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
        """A list column flat: the row of each item, its code, and the code of each name."""
        if name not in self._flat:
            lists = self.frame[name]
            rows = np.repeat(np.arange(self.size), lists.map(len).to_numpy(np.int64))
            codes, names = pd.factorize(np.concatenate([np.asarray(items, dtype=object) for items in lists]))
            self._flat[name] = rows, codes, {str(found): code for code, found in enumerate(names)}
        return self._flat[name]

    def holds(self, name: str, wanted: str) -> np.ndarray:
        """Who has one of the `|`-separated names in a list column, shape (n,)."""
        rows, codes, known = self.flat(name)
        held = np.zeros(self.size, dtype=bool)
        for item in wanted.split("|"):
            if item in known:
                held[rows[codes == known[item]]] = True
        return held

    def select(self, text: str) -> np.ndarray:
        """Who meets every ` & `-separated term; all when there is none.

        Terms are `has a|b`, `lacks a|b`, `takes a|b`, `allergic a`, and `column>=3`, `column<3`, `column==text`.

        Raises:
            PolyGuardError: a term is none of these.
        """
        chosen = np.ones(self.size, dtype=bool)
        for term in (part.strip() for part in text.split("&") if part.strip()):
            word, _, rest = term.partition(" ")
            if word == "lacks":
                chosen &= ~self.holds("conditions", rest)
            elif word in LISTS:
                chosen &= self.holds(LISTS[word], rest)
            elif match := COMPARED.fullmatch(term):
                chosen &= self._compared(*match.groups())
            else:
                raise PolyGuardError("cohort_figures.csv term", term, "write has, lacks, takes, allergic or column>=3")
        return chosen

    def _compared(self, name: str, sign: str, value: str) -> np.ndarray:
        values = self.column(name)
        if sign == "==":
            return np.asarray(values.astype(str) == value)
        return np.asarray(values >= float(value) if sign == ">=" else values < float(value))
