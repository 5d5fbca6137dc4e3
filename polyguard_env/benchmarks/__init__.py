"""Public benchmarks posed as published, with reference learners beside them."""
