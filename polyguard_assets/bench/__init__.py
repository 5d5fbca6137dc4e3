"""Benchmarks: `python -m polyguard_assets.bench`."""
