"""Command-line commands of `python -m polyguard_env`."""
