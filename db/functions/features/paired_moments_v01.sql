-- paired_moments(y, x): the moments of pairs, in a form in which neighboring windows can be merged.
--
-- Meaning  {n, sum of x, Sxx, sum of y, Syy, Sxy}, where S are sums of products of deviations from the means:
--          the state of PostgreSQL's own regr_* and covar_* aggregates, so var_samp(y) = Syy / (n - 1) and
--          covar_samp(y, x) = Sxy / (n - 1).
-- Why      a window of 15 is three windows of 5 merged by float8_regr_combine, in three steps of C instead of 15,
--          and centered throughout (Youngs and Cramer 1971; Chan, Golub and LeVeque 1983): nothing is
--          subtracted that was added before, so equal values have a variance of exactly 0.
-- Limits   pairs with a null are left out. PostgreSQL 12 to 18 (the state's six elements are theirs).
-- _float8 is double precision []; sqlfluff knows types of one word only here.
create or replace aggregate public.paired_moments(double precision, double precision) (
    sfunc = pg_catalog.float8_regr_accum,
    stype = _float8,
    initcond = '{0,0,0,0,0,0}',
    combinefunc = pg_catalog.float8_regr_combine,
    parallel = safe
);

alter aggregate public.paired_moments(double precision, double precision) owner to candlecast_owner;
revoke all on function public.paired_moments(double precision, double precision) from public;
grant execute on function public.paired_moments(double precision, double precision)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
