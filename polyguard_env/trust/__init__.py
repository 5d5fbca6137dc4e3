"""Proof of trust: an adversarial panel, leakage, a second checker, harm correlation and the scoreboard of them all."""
