# Chooses the candles for `make up`: from the exchange, from files, or synthetic. Sourced by up.sh.
#
# A database with candles keeps their source: the symbol in $fetched is updated from the exchange, and DEMO is continued
# if it exists.
# shellcheck shell=bash

days=60
listed=BTCUSDT           # the symbol that is downloaded by default
wanted=$state/symbols    # file with the symbols that were loaded so far
fetched=$state/fetched   # file with the symbol that comes from the exchange

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -c "$1"; }

# has_candles [SYMBOL]: whether the database has candles, or candles of this symbol.
has_candles() { [[ $(sql "select exists (select from candles_1m${1:+ where symbol = $(sql_text "$1")})") == t ]]; }

remembered() { [[ ! -e $wanted ]] || cat "$wanted"; }

remember() {
  printf '%s\n' "$@" | sort -u - <(remembered) >"$wanted.new"
  mv "$wanted.new" "$wanted"
}

# Load the files of CANDLES, and set symbols to what they contain. The symbols are stored, in case the training is
# interrupted. Loading a file again changes nothing.
load_candles() {
  local files found
  # shellcheck disable=SC2206  # split into words and patterns; ? matches a blank in a name
  files=($CANDLES)
  "$venv/bin/candlecast" load -- "${files[@]}" || exit 78 # it has printed file, line and remedy
  found=$("$python" -c '
import sys
from candlecast.candles.files import read_candle_file
print("\n".join(dict.fromkeys(read_candle_file(file).symbol for file in sys.argv[1:])))' "${files[@]}")
  mapfile -t symbols <<<"$found"
  remember "${symbols[@]}"
}

# Fail within five seconds if the exchange cannot be reached, and print the reason.
probe_exchange() {
  local why
  why=$(cd "$project" && timeout -k 1 5 "$python" -m candlecast.exchanges.probe) || {
    printf '%s\n' "${why:-no answer within 5 s}"
    return 1
  }
}

# Download candles into an empty database, if the exchange can be reached.
fetch_candles() {
  local why status=0
  if ! why=$(probe_exchange); then
    say "  no candles from the exchange: $why"
    return
  fi
  say "  downloading $days days of $listed from $(exchange_address) (CANDLES=demo generates candles instead)"
  remember "$listed"
  printf '%s\n' "$listed" >"$fetched"
  "$venv/bin/candlecast" backfill --symbol "$listed" --days "$days" || status=$?
  if ! has_candles; then
    rm -f "$fetched"
    say "  the exchange returned no candles"
  elif ((status > 1)); then
    fail "the download of $listed is incomplete" "run make up again to continue it"
  fi
}

# Binance, or its replacement in the environment.
exchange_address() {
  if [[ -n ${CANDLECAST_BINANCE_REST_URL:-} ]]; then
    printf '%s (CANDLECAST_BINANCE_REST_URL)' "$CANDLECAST_BINANCE_REST_URL"
  else
    printf 'Binance'
  fi
}

# Download the candles since the last run.
update_candles() {
  local why
  if [[ ! -e $fetched ]] || ! has_candles "$(<"$fetched")"; then
    return
  elif why=$(probe_exchange); then
    "$venv/bin/candlecast" backfill --symbol "$(<"$fetched")" --days "$days" && return
    why='see above'
  fi
  say "  candles not updated, the newest is $(sql "select to_char(max(open_time), 'YYYY-MM-DD HH24:MI') from candles_1m where symbol = $(sql_text "$(<"$fetched")")") UTC: $why"
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

# Generate candles in steps of ten days, to show progress.
generate_candles() {
  local newest until steps
  say "  generating SYNTHETIC candles under the symbol DEMO: a seeded random walk with a weak signal"
  newest=$(sql "select coalesce(max(open_time), date_trunc('minute', now()) - interval '$days days') from candles_1m where symbol = 'DEMO'")
  mapfile -t steps < <(sql "
    select to_char(least(start + interval '10 days', now()), 'YYYY-MM-DD HH24:MI')
    from generate_series(timestamptz '$newest', date_trunc('minute', now()) - interval '2 minutes', interval '10 days') as start")
  for until in "${steps[@]}"; do
    printf '    %6s candles, up to %s UTC\n' "$(sql "select generate_demo_candles(timestamptz '$until UTC', 10)")" "$until"
  done
  if [[ $(sql "select exists (select from cron.job where jobname = 'candlecast-demo')") != t ]]; then
    say "  one more candle each minute: pg_cron job candlecast-demo"
    sql "select from cron.schedule_in_database('candlecast-demo', '* * * * *', 'select generate_demo_candles()', '$database', 'candlecast_cron', true)" >/dev/null
  fi
}

# Follow CANDLES. Without it: update what is stored; for an empty database use the exchange, else DEMO.
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
    [[ -e $fetched ]] || say "  the database already has candles: nothing to load or generate"
    ((${#symbols[@]} > 0)) || say "  to train on them, run: $venv/bin/candlecast train --symbol SYMBOL --publish active"
  fi
}
