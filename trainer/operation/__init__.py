"""What keeps forecasts going: train, retrain, publish, prune, and what says how things stand."""
