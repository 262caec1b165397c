"""Ways to measure: one file per evaluator, base files shared by them."""
