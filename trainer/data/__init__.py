"""Candles in, rows to learn from out: files, features and targets, splits in time, the look-ahead guard."""
