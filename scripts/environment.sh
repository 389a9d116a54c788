#!/usr/bin/env bash
# Creates the Python environment of the server, the command line and the tests, from /usr/bin/python3.
#
#   scripts/environment.sh EXTRA...                 install the requirements of these extras, and the project
#   scripts/environment.sh --project-in DIR EXTRA...    install the project into DIR, so that a test does not change
#                                                   what a running server imports
#
# The environment is /var/lib/candlecast/<CLUSTER>/venv, readable by the postgres user, owned by the current user.
# Requirements are installed when pyproject.toml or constraints.txt changed, the project when its sources changed. The
# installation is not editable, because PYTHONPATH ignores .pth files. Nothing is written into the clone.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=
if [[ ${1:-} == --project-in ]]; then
  target=$2
  shift 2
fi
extras=("$@")
log=$state/pip.log
sources=(pyproject.toml LICENSE candlecast trainer)

# Create the state folder as root, owned by the current user, and assign it to this clone.
make_state() {
  local owner
  if [[ -e $state/project ]]; then
    owner=$(<"$state/project")
    [[ $owner == "$project" ]] || as_root test ! -e "$owner/scripts/environment.sh" ||
      fail "$state belongs to the clone in $owner" "choose another name here: make ... CLUSTER=other"
  fi
  if [[ ! -O $state ]]; then
    as_root mkdir -p "$state"
    as_root chmod 755 "${state%/*}" "$state"
    as_root chown -R "$(id -u):$(id -g)" "$state"
  fi
  printf '%s\n' "$project" >"$state/project"
}

# Run pip. Its output goes to the log; the screen shows a line for each larger download and one at the end.
pip_install() {
  printf '\n%s pip install %s\n' "$(date -Is)" "$*" >>"$log"
  if ! (cd "$state" && "$python" -m pip install --no-input --disable-pip-version-check --progress-bar off "$@") 2>&1 |
    tee -a "$log" | awk '
      /^ *Downloading .*\([0-9.]+ (M|G)B\)/ { sub(/^ *Downloading (.*\/)?/, "    downloading "); print; fflush() }
      /^Installing collected packages/ { n = split($0, names, ","); if (n > 1) printf "    installing %d packages\n", n; fflush() }'; then
    tail -n 15 "$log" >&2
    fail "pip install failed, see above and $log" "fix the network or pip's configuration, and run it again"
  fi
}

# The requirements of the extras, one per line. An extra may include other extras of this project.
requirements() {
  "$python" - "$project/pyproject.toml" "$@" <<'PYTHON'
import re, sys, tomllib
with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
found = ["setuptools"]
def add(extra):
    for requirement in project["optional-dependencies"][extra]:
        own = re.fullmatch(rf"{project['name']}\[(\w+)\]", requirement)
        if own:
            add(own[1])
        elif requirement not in found:
            found.append(requirement)
for extra in sys.argv[2:]:
    add(extra)
print("\n".join(found))
PYTHON
}

make_venv() {
  if [[ -e $venv ]] && ! "$python" -c 'import pip' 2>/dev/null; then
    say "  the environment is damaged: creating it again"
    rm -rf "$venv"
  fi
  if [[ -e $venv && $("$python" -c 'import sys; print(sys.version_info[:2])') != $(/usr/bin/python3 -c 'import sys; print(sys.version_info[:2])') ]]; then
    say "  the system's Python version changed: creating the environment again"
    rm -rf "$venv"
  fi
  if [[ ! -e $venv ]]; then
    say "  creating $venv"
    rm -f "$state"/*.stamp
    /usr/bin/python3 -m venv "$venv"
  fi
}

# Reinstall packages with missing files.
repair_requirements() {
  local listed damaged
  listed=$("$python" - "$@" <<'PYTHON'
import sys
from importlib import metadata
for name in sys.argv[1:]:
    name = name.split("[")[0]
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        files = None
    if files is None or not all(file.locate().exists() for file in files if file.suffix in {".py", ".so"}):
        print(name)
PYTHON
)
  [[ -n $listed ]] || return 0
  mapfile -t damaged <<<"$listed"
  say "  files are missing in the environment: reinstalling ${damaged[*]}"
  pip_install --constraint "$project/constraints.txt" --force-reinstall --no-deps "${damaged[@]}"
}

install_requirements() {
  local wanted stamp
  mapfile -t wanted < <(requirements "${extras[@]}")
  stamp=$state/$(IFS=_; printf '%s' "${extras[*]}").stamp
  local sum
  sum=$(printf '%s\n' "${wanted[@]}" | cat - "$project/constraints.txt" | sha256sum)
  if [[ $(cat "$stamp" 2>/dev/null) == "$sum" ]]; then
    repair_requirements "${wanted[@]}"
    return
  fi
  say "  installing the requirements (${extras[*]}) pinned in constraints.txt; log: $log"
  pip_install --constraint "$project/constraints.txt" "${wanted[@]}"
  printf '%s\n' "$sum" >"$stamp"
}

source_hash() {
  (cd "$project" && find "${sources[@]}" -type f ! -name '*.pyc' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
}

# Install from a copy: setuptools writes build/ and egg-info next to the sources, and the clone may be read-only.
install_project() {
  local sum stamp copy
  sum=$(source_hash)
  stamp=${target:-$state}/project.stamp
  [[ $(cat "$stamp" 2>/dev/null) != "$sum" ]] || return 0
  say "  installing the project's packages into ${target:-$venv}"
  copy=$(mktemp -d)
  # shellcheck disable=SC2064  # expanded now
  trap "rm -rf '$copy'" EXIT
  (cd "$project" && tar -c --exclude __pycache__ "${sources[@]}") |
    tar -x --no-same-owner -C "$copy"
  pip_install --no-deps --no-build-isolation --force-reinstall ${target:+--target "$target" --upgrade} "$copy"
  printf '%s\n' "$sum" >"$stamp"
}

main() {
  make_venv
  install_requirements
  install_project
  say "  $python"
}

make_state
with_lock main
