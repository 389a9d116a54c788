-- decayed_sums_remove: the oldest of 149 minutes leaves the sums of decayed_sums (see there).
--
-- Its weight by then is decay ^ 148. Subtracting leaves a rounding residue of about 1e-16 of what was subtracted.
-- Where that was more than half of the gains or of the losses (the window's only gain leaves, or the fall of a
-- collapsed price), the residue could become the answer: null tells PostgreSQL to sum the window afresh. So a
-- window without gains has a sum of gains of exactly 0, and no sum is ever negative.
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
