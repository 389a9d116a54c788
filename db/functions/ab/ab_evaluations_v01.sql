-- active_ensembles and this table reference each other: the foreign key of the first one is added here.
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
comment on table ab_evaluations is
'Evaluations of A/B tests and their decisions: one row per call of evaluate_ab() and challenger,
never changed. A challenger is an ensemble on test or in shadow. The window is the 24 hours of
candle_time before at_time; sequence_* start with the test. Differences are challenger minus
active, and accuracies are fractions of the minutes whose price moved.';
comment on column ab_evaluations.id is 'Primary key.';
comment on column ab_evaluations.evaluated_at is 'When the evaluation ran (server clock).';
comment on column ab_evaluations.at_time is 'Time as of which it was decided: the end of the window (exclusive).';
comment on column ab_evaluations.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column ab_evaluations.active_id is 'Active ensemble, active_ensembles.id. Null: none was active.';
comment on column ab_evaluations.challenger_id is 'Challenger, active_ensembles.id.';
comment on column ab_evaluations.role is 'State of the challenger: test or shadow.';
comment on column ab_evaluations.since is 'First candle_time that both predicted since the test began.';
comment on column ab_evaluations.window_from is 'Start of the 24-hour window.';
comment on column ab_evaluations.pairs is
'Minutes of the window that both predicted and that have an outcome at horizon 1.';
comment on column ab_evaluations.active_accuracy_1m is 'Direction accuracy of the active ensemble at horizon 1.';
comment on column ab_evaluations.challenger_accuracy_1m is 'Direction accuracy of the challenger at horizon 1.';
comment on column ab_evaluations.difference_1m is 'challenger_accuracy_1m - active_accuracy_1m.';
comment on column ab_evaluations.difference_1m_low is 'Lower end of the 95 % interval of difference_1m (Newey-West).';
comment on column ab_evaluations.difference_1m_high is 'Upper end of the 95 % interval of difference_1m (Newey-West).';
comment on column ab_evaluations.active_only_right is
'Minutes at horizon 1 on which only the active ensemble was right.';
comment on column ab_evaluations.challenger_only_right is
'Minutes at horizon 1 on which only the challenger was right.';
comment on column ab_evaluations.mcnemar_p is 'Two-sided p value of McNemar''s exact test on these two counts.';
comment on column ab_evaluations.active_accuracy is 'Direction accuracy of the active ensemble, all horizons together.';
comment on column ab_evaluations.challenger_accuracy is 'Direction accuracy of the challenger, all horizons together.';
comment on column ab_evaluations.difference is 'challenger_accuracy - active_accuracy.';
comment on column ab_evaluations.difference_low is 'Lower end of the 95 % interval of difference (Newey-West).';
comment on column ab_evaluations.difference_high is 'Upper end of the 95 % interval of difference (Newey-West).';
comment on column ab_evaluations.loss is
'brier, or squared_error (squared basis points) if one ensemble has no probabilities.';
comment on column ab_evaluations.loss_difference is
'Mean loss of the challenger minus that of the active ensemble. Below 0: the challenger is better.';
comment on column ab_evaluations.loss_standard_error is 'Standard error of loss_difference (Newey-West).';
comment on column ab_evaluations.by_horizon is
'Per horizon: active, challenger, difference, low, high, as in the columns for horizon 1.';
comment on column ab_evaluations.sequence_minutes is 'Minutes at horizon 1 since the test began whose price moved.';
comment on column ab_evaluations.sequence_disagreements is
'Those minutes on which the two predicted opposite directions.';
comment on column ab_evaluations.sequence_difference is 'Difference of accuracy at horizon 1 since the test began.';
comment on column ab_evaluations.sequence_low is
'Lower end of its 95 % confidence sequence, valid at all times at once.';
comment on column ab_evaluations.sequence_high is
'Upper end of its 95 % confidence sequence, valid at all times at once.';
comment on column ab_evaluations.promotion_margin is 'Setting promotion_margin in effect, a fraction.';
comment on column ab_evaluations.promotion_guard is 'Setting promotion_guard in effect.';
comment on column ab_evaluations.decision is 'promote, roll_back, retire, refuse or keep.';
comment on column ab_evaluations.reason is 'Reason of the decision, with figures.';
