"""A knowledge base compiled to arrays, with the names behind every index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.meeting import edges_of, mechanisms_of, near_and_foreign
from polyguard_env.engine.parameters import PLACE, parameter_vector, weight_vector
from polyguard_env.engine.tabulating import hashed, number_of, rows_of
from polyguard_env.engine.vocabularies import KIDNEY, conditions_of, measurements_of, tokens_of
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.formulary import split as cells
from polyguard_env.knowledge.schema import SEVERITY_RANK, Rule
from polyguard_env.risk.index import RuleIndex, terms
from polyguard_env.risk.organs import CHILD_PUGH_RANK
from polyguard_env.risk.review import rule_index

ACTIONS = {"avoid": 0, "reduce": 1, "monitor": 2}
COMMON_USE = 0.5
WORD = (1 << 63) - 1


class FactTable:
    """Arrays of one knowledge base.

    Attributes:
        drugs, conditions, measurements: names by index; `drug_at`, `condition_at`, `measurement_at` back.
        rules: the rules that coded findings point to, by code.
        facts: the arrays. block: the table through which the compiled rules reach them.
        omission_rules: rules on missing drugs; `omissions_at`: their places by condition, "" and "*" for any.
        usual, treatment: each drug's usual dose, and the code of the treatment it is.
        kidney: bits of the measurements that tell kidney function.
    """

    def __init__(self, index: RuleIndex) -> None:
        self.index = index
        knowledge = index.knowledge
        self.drugs: list[str] = sorted(knowledge.drugs)
        self.drug_at = {name: place for place, name in enumerate(self.drugs)}
        self.conditions = conditions_of(knowledge)
        self.condition_bits = {name: 1 << place for place, name in enumerate(self.conditions)}
        self.condition_at = {name: place for place, name in enumerate(self.conditions)}
        self.measurements = measurements_of(knowledge)
        self.measurement_at = {name: place for place, name in enumerate(self.measurements)}
        # One measurement tells kidney function, whichever of its three names a rule asks for.
        self.measurement_at |= dict.fromkeys(KIDNEY, self.measurement_at[KIDNEY[0]])
        self.kidney = 1 << self.measurement_at[KIDNEY[0]]
        self.tokens = tokens_of(knowledge)
        self.token_at = {name: place for place, name in enumerate(self.tokens)}
        self.mechanisms = mechanisms_of(knowledge)
        self.genes: dict[str, int] = {}
        self.phenotypes: dict[str, int] = {}
        self.rules: list[Rule] = []
        self._rule_at: dict[tuple[str, str], int] = {}
        self.hyperedges: list[str] = sorted(index.combinations)
        self.duplicate_ids: list[str] = sorted({r for rules in index.duplicates.values() for r in rules})
        self._masks: dict[frozenset[int], int] = {frozenset(): 0}
        self.facts = self._compile()
        self.usual: list[float] = self.facts.drug["dose_usual"].tolist()
        self.treatment: list[int] = self.facts.drug["treatment"].tolist()
        self.block = at.FACTS.table()
        for name, array in self.facts._asdict().items():
            at.FACTS.put(self.block, name, array)

    def token_words(self, names: Iterable[str]) -> np.ndarray:
        """The token bits of names, shape (TOKEN_WORDS,); names that no rule asks for have none."""
        words = np.zeros(at.TOKEN_WORDS, dtype=np.int64)
        held = 0
        for name in names:
            place = self.token_at.get(name)
            if place is not None:
                held |= 1 << place
        for word in range(at.TOKEN_WORDS):
            if not held:
                break
            words[word] = held & WORD
            held >>= 63
        return words

    @property
    def gene_names(self) -> list[str]:
        """Genes by index."""
        return list(self.genes)

    @property
    def phenotype_names(self) -> list[str]:
        """Phenotypes by index."""
        return list(self.phenotypes)

    def rule_code(self, rule: Rule) -> int:
        """The code of a rule as findings carry it."""
        key = (rule.rule_id, rule.drug_id)
        if key not in self._rule_at:
            self._rule_at[key] = len(self.rules)
            self.rules.append(rule)
        return self._rule_at[key]

    def _mask(self, names: Iterable[str]) -> int:
        key = frozenset(self.token_at[name] for name in names if name in self.token_at)
        return self._masks.setdefault(key, len(self._masks))

    def _compile(self) -> at.Facts:
        index, drugs = self.index, self.drugs
        table = np.zeros(len(drugs), dtype=at.DRUG)
        treatments: dict[str, int] = {}
        taper, taper_at = self._tapers()
        classes = {name: index.drug(name).classes for name in drugs}
        taper_classes: dict[str, int] = {}
        for place, name in enumerate(drugs):
            row, profile = table[place], index.profile(name)
            row["tokens"] = self.token_words([name, *classes[name]])
            row["treatment"] = treatments.setdefault(classes[name][0] if classes[name] else name, len(treatments))
            row["taper"] = taper_at.get(name, -1)
            row["taper_class"] = row["monitor"] = -1
            row["dose_min"] = row["dose_usual"] = 1.0
            row["kidney"] = bool(index.rules("renal", name))
            row["organs"] = bool(row["kidney"]) or bool(index.rules("hepatic", name))
            for rule in index.rules("monitoring", name):
                row["needs"] |= 1 << self.measurement_at[rule.fields["measurement"]]
            for rule in index.rules("drug_disease", name):
                word, bit = divmod(self.condition_at[rule.fields["condition"]], 63)
                row["against"][word] |= 1 << bit
            if profile is None:
                continue
            row["profiled"] = 1
            row["dose_min"], row["dose_usual"] = profile.dose_min, profile.dose_usual
            row["dose_max"], row["dbi_delta"] = profile.dose_max, profile.dbi_delta or 0.0
            row["use_weight"], row["acb"] = profile.use_weight, profile.acb
            if profile.taper_class:
                row["taper_class"] = taper_classes.setdefault(profile.taper_class, len(taper_classes))
            if profile.monitoring:
                row["monitor"] = self.measurement_at.get(profile.monitoring[0], -1)
        organ: list[tuple[object, ...]] = []
        self._spread(table, "renal", organ, "renal", self._renal)
        self._spread(table, "hepatic", organ, "hepatic", self._hepatic)
        disease = self._spread(table, "disease", [], "drug_disease", self._disease)
        gene = self._spread(table, "gene", [], "pharmacogenomics", self._gene)
        swap = self._spread(table, "swap", [], "substitution", self._swap)
        hold = self._hold(table)
        burden = self._burden(table)
        parameters = self._parameters()
        duplicate, duplicate_rule, exception = self._duplicates(table)
        edge, ends = edges_of(index, self.drug_at, self.mechanisms, self.measurement_at)
        keys, values = hashed(ends[:, 0] * len(drugs) + ends[:, 1])
        omission = self._omissions()
        hyper, lacking = self._hyper(table)
        number, foreign, near = near_and_foreign(table, edge, ends, duplicate)
        words = np.zeros((len(self._masks), at.TOKEN_WORDS), dtype=np.int64)
        for members, place in self._masks.items():
            words[place] = self.token_words(self.tokens[token] for token in members)
        common = [p for p, n in enumerate(drugs) if table["profiled"][p] and table["use_weight"][p] >= COMMON_USE]
        return at.Facts(
            drug=table, edge=edge, hash_key=keys, hash_value=values,
            organ=rows_of(organ, at.ORGAN_RULE), disease=rows_of(disease, at.DISEASE_RULE),
            gene=rows_of(gene, at.GENE_RULE), burden=rows_of(burden, at.BURDEN_RULE),
            hyper=hyper, lacking=lacking, duplicate=duplicate, duplicate_rule=duplicate_rule,
            exception=exception, number=number, foreign=foreign,
            near=near, swap=rows_of(swap, at.SWAP), alone=self._alone(table),
            omission=omission, taper=taper, hold=rows_of(hold, at.HOLD_RULE), mask=words,
            priority=np.array([index.priority(name) for name in self.conditions]),
            common=np.array(common, dtype=np.int32), parameters=parameters, weights=weight_vector(),
        )  # fmt: skip

    def _spread(
        self,
        table: np.ndarray,
        field: str,
        rows: list[tuple[object, ...]],
        kind: str,
        code: Callable[[Rule], tuple[object, ...] | None],
    ) -> list[tuple[object, ...]]:
        """Append the coded rules of a kind drug by drug and note each drug's span."""
        for place, name in enumerate(self.drugs):
            start = len(rows)
            rows += [row for rule in self.index.rules(kind, name) if (row := code(rule)) is not None]
            table[field][place] = (start, len(rows))
        return rows

    def _renal(self, rule: Rule) -> tuple[object, ...]:
        fields = rule.fields
        return (
            0 if fields["measure"] == "crcl" else 1, ACTIONS[fields["action"]], SEVERITY_RANK[rule.severity],
            float(fields["threshold"]), number_of(fields.get("floor", ""), 0.0),
            number_of(fields.get("max_dose", ""), np.nan), self.rule_code(rule),
        )  # fmt: skip

    def _hepatic(self, rule: Rule) -> tuple[object, ...]:
        fields = rule.fields
        return (
            2, ACTIONS[fields["action"]], SEVERITY_RANK[rule.severity], float(CHILD_PUGH_RANK[fields["child_pugh"]]),
            0.0, number_of(fields.get("max_dose", ""), np.nan), self.rule_code(rule),
        )  # fmt: skip

    def _disease(self, rule: Rule) -> tuple[object, ...]:
        return self.condition_at[rule.fields["condition"]], SEVERITY_RANK[rule.severity], self.rule_code(rule)

    def _gene(self, rule: Rule) -> tuple[object, ...]:
        gene = self.genes.setdefault(rule.fields["gene"], len(self.genes))
        phenotype = self.phenotypes.setdefault(rule.fields["phenotype"], len(self.phenotypes))
        return gene, phenotype, SEVERITY_RANK[rule.severity], self.rule_code(rule)

    def _swap(self, rule: Rule) -> tuple[object, ...] | None:
        new = self.index.knowledge.drugs.get(rule.fields["replacement"])
        if new is None or new.profile is None:
            return None
        indication = self.condition_at.get(rule.fields.get("indication", ""), -1)
        return self.drug_at[new.drug_id], indication, self._mask(terms(rule.fields.get("wrong_if", "")))

    def _hold(self, table: np.ndarray) -> list[tuple[object, ...]]:
        """A row for each indication, or condition, that a rule on withholding names."""
        rows: list[tuple[object, ...]] = []
        for place, name in enumerate(self.drugs):
            start = len(rows)
            for rule in self.index.rules("hold", name):
                fields = rule.fields
                named = cells(fields["condition" if fields["role"] == "sick_day" else "indication"])
                role, days = at.HOLD_ROLES.index(fields["role"]), float(fields.get("most_days") or 0.0)
                rows += [
                    (role, what, SEVERITY_RANK[rule.severity], days)
                    for what in ([self.condition_at[condition] for condition in named] or [-1])
                ]
            table["hold"][place] = (start, len(rows))
        return rows

    def _hyper(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Combinations, and a bit for each in every drug's `sides`; `lacking` has the bits of those without a side."""
        names = self.hyperedges
        if len(names) > at.HYPEREDGES:
            raise PolyGuardError("combinations", len(names), f"the engine holds at most {at.HYPEREDGES}")
        rows = []
        lacking = np.full(at.SIDES, (1 << len(names)) - 1, dtype=np.int64)
        for place, name in enumerate(names):
            edge = self.index.combinations[name]
            members = [rule for rule in self.index.knowledge.rules("combination") if rule.rule_id == name]
            sides = sorted({rule.fields["side"] for rule in members})
            if len(sides) != edge.sides or edge.sides > at.SIDES:
                raise PolyGuardError(f"combination {name}", len(sides), f"give 1 to {at.SIDES} sides, each with drugs")
            lacking[: edge.sides] &= ~(1 << place)
            for rule in members:
                table["sides"][self.drug_at[rule.drug_id], sides.index(rule.fields["side"])] |= 1 << place
            category = at.BURDEN if edge.rule.fields["category"] == "burden" else at.INTERACTION
            reduce = edge.rule.fields["management"].partition(":")[0].strip() == "reduce_dose"
            rows.append((edge.sides, category, SEVERITY_RANK[edge.rule.severity], reduce, self.rule_code(edge.rule)))
        return rows_of(rows, at.HYPER), lacking

    def _burden(self, table: np.ndarray) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for place, name in enumerate(self.drugs):
            start = len(rows)
            for rule in self.index.rules("burden", name):
                kind, fields = rule.fields["kind"], rule.fields
                if kind in ("acb", "dbi"):
                    table[f"{kind}_carrier"][place] = 1
                    continue
                names = terms(fields.get("unless", ""))
                if names & set(self.drugs) or names & {
                    c for d in self.index.knowledge.drugs.values() for c in d.classes
                }:
                    table["conditional"][place] = 1
                indication = self.condition_at.get(fields.get("indication", ""), -1)
                which = at.FALL_RISK if kind == "fall_risk" else at.AVOID
                threshold = number_of(fields.get("threshold", ""), 0.0)
                severity = SEVERITY_RANK[rule.severity]
                rows.append((which, severity, indication, threshold, self._mask(names), self.rule_code(rule)))
            table["burden"][place] = (start, len(rows))
        return rows

    def _parameters(self) -> np.ndarray:
        values = parameter_vector()
        for rule in self.index.knowledge.rules("burden"):
            kind = rule.fields["kind"]
            if kind in ("acb", "dbi"):
                values[PLACE[f"{kind}_threshold"]] = float(rule.fields["threshold"])
                values[PLACE[f"{kind}_severity"]] = SEVERITY_RANK[rule.severity]
        return values

    def _duplicates(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        place_of = {name: place for place, name in enumerate(self.duplicate_ids)}
        rows: list[tuple[object, ...]] = []
        rules: dict[str, Rule] = {}
        for place, name in enumerate(self.drugs):
            start = len(rows)
            held = self.index.duplicates.get(name, {})
            rules.update(held)
            rows += [(code,) for code in sorted(place_of[rule_id] for rule_id in held)]
            table["duplicate"][place] = (start, len(rows))
        table_rules: list[tuple[object, ...]] = []
        pairs: list[tuple[int, int]] = []
        for rule_id in self.duplicate_ids:
            start = len(pairs)
            for pair in filter(None, rules[rule_id].fields.get("except_pairs", "").split(";")):
                left, _, right = pair.partition("+")
                pairs.append((self._mask([left.split(":")[-1]]), self._mask([right.split(":")[-1]])))
            table_rules.append((SEVERITY_RANK[rules[rule_id].severity], start, len(pairs)))
        exception = np.array(pairs, dtype=np.int32).reshape(-1, 2)
        return rows_of(rows, at.DUPLICATE), rows_of(table_rules, at.DUPLICATE_RULE), exception

    def _omissions(self) -> np.ndarray:
        rows: list[tuple[object, ...]] = []
        self.omission_rules: list[Rule] = []
        self.omissions_at: dict[str, list[int]] = {}
        for rule in self.index.omissions:
            fields = rule.fields
            preferred = fields.get("preferred") or rule.drug_id
            if rule.drug_id != preferred:
                continue
            condition = fields["condition"]
            code = -1 if condition in ("", "*") else self.condition_at[condition]
            rows.append(
                (
                    code,
                    self.drug_at[preferred],
                    self._mask(terms(fields.get("absent_if", ""))),
                    SEVERITY_RANK[rule.severity],
                )
            )
            self.omissions_at.setdefault(condition, []).append(len(self.omission_rules))
            self.omission_rules.append(rule)
        return rows_of(rows, at.OMISSION_RULE)

    def _alone(self, table: np.ndarray) -> np.ndarray:
        """Note in the drugs which rules on missing drugs they bear on; bits of the rules that ask for no other drug."""
        count = len(self.omission_rules)
        if count > 63 * at.OMISSION_WORDS:
            raise PolyGuardError("rules on missing drugs", count, f"raise OMISSION_WORDS above {at.OMISSION_WORDS}")
        alone, tokens = np.zeros(at.OMISSION_WORDS, dtype=np.int64), table["tokens"].copy()
        for place, rule in enumerate(self.omission_rules):
            word, bit = place // 63, np.int64(1 << place % 63)
            names = {field: terms(rule.fields.get(field, "")) for field in ("target", "with_drug", "absent_if")}
            names["target"] = names["target"] or {rule.drug_id}
            for kind, field in (("gives", "target"), ("joins", "with_drug"), ("bars", "absent_if")):
                table[kind][(tokens & self.token_words(names[field])).any(axis=1), word] |= bit
            if not names["with_drug"]:
                alone[word] |= bit
        return alone

    def _tapers(self) -> tuple[np.ndarray, dict[str, int]]:
        rows: list[tuple[object, ...]] = []
        places: dict[str, int] = {}
        for name in self.drugs:
            found = self.index.rules("taper", name)
            if found:
                fields = found[0].fields
                places[name] = len(rows)
                rows.append(
                    (
                        SEVERITY_RANK[found[0].severity],
                        float(fields["step_fraction"]),
                        number_of(fields.get("max_fraction_per_step", ""), 1.0),
                        number_of(fields.get("step_days", ""), 0.0),
                        number_of(fields.get("min_days_on_drug", ""), 0.0),
                    )
                )
        return rows_of(rows, at.TAPER_RULE), places


@lru_cache(maxsize=4)
def fact_table(knowledge: KnowledgeBase) -> FactTable:
    """The shared arrays of a knowledge base."""
    return FactTable(rule_index(knowledge))
