"""Simulation parameters of the environment: one vector, read by name here and by place in the compiled rules.

They order harms and price conduct; none is a clinical recommendation.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.reward.columns import WEIGHTS

# A difference up to this is rounding.
ROUNDING = 1e-9
DEFAULTS: dict[str, float] = {
    # Weight of a finding by severity, and of a withdrawal.
    "weight_minor": 0.2,
    "weight_moderate": 1.0,
    "weight_major": 3.0,
    "weight_contraindicated": 6.0,
    "withdrawal_minor": 0.6,
    "withdrawal_moderate": 2.5,
    "withdrawal_major": 5.0,
    "withdrawal_contraindicated": 8.0,
    # Whole-regimen burden: per unit of DBI and ACB, per drug.
    "dbi": 0.8,
    "acb": 0.15,
    "drug": 0.05,
    # Thresholds of rules/burden.csv: acb2012 (2012) and dbi2007 (2007).
    "acb_threshold": 3.0,
    "acb_severity": 2.0,
    "dbi_threshold": 1.0,
    "dbi_severity": 2.0,
    # What is left of an interaction once it is monitored, or a dose reduced as its management says.
    "monitored": 0.35,
    "monitored_reduce": 0.5,
    "monitored_otherwise": 0.8,
    "reduced": 0.4,
    "taper_begun": 0.1,
    "taper_begun_slope": 0.5,
    # A hold: what a pause takes of the time ahead, and with it of treatment and of what does not pass meanwhile; how
    # many days it lasts where an episode lives through them; what a lasting change costs where a pause would do.
    "held_share": 0.1,
    "hold_days": 28.0,
    "cost_lasting": 0.5,
    # Information that is needed and missing.
    "unmonitored": 0.35,
    "unknown": 0.8,
    # A dose below the usual minimum treats in proportion below this share of it.
    "enough": 0.95,
    # Dynamics.
    "withdrawal_days": 28.0,
    "safe_stop": 0.26,
    "taper_end": 0.12,
    # Verdict.
    # A hair above 0.15, so that rounding does not decide a gain of exactly that.
    "actionable": 0.15 + ROUNDING,
    "review_value": 0.3,
    "unsafe_gate": 0.1,
    "conduct_gate": 0.5,
    "severe_relief": 0.5,
    "harm_slope": 0.5,
    "best_logit": 4.0,
    "delta_scale": 0.3,
    "max_keeps": 1.0,
    # Share of its bonuses that a change keeps where no change helps and this one does not either.
    "needless_gate": 0.65,
    # Share of its bonuses that a move keeps which only takes off risk that the agent has added itself.
    "repair_gate": 0.1,
    # Cost of a step by kind of action.
    "cost_keep": 0.15,
    "cost_stop": 0.05,
    "cost_taper": 0.05,
    "cost_reduce": 0.05,
    "cost_increase": 0.05,
    "cost_hold": 0.11,
    "cost_substitute": 0.08,
    "cost_add": 0.08,
    "cost_recommend": 0.08,
    "cost_order": 0.04,
    "cost_fetch": 0.06,
    "cost_decompose": 0.06,
    "cost_test": 0.06,
    "cost_review": 0.12,
    "cost_finish": 0.0,
    # Hazard of a harm event in 90 days: by the severity of what stands, per unit of untreated priority, per unit of the
    # regimen's load (0.08 per unit of DBI, 0.015 per ACB point, 0.005 per drug), per unit of what nobody knows (0.08
    # for a drug, product or chart that is not on file, 0.035 for a measurement that a drug calls for): the next
    # prescriber acts without it.
    "hazard_minor": 0.01,
    "hazard_moderate": 0.1,
    "hazard_major": 0.45,
    "hazard_contraindicated": 0.9,
    "hazard_untreated": 0.12,
    "hazard_load": 0.1,
    "hazard_unknown": 0.1,
    "severe_untreated": 2.0,
    "follow_up_days": 90.0,
    # Candidates.
    "least_weight": 0.15,
    "illegal_share": 0.5,
    "raise": 1.5,
    "cut": 0.5,
}
PLACE: dict[str, int] = {name: place for place, name in enumerate(DEFAULTS)}


def parameter_vector(changes: dict[str, float] | None = None) -> np.ndarray:
    """The parameters as the compiled rules read them, shape (parameters,).

    Args:
        changes: values to put in place of the defaults, by name.
    """
    values = DEFAULTS | (changes or {})
    unknown = set(values) - set(DEFAULTS)
    if unknown:
        raise KeyError(f"unknown parameter {sorted(unknown)[0]}")
    return np.array([values[name] for name in DEFAULTS], dtype=np.float64)


def weight_vector() -> np.ndarray:
    """The thirteen column weights in column order."""
    return np.array(list(WEIGHTS.values()), dtype=np.float64)
