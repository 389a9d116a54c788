"""A row of active_ensembles, and the columns that every query selects for it."""

from collections.abc import Mapping
from dataclasses import dataclass

#: The columns of ``EnsembleRow.of``, from active_ensembles as `ensemble`; null where an outer join is empty.
ENSEMBLE_COLUMNS = """
    ensemble.id as ensemble_id,
    ensemble.symbol as ensemble_symbol,
    ensemble.feature_hash,
    ensemble.mamba_weight::float8 as mamba_weight,
    ensemble.mamba_version_id,
    ensemble.lgbm_version_id,
    ensemble.calibration_sha256,
    (
        select extract(epoch from min(trained_at))::float8 from public.model_versions
        where id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
    ) as trained_at,
    (
        select string_agg(name || '=' || sha256, ' ' order by name)
        from public.model_artifacts where model_version_id = ensemble.mamba_version_id
    ) as mamba_files,
    (
        select string_agg(name || '=' || sha256, ' ' order by name)
        from public.model_artifacts where model_version_id = ensemble.lgbm_version_id
    ) as lgbm_files"""


@dataclass(frozen=True)
class EnsembleRow:
    """One row of active_ensembles. ``mamba_weight`` is None where the setting applies.

    trained_at (epoch seconds): the older version's. The files are 'name=sha256 ...', sorted by name.
    """

    id: int
    symbol: str
    feature_hash: str
    mamba_weight: float | None
    mamba_version_id: int
    lgbm_version_id: int
    calibration_sha256: str | None
    trained_at: float
    mamba_files: str
    lgbm_files: str

    @classmethod
    def of(cls, row: Mapping) -> "EnsembleRow":
        """From a row of a query with ENSEMBLE_COLUMNS."""
        return cls(
            id=row["ensemble_id"],
            symbol=row["ensemble_symbol"],
            feature_hash=row["feature_hash"],
            mamba_weight=row["mamba_weight"],
            mamba_version_id=row["mamba_version_id"],
            lgbm_version_id=row["lgbm_version_id"],
            calibration_sha256=row["calibration_sha256"],
            trained_at=row["trained_at"],
            mamba_files=row["mamba_files"] or "",
            lgbm_files=row["lgbm_files"] or "",
        )

    @classmethod
    def of_joined(cls, row: Mapping) -> "EnsembleRow | None":
        """The same; None where an outer join is empty. Then models of the server's environment may be used."""
        return None if row["ensemble_id"] is None else cls.of(row)
