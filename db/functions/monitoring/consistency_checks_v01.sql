-- consistency_checks: whether a day's predictions come out again from what is stored now. mismatches must be 0.
--
-- Grain    one row per symbol, day (UTC, by candle_time) and ensemble that predicted on it (null: the models of the server's
--          environment); written by check_consistency(day), again where the day is checked again.
-- Columns  sampled: minutes that were computed again, five horizons each, the same ones whenever the day is asked for.
--          mismatches: how many of them lie further than tolerance from what is stored; worst: the largest difference, both
--          in scaled returns (of probability_up: in probability). corrected: mismatches of which a candle is known to be
--          another now, or gone.
--          example_time, cause and reason are of one mismatch. cause: unclear, or candle where all mismatches are corrected
--          ones; reason: by how much it is off.
-- Limits   mismatches, corrected and worst are null where reason says why nothing could be computed again.
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
