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
grant delete on loaded_archives to candlecast_operator; -- so that a file is downloaded again
comment on table loaded_archives is
'Archive files of the exchange that were loaded, so that none is downloaded twice: one row per
symbol and file, written in the transaction that loaded its candles.';
comment on column loaded_archives.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column loaded_archives.name is 'Name of the file.';
comment on column loaded_archives.sha256 is 'SHA-256 of the file, in hexadecimal.';
comment on column loaded_archives.candles is 'Number of candles in the file.';
comment on column loaded_archives.first_open_time is 'First minute in the file.';
comment on column loaded_archives.last_open_time is 'Last minute in the file.';
comment on column loaded_archives.loaded_at is 'When the file was loaded.';
