"""What trains and judges models: datasets, models, evaluation; export, gate, publish, retrain."""
