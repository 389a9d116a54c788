"""The HTTP service behind `candlecast serve`: /health, /metrics and the dashboard."""
