"""Experiments for the choice of models and of the promotion rule. Each module's docstring has its command.

The results are in docs/experiments.md and docs/ab-testing.md.
"""
