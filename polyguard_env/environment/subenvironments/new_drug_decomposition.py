"""NEW_DRUG_DECOMPOSITION: an unseen product must be taken apart into ingredients before one can reason about it.

Products bear invented names, or are combination products of the tables; in a control every ingredient is innocent.
"""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.episode import Product
from polyguard_env.environment.pool import MAJOR, MODERATE
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment

INGREDIENTS = {"easy": (2, 2), "medium": (2, 2), "hard": (2, 3)}
OTHERS = {"easy": (1, 2), "medium": (2, 3), "hard": (3, 4)}
KINDS = ("duplication", "interaction", "interaction", "drug_disease", "drug_disease")
REAL_SHARE = 0.35
ONSETS = ("b", "br", "c", "d", "f", "gl", "k", "l", "m", "n", "pr", "r", "s", "t", "v", "x", "z", "tr", "h", "j")
VOWELS = ("a", "e", "i", "o", "u", "ae", "io")
CODAS = ("", "", "l", "n", "r", "s", "x")
ENDINGS = ("va", "xa", "ra", "tis", "zen", "quo", "lia", "mox", "dera", "vio", "nix", "tora")
DRAWS = 10


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """A product with an ingredient that duplicates, interacts or is wrong for a condition, and other drugs."""
    shape = draft.shape.rng
    size, others = shape.randint(*INGREDIENTS[difficulty]), shape.randint(*OTHERS[difficulty])
    real, kind = shape.random() < REAL_SHARE, KINDS[shape.randrange(len(KINDS))]
    weights = draft.pool.weights
    found = _real_product(draft) if real and size == 2 else _invented_product(draft, size)
    if found is None:
        return None
    name, ingredients = found
    targets: list[str] = []
    if not draft.control:
        draft.mild = draft.mild or kind == "duplication"
        culprit = _make_trouble(draft, ingredients, kind)
        if culprit is None:
            return None
        targets = culprit
    elif kind == "drug_disease":
        draft.pad_condition()
    if not draft.fill(size + others, weights):
        return None
    product = Product(name, tuple(ingredients))
    mechanism = CONTROL if draft.control else kind
    return Posed(tuple(targets), mechanism, frozenset({f"product:{name}"}), products=(product,))


def _real_product(draft: Draft) -> tuple[str, list[str]] | None:
    """A combination product of the tables whose ingredients go together here."""
    products = draft.pool.products
    for _ in range(DRAWS):
        name, drug_ids = products[draft.rng.randrange(len(products))]
        first, second = (draft.pool.place[drug_id] for drug_id in drug_ids)
        mask = draft.quiet() if draft.control else draft.allowed()
        together = not (draft.pool.alike[first, second] or (draft.control and draft.pool.rank[first, second]))
        if together and mask[first] and mask[second]:
            return (name, list(drug_ids)) if all(draft.add_fitting(drug_id) for drug_id in drug_ids) else None
    return None


def _invented_product(draft: Draft, size: int) -> tuple[str, list[str]] | None:
    """A product of an invented name, of drugs that go together."""
    weights = draft.pool.marginal(draft.split, ("contraindicated", "major"))
    for _ in range(size):
        if not draft.add_quiet(weights):
            return None
    return _invented_name(draft), draft.drug_ids


def _make_trouble(draft: Draft, ingredients: list[str], kind: str) -> list[str] | None:
    """Add what makes one ingredient wrong: a twin, a partner, or a condition."""
    pool, rng = draft.pool, draft.rng
    order = list(ingredients)
    rng.shuffle(order)
    for drug_id in order:
        place = pool.place[drug_id]
        rest = [pool.place[other] for other in ingredients if other != drug_id]
        if kind == "drug_disease":
            taken = [pool.place[name] for name in draft.drug_ids if name != drug_id]
            free = [
                name
                for name in pool.against[place]
                if pool.uncalled(name)
                and name != "cirrhosis"
                and not (pool.unsuits[taken, pool.condition_place[name]] >= MODERATE).any()
            ]
            if free:
                draft.pin(free[rng.randrange(len(free))])
                return [drug_id]
            continue
        if kind == "duplication":
            mask = pool.doubled[place] & (pool.rank[place] == 0)
        else:
            mask = (pool.rank[place] >= MAJOR) & (pool.split_of[place] == draft.code)
        mask = mask & draft.allowed() & ~(pool.rank[rest] > 0).any(axis=0) & ~pool.alike[rest].any(axis=0)
        partner = draft.draw(mask)
        if partner:
            return [drug_id, partner] if draft.add(partner) else None
    return None


def _invented_name(draft: Draft) -> str:
    """A pronounceable name that no drug or product of the tables has."""
    rng, knowledge = draft.rng, draft.index.knowledge
    while True:
        syllables = [
            ONSETS[rng.randrange(len(ONSETS))] + VOWELS[rng.randrange(len(VOWELS))] + CODAS[rng.randrange(len(CODAS))]
            for _ in range(1 + rng.randrange(2))
        ]
        name = "".join(syllables) + ENDINGS[rng.randrange(len(ENDINGS))]
        if not knowledge.resolve_all(name):
            return name


SPEC = SubEnvironment(
    name="NEW_DRUG_DECOMPOSITION",
    description="Take an unseen product apart and judge its ingredients beside the rest of the regimen.",
    budgets={"easy": 3, "medium": 4, "hard": 5},
    step_days=7,
    pose=pose,
)
