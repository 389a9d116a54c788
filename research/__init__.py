"""Experiments that chose the models and the rule of promotion: a module's docstring is the command that repeats it.

What they gave stands in docs/experiments.md, and in docs/ab-testing.md.
"""
