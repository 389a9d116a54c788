-- No SET, so that PostgreSQL inlines it.
create or replace function wilson_interval(share double precision, trials double precision)
returns table (low double precision, high double precision)
language sql
immutable parallel safe
security invoker
as $$
select
    (share + score.z2 / 2 - half.width) / (1 + score.z2),
    (share + score.z2 / 2 + half.width) / (1 + score.z2)
from (values (1.959963984540054 ^ 2 / nullif(trials, 0))) as score (z2)
cross join lateral (values (sqrt(score.z2 * (share * (1 - share) + score.z2 / 4)))) as half (width)
$$;
alter function wilson_interval(double precision, double precision) owner to candlecast_owner;
revoke all on function wilson_interval(double precision, double precision) from public;
grant execute on function wilson_interval(double precision, double precision)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function wilson_interval(double precision, double precision) is
'The 95 % interval of a share of independent trials (Wilson 1927), one row; null without trials.
Outcomes of h minutes overlap: for rows one minute apart use trials = rows / h.';
