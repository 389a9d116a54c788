create or replace function public.decayed_sums_add(
    sums double precision [], close double precision, gain double precision, loss double precision
)
returns double precision []
language plpgsql
immutable
parallel safe
security invoker
as $$
begin
    return array[
        sums[1] * (2 / 3::double precision) + close,
        sums[2] * (7 / 8::double precision) + close,
        sums[3] * (29 / 31::double precision) + close,
        sums[4] * (13 / 14::double precision) + gain,
        sums[5] * (13 / 14::double precision) + loss
    ];
end
$$;

alter function public.decayed_sums_add(
    double precision [], double precision, double precision, double precision
) owner to candlecast_owner;
revoke all on function public.decayed_sums_add(
    double precision [], double precision, double precision, double precision
) from public;

comment on function public.decayed_sums_add(double precision [], double precision, double precision, double precision) is
'Adds a minute to the sums of decayed_sums(): each sum is multiplied by its decay, then the new
value is added.';
