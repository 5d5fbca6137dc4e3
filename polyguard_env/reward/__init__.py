"""The verifier's reward: thirteen columns, four channels, bounds and anti-hacking reasons."""
