#!/usr/bin/env bash
# Spelling, American, and the project's own words: codespell over all text, messages and identifiers; part of `make lint`.
#
#   scripts/words.sh [PATH...]     default: every file of the repository
#
# scripts/words.txt lists words and phrases that are not used here, with what to write instead.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cd "$project"
list=scripts/words.txt
ignored=cancelled  # asyncio.CancelledError
# codespell looks up whatever its expression matches: the phrases of the list, then the words that identifiers are made of.
phrases=$(sed -n "s/^\([^>]* [^>]*\)->.*/\1/p" "$list" | paste -sd '|')
mapfile -t files < <(git ls-files -- "${@:-.}" | grep -vE '(\.png|\.svg|^LICENSE|^candlecast/trainer|^constraints\.txt|^tests/frozen\.txt|/vendor/.*)$')
mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -vxF "$list")
"$venv/bin/codespell" --check-filenames --builtin clear,rare,en-GB_to_en-US --dictionary - --dictionary "$list" --ignore-words-list "$ignored" \
  --regex "\b(?i:$phrases)\b|[A-Z]?[a-z]+(?:['’][a-z]+)?|[A-Z]+(?![a-z])" "${files[@]}"
