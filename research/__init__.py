"""Experiments for the choice of models and of the promotion rule. Each module's docstring has its command.

The results are in docs/explanation/experiments.md and docs/explanation/ab-tests.md.
"""
