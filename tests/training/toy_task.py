"""A small stand-in for the environment: two drugs clash by a shared role, one option resolves it.

Drugs, roles and prices are made up for the test; only their shape is that of the real corpora.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pandas as pd

SYSTEM = "Pick the safest next action for this older patient. Answer with one option, copied."
FINGERPRINT = "toy-knowledge-1"
ROLES = ("bleed", "serotonin", "QT", "sedate", "potassium", "renal")
NAMES = {
    "bleed": ("warfarin", "ibuprofen", "naproxen", "apixaban", "clopidogrel", "ketorolac"),
    "serotonin": ("sertraline", "tramadol", "fluoxetine", "linezolid", "paroxetine", "buspirone"),
    "QT": ("citalopram", "haloperidol", "sotalol", "amiodarone", "ondansetron", "methadone"),
    "sedate": ("zolpidem", "lorazepam", "gabapentin", "oxycodone", "diazepam", "quetiapine"),
    "potassium": ("spironolactone", "lisinopril", "losartan", "trimethoprim", "amiloride", "ramipril"),
    "renal": ("metformin", "digoxin", "lithium", "allopurinol", "atenolol", "colchicine"),
}
SAFE = ("acetaminophen", "mirtazapine", "melatonin", "amlodipine", "famotidine", "levothyroxine")
PURPOSES = ("AF", "pain", "low mood", "insomnia", "high BP", "gout", "heart failure", "epilepsy")
TESTS = ("potassium", "INR", "ECG", "kidney function", "sodium")


@dataclass(frozen=True)
class ToyCase:
    """A prompt, its options and their rewards (0-1, one clearly highest)."""

    scenario_id: str
    user: str
    candidates: list[str]
    rewards: list[float]

    @property
    def best(self) -> int:
        return int(np.argmax(self.rewards))


def toy_case(scenario_id: str, rng: np.random.Generator, drugs: int = 5) -> ToyCase:
    """Two drugs share a role; the one taken for nothing (or the newer one) should go."""
    roles = list(rng.permutation(len(ROLES)))
    clash = ROLES[roles[0]]
    pair = [str(name) for name in rng.choice(NAMES[clash], 2, replace=False)]
    others = [str(rng.choice(NAMES[ROLES[role]])) for role in roles[1 : drugs - 1]]
    role_of = {name: clash for name in pair} | {
        name: ROLES[role] for name, role in zip(others, roles[1:], strict=False)
    }
    purposes = [str(p) for p in rng.choice(PURPOSES, drugs, replace=False)]
    wrong = pair[int(rng.integers(2))]
    shown = [str(name) for name in rng.permutation([*pair, *others])]
    lines = [f"{int(rng.integers(66, 95))}{rng.choice(['F', 'M'])} CrCl {int(rng.integers(25, 90))}; {purposes[0]}"]
    for name, purpose in zip(shown, purposes, strict=True):
        shown_purpose = "none" if name == wrong else purpose
        lines.append(f"{name} {5 * int(rng.integers(1, 40))}mg ({shown_purpose}): {role_of[name]}")
    kept = next(name for name in pair if name != wrong)
    priced = [(f"stop {wrong}", 0.92), (f"stop {kept}", 0.42), ("keep regimen", 0.12), ("finish", 0.15)]
    priced += [(f"stop {name}", 0.22) for name in others[:1]]
    priced.append((f"switch {others[-1]} to {rng.choice(SAFE)}", 0.27))
    priced.append((f"check {rng.choice(TESTS)}", 0.34))
    order = rng.permutation(len(priced))
    candidates = [priced[place][0] for place in order]
    lines.append("Options: " + "; ".join(candidates))
    return ToyCase(scenario_id, "\n".join(lines), candidates, [priced[place][1] for place in order])


def marked_case(scenario_id: str, rng: np.random.Generator) -> ToyCase:
    """One drug is marked; stopping it is best. Simple enough for a model of two random layers."""
    drugs = [str(name) for name in rng.permutation([NAMES[role][0] for role in ROLES])[:3]]
    candidates = [f"stop {name}" for name in drugs] + ["finish"]
    order = rng.permutation(len(candidates))
    rewards = [0.9, 0.3, 0.3, 0.1]
    user = f"Options: {'; '.join(candidates[place] for place in order)}\nharm {drugs[0]}"
    return ToyCase(scenario_id, user, [candidates[place] for place in order], [rewards[place] for place in order])


def marked_cases(count: int, seed: int, split: str = "train") -> list[ToyCase]:
    """Seeded simple cases."""
    rng = np.random.default_rng([seed, 1, sum(map(ord, split))])
    return [marked_case(f"{split}-MARK-easy-{number:06d}", rng) for number in range(count)]


def toy_cases(count: int, seed: int, split: str = "train") -> list[ToyCase]:
    """Seeded cases; different splits share no case."""
    rng = np.random.default_rng([seed, sum(map(ord, split))])
    return [toy_case(f"{split}-TOY-easy-{number:06d}", rng) for number in range(count)]


def sft_corpus(cases: list[ToyCase], split: str = "train") -> pd.DataFrame:
    """Demonstrations in the shape of the sft_corpus asset."""
    return pd.DataFrame(
        {
            "row_id": [case.scenario_id for case in cases],
            "scenario_id": [case.scenario_id for case in cases],
            "split": split,
            "system": SYSTEM,
            "user": [case.user for case in cases],
            "completion": [case.candidates[case.best] for case in cases],
        }
    )


def grpo_corpus(cases: list[ToyCase], split: str = "train") -> pd.DataFrame:
    """Prompts with candidates in the shape of the grpo_corpus asset: no rewards."""
    return pd.DataFrame(
        {
            "row_id": [case.scenario_id for case in cases],
            "scenario_id": [case.scenario_id for case in cases],
            "split": split,
            "prefix": [[] for _ in cases],
            "system": SYSTEM,
            "user": [case.user for case in cases],
            "candidates": [case.candidates for case in cases],
        }
    )


@dataclass
class PriceLog:
    """What the toy server was asked.

    Attributes:
        failures: requests still to be refused with 503, to test retries.
    """

    requests: list[dict[str, Any]] = field(default_factory=list)
    failures: int = 0


@contextmanager
def price_server(cases: list[ToyCase], columns: bool = True) -> Iterator[tuple[str, PriceLog]]:
    """An HTTP server with POST /price over these cases; yields its URL and what it was asked."""
    by_id = {case.scenario_id: dict(zip(case.candidates, case.rewards, strict=True)) for case in cases}
    log = PriceLog()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if log.failures > 0:
                log.failures -= 1
                self._answer(503, {"detail": "starting"})
                return
            log.requests.append(asked)
            rewards = [[by_id[i["scenario_id"]].get(a, 0.02) for a in i["actions"]] for i in asked["items"]]
            answer: dict[str, Any] = {"rewards": rewards, "knowledge_fingerprint": FINGERPRINT}
            if columns:
                answer["columns"] = [[{"safety_delta_score": r} for r in group] for group in rewards]
            self._answer(200, answer)

        def _answer(self, status: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", log
    finally:
        server.shutdown()
        server.server_close()
