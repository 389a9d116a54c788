-- model_artifacts: the bytes that the database serves; a model is deployed by COMMIT and undone by ROLLBACK.
--
-- Grain    one row per version and file. Only what predicts may read content: artifacts are code (see the README).
create table model_artifacts (
    model_version_id bigint not null references model_versions (id) on delete cascade,
    name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    content bytea not null,
    primary key (model_version_id, name)
);
alter table model_artifacts alter column content set storage external;
alter table model_artifacts owner to candlecast_owner;
grant select on model_artifacts to candlecast_cron;
grant select (model_version_id, name, sha256) on model_artifacts
to candlecast_trainer, candlecast_operator, candlecast_reader;
