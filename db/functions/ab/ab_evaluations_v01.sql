-- ab_evaluations: every comparison of a challenger with its symbol's active ensemble, and what was decided.
--
-- Grain    one row per call of evaluate_ab() and ensemble on test or in shadow; rows are added, never changed.
-- Window   the 24 hours before at_time, by candle_time; outcomes that at_time knew. sequence_*: since the test began.
-- Units    accuracies and their differences (challenger less active) are fractions, over minutes whose price moved; _1m is
--          at one minute, without it all five horizons together. [low, high] are 95 % intervals (Newey-West), of sequence_*
--          a 95 % confidence sequence (candlecast/server/ab/confidence_sequence.py): it holds at all times at once.
--          loss is brier, or squared_error in squared basis points where one of both has no probabilities.
-- Columns  pairs: minutes that both predicted, with an outcome at one minute. active_only_right, challenger_only_right and
--          mcnemar_p: at one minute. sequence_disagreements: minutes on which their directions differed.
-- Limits   active_ensembles and this table reference each other: the foreign key of the one that comes first stands here.
create table ab_evaluations (
    id bigint generated always as identity primary key,
    evaluated_at timestamptz not null default clock_timestamp(),
    at_time timestamptz not null,
    symbol text not null,
    active_id bigint references active_ensembles (id),
    challenger_id bigint not null references active_ensembles (id),
    role text not null check (role in ('test', 'shadow')),
    since timestamptz,
    window_from timestamptz not null,
    pairs integer not null,
    active_accuracy_1m double precision,
    challenger_accuracy_1m double precision,
    difference_1m double precision,
    difference_1m_low double precision,
    difference_1m_high double precision,
    active_only_right integer not null,
    challenger_only_right integer not null,
    mcnemar_p double precision,
    active_accuracy double precision,
    challenger_accuracy double precision,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    loss text check (loss in ('brier', 'squared_error')),
    loss_difference double precision,
    loss_standard_error double precision,
    by_horizon jsonb not null,
    sequence_minutes integer not null,
    sequence_disagreements integer not null,
    sequence_difference double precision,
    sequence_low double precision,
    sequence_high double precision,
    promotion_margin double precision not null,
    promotion_guard text not null,
    decision text not null check (decision in ('promote', 'roll_back', 'retire', 'refuse', 'keep')),
    reason text not null
);
create index ab_evaluations_by_challenger on ab_evaluations (challenger_id, at_time desc);
create index ab_evaluations_by_symbol on ab_evaluations (symbol, at_time desc);
alter table active_ensembles add foreign key (change_evaluation_id) references ab_evaluations (id);
alter table ab_evaluations owner to candlecast_owner;
grant select on ab_evaluations to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
