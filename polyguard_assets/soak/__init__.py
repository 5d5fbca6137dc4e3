"""A soak of the environment server: many sessions that leave in every way a client can, and what they leave behind."""
