create or replace view ab_status as
select
    preview.symbol,
    preview.challenger_id,
    preview.role,
    preview.active_id,
    preview.since,
    preview.sequence_minutes as minutes,
    preview.sequence_difference as difference,
    preview.sequence_low as low,
    preview.sequence_high as high,
    preview.pairs,
    preview.difference_1m as difference_24h,
    preview.decision as outlook,
    preview.reason as why,
    date_bin('1 day', now(), '2000-01-01 00:10:00+00') + interval '1 day' as next_evaluation,
    preview.since + case preview.role
        when 'shadow' then interval '1 day' else public.ml_setting('ab_max_days')::integer * interval '1 day'
    end as ends_at
from public.preview_ab() as preview;
alter view ab_status owner to candlecast_owner;
grant select on ab_status to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view ab_status is
'Running A/B tests and their current decision: one row per ensemble on test or in shadow (the
challenger). Differences are direction accuracies at horizon 1, challenger minus active,
fractions.';
comment on column ab_status.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column ab_status.challenger_id is 'Challenger, active_ensembles.id.';
comment on column ab_status.role is 'State of the challenger: test or shadow.';
comment on column ab_status.active_id is 'Active ensemble, active_ensembles.id. Null: none is active.';
comment on column ab_status.since is 'First candle_time that both predicted since the test began.';
comment on column ab_status.minutes is 'Minutes since the test began whose price moved.';
comment on column ab_status.difference is 'Difference of accuracy over these minutes.';
comment on column ab_status.low is 'Lower end of the 95 % confidence sequence of difference.';
comment on column ab_status.high is 'Upper end of the 95 % confidence sequence of difference.';
comment on column ab_status.pairs is 'Minutes of the last 24 hours that both predicted and that have an outcome.';
comment on column ab_status.difference_24h is 'Difference of accuracy over the last 24 hours, which the decision uses.';
comment on column ab_status.outlook is 'Current decision: promote, roll_back, retire or keep.';
comment on column ab_status.why is 'Reason of the current decision.';
comment on column ab_status.next_evaluation is 'When the daily job evaluates next.';
comment on column ab_status.ends_at is
'When an undecided test is retired (ab_max_days), or from when a shadow is decided.';
