-- candles_1m_rights: who reads and writes candles; the same for a table that was there before.
revoke all on table candles_1m from public;
grant select, insert, update on table candles_1m to candlecast_owner, candlecast_feeder;
grant delete on table candles_1m to candlecast_operator; -- a candle that a wrong clock wrote
grant select on table candles_1m to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
