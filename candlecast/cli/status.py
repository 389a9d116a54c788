"""`candlecast status`; its tables are in status_tables.py."""

from candlecast.cli.options import DatabaseUrl


def status(database_url: DatabaseUrl = None) -> None:
    """Show candles, gaps and feeds, ensembles, A/B tests, inference runs and training runs.

    Example: `candlecast status`
    """
    from candlecast.cli.status_tables import print_status

    print_status(database_url)
