"""Training data: files, features and targets, splits in time, and the look-ahead guard."""
