#!/usr/bin/env bash
# Everything, to a first prediction on the screen: `make up`.
#
#   make up                     BTCUSDT's last 60 days from the exchange; where it cannot be reached, generated candles
#                               under the symbol DEMO, and one more each minute
#   make up CANDLES=demo        generated ones in any case
#   make up CANDLES='FILE...'   these files instead, and models for the symbols in them
#
# Safe to run again: each step looks whether its work is there, repairs what is missing, and repeats nothing. A database
# that has candles keeps to where they come from.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$project/scripts/candles.sh"

step='starting'
began=$SECONDS

# step NAME: the line above what the step prints.
step() {
  step=$1
  printf '\n[%3d s] %s\n' "$((SECONDS - began))" "$1"
}

explain_failure() {
  local status=$?
  ((status != 0)) || return 0
  {
    printf '\nmake up stopped at "%s". What is done stays done: mend the cause and run it again.\n' "$step"
    printf '  logs: %s\n' "$state/pip.log" "$("$project/scripts/cluster.sh" log 2>/dev/null || true)"
  } >&2
}
trap explain_failure EXIT

# The database, empty.
make_database() {
  local admin
  admin=$(url "$port" postgres)
  if [[ $(psql -X -A -t -d "$admin" -c "select exists (select from pg_database where datname = '$database')") != t ]]; then
    say "  creating database $database"
    psql -X -q -v ON_ERROR_STOP=1 -d "$admin" -c "create database $database template template0 encoding 'UTF8' locale 'C.UTF-8'"
  fi
}

# PUBLIC may not even connect, the roles may; loading goes through a temporary table. Here and not in a migration: a
# database of somebody else's that is upgraded keeps the users that it has.
grant_database() {
  sql "revoke all on database $database from public"
  sql "grant connect on database $database to candlecast_cron, candlecast_feeder, candlecast_trainer, candlecast_operator, candlecast_reader"
  sql "grant temporary on database $database to candlecast_feeder"
}

# .env, whole or not at all, for nobody else's eyes.
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
      [[ -z $found ]] || say "  $symbol's active ensemble was trained on other features: a new one takes its place"
      "$venv/bin/candlecast" train --symbol "$symbol" --publish active
      is_trained=yes
    fi
  done
}

show() {
  local symbol argument
  for symbol in "${symbols[@]}"; do
    argument=$(sql_text "$symbol")
    [[ $symbol != BTCUSDT ]] || argument=
    printf '\n%s=> select * from predict_now(%s);\n' "$database" "$argument"
    # nine significant digits: the rows must fit a screen
    PGOPTIONS='-c extra_float_digits=-6' psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -P footer=off -c "
      select * from predict_now($argument)"
  done
}

main() {
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
  show
  printf '\nDone in %d s. PostgreSQL answers on port %s; pg_cron predicts every minute.\n' "$((SECONDS - began))" "$port"
  say_where_candles_come_from
  say "  make psql     a SQL prompt: select * from latest_predictions;"
  say "  make          lists the rest"
}

main
