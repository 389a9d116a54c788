"""The code that the PostgreSQL server runs: from features to predictions.

The PL/Python functions of ``db/functions`` are thin wrappers over this package. They pass ``plpy`` and the cache of the
session as arguments. This package never imports ``trainer``; the trainer may import it.
"""
