"""`candlecast status`; its tables are in status_tables.py."""

from candlecast.cli.options import DatabaseUrl


def status(database_url: DatabaseUrl = None) -> None:
    """Show each symbol's candles, gaps and feed, the live ensembles, the last hour's inference runs.

    Example: `candlecast status`
    """
    from candlecast.cli.status_tables import print_status

    print_status(database_url)
