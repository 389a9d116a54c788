"""What the PostgreSQL server imports: from features to predictions.

The PL/Python functions of ``db/functions`` are thin wrappers over this package; ``plpy`` and the
session's cache arrive as arguments. It never imports ``trainer``; the trainer may import it.
"""
