-- feed_status: what `candlecast feed` is doing, one row for each symbol that it was ever told to feed.
--
-- State    catching up   asks the exchange's REST interface for what the table lacks; what the stream says waits
--          live          complete up to newest_open_time, and the stream is connected
--          disconnected  no stream, or no answer to REST: last_error says why; it tries again by itself
--          stopped       was told to stop, and did
--          A feed that was killed leaves its last state: heartbeat_at (this database's clock, every 10 s) tells.
-- Columns  newest_open_time is the newest minute that it knows to be stored, with none missing behind it since started_at;
--          written counts candles from the stream, refilled rows that REST brought or corrected, both since started_at,
--          as reconnects does; last_error stays after it is over: last_error_at says when it was; host and pid are the
--          feed's.
create table feed_status (
    symbol text primary key,
    exchange text not null,
    state text not null check (state in ('catching up', 'live', 'disconnected', 'stopped')),
    started_at timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    connected_at timestamptz,
    newest_open_time timestamptz,
    written bigint not null default 0,
    refilled bigint not null default 0,
    reconnects bigint not null default 0,
    last_error text,
    last_error_at timestamptz,
    host text not null,
    pid integer not null,
    constraint feed_status_error check ((last_error is null) = (last_error_at is null))
);
alter table feed_status owner to candlecast_owner;
grant select on feed_status to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, update, delete on feed_status to candlecast_feeder;
grant delete on feed_status to candlecast_operator; -- a symbol that nobody feeds any more
