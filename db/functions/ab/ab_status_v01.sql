-- ab_status: each running comparison, where it stands, and what would be decided now.
--
-- Grain    one row per ensemble on test or in shadow.
-- Columns  minutes that moved since the test began, and the difference over them with its confidence sequence (fractions of
--          accuracy at one minute, challenger less active); pairs, difference_24h: the last 24 hours, by which the rule goes.
--          outlook and why: what evaluate_ab() would decide now. next_evaluation: the daily job's next turn. ends_at: an
--          undecided test is retired then (ab_max_days); a shadow is judged by the first evaluation from then on.
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
