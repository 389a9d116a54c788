"""Experiments that chose the models: a module's docstring is the command that repeats it.

What they gave stands in docs/experiments.md.
"""
