create table consistency_checks (
    symbol text not null,
    day date not null,
    ensemble_id bigint references active_ensembles (id),
    sampled integer not null check (sampled >= 0),
    mismatches integer check (mismatches between 0 and sampled),
    corrected integer check (corrected between 0 and mismatches),
    worst double precision check (worst >= 0),
    tolerance double precision not null check (tolerance > 0),
    example_time timestamptz,
    cause text check (cause in ('unclear', 'candle')),
    reason text,
    checked_at timestamptz not null default clock_timestamp(),
    constraint consistency_checks_one_a_day unique nulls not distinct (symbol, day, ensemble_id),
    constraint consistency_checks_checked_or_why check ((mismatches is null) = (sampled = 0)),
    constraint consistency_checks_example check (
        num_nulls(example_time, cause) = case when mismatches > 0 then 0 else 2 end
        and (reason is null) = coalesce(mismatches = 0, false)
    )
);
alter table consistency_checks owner to candlecast_owner;
grant select on consistency_checks to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on table consistency_checks is
'Daily consistency checks, a recomputation of stored predictions: one row per symbol, day (UTC,
of candle_time) and ensemble. mismatches must be 0. Written by check_consistency(). The figures
are null if reason says why nothing was recomputed.';
comment on column consistency_checks.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column consistency_checks.day is 'Day (UTC) of candle_time.';
comment on column consistency_checks.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column consistency_checks.sampled is
'Minutes that were recomputed, five horizons each. The same day has the same sample.';
comment on column consistency_checks.mismatches is
'Sampled minutes that differ from the stored predictions by more than tolerance.';
comment on column consistency_checks.corrected is 'Mismatches whose candles were changed or deleted since.';
comment on column consistency_checks.worst is
'Largest difference, in scaled returns (of probability_up: in probability).';
comment on column consistency_checks.tolerance is 'Largest difference that is accepted, same unit as worst.';
comment on column consistency_checks.example_time is 'candle_time of one mismatch.';
comment on column consistency_checks.cause is 'candle if all mismatches are corrected ones, else unclear.';
comment on column consistency_checks.reason is 'Difference of the example, or why nothing was recomputed.';
comment on column consistency_checks.checked_at is 'When it was checked.';
