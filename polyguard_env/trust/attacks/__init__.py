"""The adversarial panel. A family is one module that exports `ATTACKS`; register it here."""

from collections.abc import Callable
from copy import deepcopy

from polyguard_env.errors import PolyGuardError
from polyguard_env.trust.attacks import conduct, format, identity, injection, selection, words
from polyguard_env.trust.attacks.attack import Attack

FAMILIES = (conduct, selection, format, identity, injection, words)
_PANEL: dict[str, Attack] = {attack.name: attack for family in FAMILIES for attack in family.ATTACKS}
if len(_PANEL) != sum(len(family.ATTACKS) for family in FAMILIES):
    raise PolyGuardError("attack", "a name twice", "give every attack a name of its own")
NAMES: tuple[str, ...] = tuple(_PANEL)


def attack(name: str) -> Attack:
    """A fresh attack, without memory of other episodes.

    Raises:
        PolyGuardError: an unknown name.
    """
    if name not in _PANEL:
        raise PolyGuardError("attack", name, f"use one of {', '.join(NAMES)}")
    return deepcopy(_PANEL[name])


def panel() -> dict[str, Callable[[], Attack]]:
    """Name to a maker of fresh attacks."""
    return {name: (lambda name=name: attack(name)) for name in NAMES}  # type: ignore[misc]
