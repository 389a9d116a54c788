"""Experiments that chose the models and the rule of promotion: a module's docstring is the command that repeats it.

Results: docs/explanation/experiments.md and docs/explanation/ab-tests.md.
"""
