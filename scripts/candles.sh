# Which candles `make up` works with: the exchange's, files, or generated ones. Sourced by up.sh, never run.
#
# A database that has candles keeps to where they come from: what $fetched names is brought up to date from the exchange,
# DEMO is generated further where it is there.
# shellcheck shell=bash

days=60
listed=BTCUSDT           # what is fetched where nothing else is said
wanted=$state/symbols    # what CANDLES and the exchange brought so far
fetched=$state/fetched   # what comes from the exchange, and is shown

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -c "$1"; }

# has_candles [SYMBOL]: any, or any of that one.
has_candles() { [[ $(sql "select exists (select from candles_1m${1:+ where symbol = $(sql_text "$1")})") == t ]]; }

remembered() { [[ ! -e $wanted ]] || cat "$wanted"; }

remember() {
  printf '%s\n' "$@" | sort -u - <(remembered) >"$wanted.new"
  mv "$wanted.new" "$wanted"
}

# The files of CANDLES, and in symbols what they hold, remembered in case that the training is interrupted. Loading
# again is harmless: the table says what changed.
load_candles() {
  local files found
  # shellcheck disable=SC2206  # words and patterns, as the user wrote them; ? stands for a blank in a name
  files=($CANDLES)
  "$venv/bin/candlecast" load -- "${files[@]}"
  found=$("$python" -c '
import sys
from candlecast.candles.files import read_candle_file
print("\n".join(dict.fromkeys(read_candle_file(file).symbol for file in sys.argv[1:])))' "${files[@]}")
  mapfile -t symbols <<<"$found"
  remember "${symbols[@]}"
}

# Says why the exchange does not answer, and fails; within five seconds, whatever the network does.
ask_exchange() {
  local why
  why=$(cd "$project" && timeout -k 1 5 "$python" -m candlecast.exchanges.probe) || {
    printf '%s\n' "${why:-no answer within 5 s}"
    return 1
  }
}

# The first time, where the database has no candle at all: from the exchange, if it answers.
fetch_candles() {
  local why status=0
  if ! why=$(ask_exchange); then
    say "  no candles from the exchange: $why"
    return
  fi
  say "  candles of $listed, the last $days days, from $(exchange_address) (CANDLES=demo would generate some instead)"
  remember "$listed"
  printf '%s\n' "$listed" >"$fetched"
  "$venv/bin/candlecast" backfill --symbol "$listed" --days "$days" || status=$?
  if ! has_candles; then
    rm -f "$fetched"
    say "  the exchange answered, but brought no candles"
  elif ((status > 1)); then
    fail "the candles of $listed did not all come" "run make up again: it goes on where it stopped"
  fi
}

# Binance, or what the environment puts in its place.
exchange_address() {
  if [[ -n ${CANDLECAST_BINANCE_REST_URL:-} ]]; then
    printf '%s (CANDLECAST_BINANCE_REST_URL)' "$CANDLECAST_BINANCE_REST_URL"
  else
    printf 'Binance'
  fi
}

# What is new at the exchange since they were fetched.
update_candles() {
  local why
  if [[ ! -e $fetched ]] || ! has_candles "$(<"$fetched")"; then
    return
  elif why=$(ask_exchange); then
    "$venv/bin/candlecast" backfill --symbol "$(<"$fetched")" --days "$days" && return
    why='see above'
  fi
  say "  the candles stay as they are, up to $(sql "select to_char(max(open_time), 'YYYY-MM-DD HH24:MI') from candles_1m where symbol = $(sql_text "$(<"$fetched")")") UTC: $why"
}

# candle_source SYMBOL: where its candles come from, in words.
candle_source() {
  if [[ $1 == DEMO ]]; then
    printf 'synthetic (generated)'
  elif [[ -e $fetched && $1 == "$(<"$fetched")" ]]; then
    exchange_address
  else
    printf 'loaded from files'
  fi
}

# Generated candles in stretches of ten days, so that there is something to watch.
generate_candles() {
  local newest until stretches
  say "  GENERATED candles under the symbol DEMO: a seeded random walk with a weak signal, nobody's market"
  newest=$(sql "select coalesce(max(open_time), date_trunc('minute', now()) - interval '$days days') from candles_1m where symbol = 'DEMO'")
  mapfile -t stretches < <(sql "
    select to_char(least(start + interval '10 days', now()), 'YYYY-MM-DD HH24:MI')
    from generate_series(timestamptz '$newest', date_trunc('minute', now()) - interval '2 minutes', interval '10 days') as start")
  for until in "${stretches[@]}"; do
    printf '    %6s candles, up to %s UTC\n' "$(sql "select generate_demo_candles(timestamptz '$until UTC', 10)")" "$until"
  done
  if [[ $(sql "select exists (select from cron.job where jobname = 'candlecast-demo')") != t ]]; then
    say "  one more each minute: pg_cron job candlecast-demo"
    sql "select from cron.schedule_in_database('candlecast-demo', '* * * * *', 'select generate_demo_candles()', '$database', 'candlecast_cron', true)" >/dev/null
  fi
}

# What CANDLES says; else the exchange's candles or, where it has none for us, DEMO; else what is there already.
choose_symbols() {
  local symbol
  case ${CANDLES:-} in
    demo) generate_candles ;;
    ?*)
      load_candles
      return
      ;;
    *) if has_candles; then update_candles; else fetch_candles; fi ;;
  esac
  while read -r symbol; do
    ! has_candles "$symbol" || symbols+=("$symbol")
  done < <(remembered)
  if [[ ${CANDLES:-} == demo ]]; then
    symbols+=(DEMO)
  elif has_candles DEMO || ! has_candles; then
    generate_candles
    symbols+=(DEMO)
  else
    [[ -e $fetched ]] || say "  the database has candles of its own: nothing to load or to generate"
    ((${#symbols[@]} > 0)) || say "  to train on them: $venv/bin/candlecast train --symbol SYMBOL --publish active"
  fi
}
