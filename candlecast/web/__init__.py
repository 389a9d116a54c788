"""The service that shows what the forecasts are worth: /health, /metrics and the dashboard (`candlecast serve`)."""
