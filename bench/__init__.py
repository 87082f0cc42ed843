"""Measurements, side by side with the bare parts: one module per table of the page `docs/benchmarks.md`."""
