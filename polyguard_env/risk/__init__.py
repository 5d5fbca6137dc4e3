"""Risk of a regimen in a patient: calculators, findings and the potential built on them."""
