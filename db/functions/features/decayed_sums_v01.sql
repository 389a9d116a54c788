-- decayed_sums(close, gain, loss): what the exponential means and Wilder's index are made of.
--
-- Meaning  five sums over a frame, the minute k back weighted by decay ^ k:
--          [1..3] of the closes, decay 1 - 2 / (n + 1) for n = 5, 15, 30, that is 2/3, 7/8, 29/31;
--          [4..5] of the gains and of the losses, decay 1 - 1/14 = 13/14.
-- Window   "rows 148 preceding" and no other: what leaves is known to have weight decay ^ 148. One state moves
--          along (decayed_sums_add, decayed_sums_remove), so a row costs the same whatever the frame's length.
-- Limits   gains and losses are not negative, nothing is null.
-- _float8 is double precision []; sqlfluff knows types of one word only here.
create or replace aggregate public.decayed_sums(double precision, double precision, double precision) (
    sfunc = public.decayed_sums_add,
    stype = _float8,
    initcond = '{0,0,0,0,0}',
    msfunc = public.decayed_sums_add,
    minvfunc = public.decayed_sums_remove,
    mstype = _float8,
    minitcond = '{0,0,0,0,0}',
    parallel = safe
);

alter aggregate public.decayed_sums(double precision, double precision, double precision) owner to candlecast_owner;
revoke all on function public.decayed_sums(double precision, double precision, double precision) from public;
grant execute on function public.decayed_sums(double precision, double precision, double precision)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
