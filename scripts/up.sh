#!/usr/bin/env bash
# Sets up everything and prints a first forecast: `make up`.
#
#   make up                     the last 60 days of BTCUSDT from the exchange. If the exchange is unreachable: generated
#                               candles under the symbol DEMO, and a new one each minute
#   make up CANDLES=demo        always generated candles
#   make up CANDLES='FILE...'   the candles of these files, and models for their symbols
#
# Idempotent: each step checks what exists, repairs what is missing, and repeats nothing. A database that has candles
# keeps their source.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$project/scripts/candles.sh"

step='starting'
began=$SECONDS

# step NAME: a title above the output of the step.
step() {
  step=$1
  printf '\n[%3d s] %s\n' "$((SECONDS - began))" "$1"
}

explain_failure() {
  local status=$?
  ((status != 0)) || return 0
  {
    printf '\nmake up stopped at "%s". Completed steps are kept. Fix the cause and run make up again.\n' "$step"
    ((status == 78)) || printf '  logs: %s\n' "$state/pip.log" "$("$project/scripts/cluster.sh" log 2>/dev/null || true)"
  } >&2
}

# An empty database.
make_database() {
  local admin
  admin=$(url "$port" postgres)
  if [[ $(psql -X -A -t -d "$admin" -c "select exists (select from pg_database where datname = '$database')") != t ]]; then
    say "  creating database $database"
    psql -X -q -v ON_ERROR_STOP=1 -d "$admin" -c "create database $database template template0 encoding 'UTF8' locale 'C.UTF-8'"
  fi
}

# PUBLIC may not connect, the roles may; loading needs a temporary table. Not in a migration: an existing database that
# is upgraded keeps its users.
grant_database() {
  sql "revoke all on database $database from public"
  sql "grant connect on database $database to candlecast_cron, candlecast_feeder, candlecast_trainer, candlecast_operator, candlecast_reader"
  sql "grant temporary on database $database to candlecast_feeder"
}

# Writes .env atomically, readable by its owner only.
write_env() {
  local new
  new=$(mktemp "$project/.env.XXXXXX")
  {
    echo "# Written by make up. A shell can source it."
    printf 'DATABASE_URL=%s\n' "$(shell_quote "$DATABASE_URL")"
    printf 'CANDLECAST_PYTHON=%s\n' "$(shell_quote "$python")"
  } >"$new"
  if cmp -s "$new" "$env_file" && [[ $(stat -c %a "$env_file") == 600 ]]; then
    rm -f "$new"
  else
    mv -f "$new" "$env_file"
    say "  wrote $env_file"
  fi
}

train() {
  local symbol hash found
  hash=$("$python" -c 'from candlecast.core.feature_names import FEATURE_HASH; print(FEATURE_HASH)')
  for symbol in "${symbols[@]}"; do
    found=$(sql "select feature_hash = '$hash' from active_ensembles where symbol = $(sql_text "$symbol") and is_active")
    if [[ $found == t ]]; then
      say "  $symbol has an active ensemble"
    else
      [[ -z $found ]] || say "  the active ensemble of $symbol was trained on other features: a new one replaces it"
      "$venv/bin/candlecast" train --symbol "$symbol" --publish active
      [[ $symbol != DEMO ]] ||
        say "  DEMO is synthetic and has a known signal. On real Bitcoin candles direction accuracy is about 52 %."
      is_trained=yes
    fi
  done
}

# A row is named by the time when its candle closes, as on the dashboard. Prices have two decimals, and more below 1,000:
# about six significant digits. Without a forecast (a gap, for example) the installation is complete all the same.
show_forecast() {
  local symbol=$1
  printf '\n'
  psql -X -q -v ON_ERROR_STOP=1 -v SHOW_CONTEXT=never -d "$DATABASE_URL" -P footer=off -c "
    select
      horizon || ' min' as horizon,
      to_char((target_time + interval '1 minute') at time zone 'UTC', 'HH24:MI') as \"closes UTC\",
      round(reference_close::numeric, digits) as \"price now\",
      round(predicted_price::numeric, digits) as forecast,
      case when predicted_close > 0 then 'up' when predicted_close < 0 then 'down' else '-' end as direction,
      coalesce(round(100 * probability::numeric, 1) || ' %', '-') as probability,
      coalesce(round(lower_price::numeric, digits) || ' to ' || round(upper_price::numeric, digits), '-') as \"90 % interval\"
    from predict_now($(sql_text "$symbol"))
    cross join lateral (select
      greatest(2, 5 - floor(log(reference_close)))::int as digits,
      case when predicted_close < 0 then 1 - probability_up else probability_up end as probability
    ) as shown
    order by target_time" || {
    say "No forecast of $symbol yet: the error above has the reason and the remedy."
    return
  }
  say "Candles: $symbol, $(candle_source "$symbol"). The newest one closed at $(sql "
    select to_char((max(candle_time) + interval '1 minute') at time zone 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')
    from latest_predictions where symbol = $(sql_text "$symbol")")."
}

say_next_steps() {
  say "Next steps:"
  say "  SQL prompt     make psql      then: select target_time, predicted_price, probability_up"
  say "                                      from latest_predictions;"
  say "  dashboard      make serve     then open http://127.0.0.1:8080/"
  if [[ -e $fetched ]]; then
    say "  live candles   $venv/bin/candlecast feed --symbol $(<"$fetched")"
  else
    say "  real candles   docs/tutorial/first-dashboard.md, step 4: backfill, train, feed"
  fi
}

main() {
  local symbol
  trap explain_failure EXIT
  cd "$project"
  step "system packages"
  scripts/packages.sh
  step "Python environment"
  scripts/environment.sh trainer
  step "PostgreSQL cluster"
  scripts/cluster.sh create
  scripts/cluster.sh start
  port=$(scripts/cluster.sh port)
  DATABASE_URL=$(url "$port" "$database")
  export DATABASE_URL
  step "database"
  make_database
  "$venv/bin/alembic" upgrade head
  grant_database
  write_env
  step "candles"
  symbols=()
  choose_symbols
  step "models"
  is_trained=
  train
  step "predictions"
  [[ -z $is_trained ]] || update_candles # minutes have passed
  for symbol in "${symbols[@]}"; do
    show_forecast "$symbol"
  done
  printf '\nDone in %d s. PostgreSQL runs on port %s. pg_cron predicts every minute.\n' "$((SECONDS - began))" "$port"
  say_next_steps
}

# Sourced: only the functions, for tests.
[[ ${BASH_SOURCE[0]} != "$0" ]] || main
