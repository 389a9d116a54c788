"""Walk-forward evaluation: figures with intervals, tables and plots."""
