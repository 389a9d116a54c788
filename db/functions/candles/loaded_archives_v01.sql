-- loaded_archives: the exchange's archive files whose candles were loaded, so that none is fetched twice.
--
-- Grain    one row per symbol and file, written in the transaction that loaded the candles.
-- Columns  name is the file's, sha256 its hash; candles is how many minutes it had, of first_open_time to last_open_time.
create table loaded_archives (
    symbol text not null,
    name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    candles integer not null check (candles >= 0),
    first_open_time timestamptz,
    last_open_time timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    primary key (symbol, name)
);
alter table loaded_archives owner to candlecast_owner;
grant select on loaded_archives to candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, update on loaded_archives to candlecast_feeder;
grant delete on loaded_archives to candlecast_operator; -- to have a file fetched again
