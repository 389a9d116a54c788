create or replace function public.decayed_sums_remove(
    sums double precision [], close double precision, gain double precision, loss double precision
)
returns double precision []
language plpgsql
immutable
parallel safe
security invoker
as $$
begin
    -- The weight of the oldest minute is decay ^ 148. Subtracting leaves a rounding error of about 1e-16 of what is
    -- subtracted. If that was over half of the gains or of the losses, the error could become the result: null makes
    -- PostgreSQL sum the window again. So a window without gains has exactly 0, and no sum is ever negative.
    return case
        when gain * (13 / 14::double precision) ^ 148 <= sums[4] / 2
            and loss * (13 / 14::double precision) ^ 148 <= sums[5] / 2
            then array[
                sums[1] - close * (2 / 3::double precision) ^ 148,
                sums[2] - close * (7 / 8::double precision) ^ 148,
                sums[3] - close * (29 / 31::double precision) ^ 148,
                sums[4] - gain * (13 / 14::double precision) ^ 148,
                sums[5] - loss * (13 / 14::double precision) ^ 148
            ]
    end;
end
$$;

alter function public.decayed_sums_remove(
    double precision [], double precision, double precision, double precision
) owner to candlecast_owner;
revoke all on function public.decayed_sums_remove(
    double precision [], double precision, double precision, double precision
) from public;

comment on function public.decayed_sums_remove(double precision [], double precision, double precision, double precision) is
'Removes the oldest of 149 minutes from the sums of decayed_sums(). Null if rounding would
matter: PostgreSQL then sums the window again.';
