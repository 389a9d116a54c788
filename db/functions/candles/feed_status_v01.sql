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
grant delete on feed_status to candlecast_operator; -- for a symbol that is no longer fed
comment on table feed_status is
'State of `candlecast feed`: one row per symbol that it has ever fed. A feed that was killed
leaves its last state: check heartbeat_at.
- catching up: requests missing candles over REST; candles of the stream wait
- live: complete up to newest_open_time, and the stream is connected
- disconnected: no stream or no answer over REST, see last_error; it retries
- stopped: it was stopped';
comment on column feed_status.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column feed_status.exchange is 'Exchange that the candles come from.';
comment on column feed_status.state is 'catching up, live, disconnected or stopped.';
comment on column feed_status.started_at is 'When the feed started.';
comment on column feed_status.heartbeat_at is 'Last sign of life, every 10 s (clock of this database).';
comment on column feed_status.connected_at is 'When the stream was last connected.';
comment on column feed_status.newest_open_time is 'Newest stored minute with none missing before it since started_at.';
comment on column feed_status.written is 'Candles written from the stream since started_at.';
comment on column feed_status.refilled is 'Candles added or corrected by REST requests since started_at.';
comment on column feed_status.reconnects is 'Reconnections of the stream since started_at.';
comment on column feed_status.last_error is 'Last error. It stays after the feed has recovered.';
comment on column feed_status.last_error_at is 'When last_error occurred.';
comment on column feed_status.host is 'Host of the feed process.';
comment on column feed_status.pid is 'Process id of the feed.';
