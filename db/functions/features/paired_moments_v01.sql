-- _float8 is double precision []: sqlfluff parses only one-word type names here.
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

comment on aggregate public.paired_moments(double precision, double precision) is
'Moments of the pairs (y, x) as {n, sum of x, Sxx, sum of y, Syy, Sxy}, the state of PostgreSQL''s
regr_* aggregates. S are sums of products of deviations: var_samp(y) = Syy / (n - 1). Windows
that follow each other merge with float8_regr_combine, so equal values have a variance of
exactly 0 (Youngs and Cramer 1971; Chan, Golub and LeVeque 1983). Pairs with a null are skipped.';
