"""Benchmarks in one command: ``python -m bench --help``, or `make bench` on a throw-away cluster."""
