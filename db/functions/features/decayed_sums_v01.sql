-- _float8 is double precision []: sqlfluff parses only one-word type names here.
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

comment on aggregate public.decayed_sums(double precision, double precision, double precision) is
'Five decayed sums over a window, the basis of the exponential means and of Wilder''s RSI.
Elements 1 to 3: closes, with decay 2/3, 7/8 and 29/31 (spans 5, 15 and 30). Elements 4 and 5:
gains and losses, with decay 13/14. Use it only with the frame `rows 148 preceding`. Gains and
losses are not negative, and nothing is null.';
