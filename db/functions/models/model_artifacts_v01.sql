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
comment on table model_artifacts is
'Files of the model versions: one row per version and file. Artifacts are code, so only
candlecast_cron may read their content.';
comment on column model_artifacts.model_version_id is 'Version, model_versions.id.';
comment on column model_artifacts.name is 'File name.';
comment on column model_artifacts.sha256 is 'SHA-256 of the content, in hexadecimal, verified at loading.';
comment on column model_artifacts.content is 'The bytes of the file.';
