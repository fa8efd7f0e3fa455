#!/usr/bin/env bash
# setup.sh node|all|e2e: what a target needs. Installs with apt-get where it may
# (root, Debian); names what it cannot. Under CI=true a thing missing is an error.
set -u
what=${1:-all}; missing=()
have() { command -v "$1" >/dev/null 2>&1; }
apt() { # apt COMMAND PACKAGE…
  local cmd=$1; shift
  have "$cmd" && return 0
  if [ "$(id -u)" = 0 ] && have apt-get; then
    echo "setup: installing $*"
    [ -n "${APT_UPDATED:-}" ] || { apt-get update -qq >/dev/null 2>&1; APT_UPDATED=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
  fi
  have "$cmd" || missing+=("$cmd (package $1)")
}
node_ok() { have node && node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||a==20&&b>=19?0:1)'; }

have go || missing+=("go 1.26 (from your distribution or go's own site)")
node_ok || missing+=("node 20.19 or newer, with npm")
if [ "$what" != node ]; then
  apt g++ g++
  have chromium || have chromium-browser || have google-chrome || apt chromium chromium fonts-liberation
  apt mosquitto mosquitto
  apt mosquitto_pub mosquitto-clients
fi
if [ "$what" = e2e ]; then
  have java || apt java openjdk-17-jre-headless
  apt mvn maven
  apt python3 python3 python3-venv
  apt psql postgresql-client
fi
[ ${#missing[@]} = 0 ] && exit 0
echo "setup: missing, and not mine to install here:" >&2
printf '  %s\n' "${missing[@]}" >&2
[ "${CI:-}" = true ] && exit 1
case " ${missing[*]} " in *" go "*|*" node "*|*g++*) exit 1;; esac
echo "setup: tests that need these will fail and say so" >&2
