"""How good the forecasts are: figures with intervals, walk-forward, tables and plots."""
