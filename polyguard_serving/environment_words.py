"""What the environment says of itself."""

from polyguard_env.environment.messages import DISCLAIMER

NAME = "polyguard"
DESCRIPTION = (
    "Polypharmacy safety: an agent sees an older patient and a regimen and chooses constrained clinical "
    f"actions; a verifier pays in [0.001, 0.999]. {DISCLAIMER}"
)
