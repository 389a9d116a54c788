"""Training and evaluation of models: datasets, models, evaluation, export, gate, publishing, retraining."""
