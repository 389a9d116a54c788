"""Everything that runs outside of the database: the ``candlecast`` command."""
