"""Benchmarks of models: how well they recommend, and what training them costs."""
