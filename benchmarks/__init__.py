"""Our speed beside that of others, side by side in one run: ``python -m benchmarks``."""
