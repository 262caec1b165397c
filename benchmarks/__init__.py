"""One script per question, each run as `python -m benchmarks.NAME`; README.md has the results."""
