"""A database session: prepared queries and a small cache of loaded models.

Both are in PL/Python's GD, so they last as long as the connection.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

#: Loaded models and calibrations per session; the least recently used is removed first. Enough for six ensembles: an
#: active one, a shadow, three on test, and one that is being validated.
CACHE_SIZE = 18


_NOW = "select extract(epoch from clock_timestamp())::float8 as now"


class Session:
    """One connection: ``plpy``, plans by query text, models by key, ids of ensembles whose warning was sent."""

    def __init__(self, plpy: Any) -> None:
        self.plpy = plpy
        self.plans: dict[str, Any] = {}
        self.models: OrderedDict[tuple, Any] = OrderedDict()
        self.warned: set[int] = set()

    @classmethod
    def of(cls, plpy: Any, cache: dict) -> "Session":
        """The session in ``cache`` (GD), created at the first call."""
        session = cache.get("candlecast")
        if session is None:
            session = cache["candlecast"] = cls(plpy)
        session.plpy = plpy
        return session

    def rows(self, query: str, types: Sequence[str] = (), values: Sequence[object] = ()) -> Any:
        """Run a query through its prepared plan; rows behave like dicts."""
        plan = self.plans.get(query)
        if plan is None:
            plan = self.plans[query] = self.plpy.prepare(query, list(types))
        return self.plpy.execute(plan, list(values))

    def now(self) -> float:
        """The server's clock, epoch seconds."""
        return self.rows(_NOW)[0]["now"]

    def configure_transaction(self) -> None:
        """Set search_path and plan_cache_mode for this transaction; a procedure that commits cannot have a SET clause.

        search_path: otherwise any role that may create functions in schema public could replace a function that is
        called here. plan_cache_mode: otherwise the features are planned at each call, which takes as long as running
        them.
        """
        self.plpy.execute(
            "select pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),"
            " pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)"
        )

    def commit(self) -> None:
        """Commit, and configure the next transaction."""
        self.plpy.commit()
        self.configure_transaction()

    def keep(self, key: tuple, model: Any) -> Any:
        """Put a loaded model into the cache and return it."""
        self.models[key] = model
        self.models.move_to_end(key)
        while len(self.models) > CACHE_SIZE:
            self.models.popitem(last=False)
        return model
