"""The Dagster asset graph: definitions, assets by group, IO, launchers and training entry points."""
