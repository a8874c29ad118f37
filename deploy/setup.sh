#!/bin/sh
# Installs every real part that the tests use, on Debian. Can be run again at any time: what is there already is left alone.
# Needs root (or sudo), and cargo and go for the two parts that Debian does not have.
set -eu

SQ_VERSION=0.6.0
STRIPE_MOCK_VERSION=v0.203.0
PACKAGES="docker.io iptables chromium fonts-inter openssh-server openssh-client debootstrap busybox-static git procps nginx caddy wrk"
# What the bench starts by itself, on ports of its own.
UNWANTED_SERVICES="nginx caddy"
POLICY=/usr/sbin/policy-rc.d

say() { printf 'setup: %s\n' "$1" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=""
for package in $PACKAGES; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  say "installing$missing"
  as_root apt-get update -qq
  # Debian starts what it installs: a web server would stand on port 80 from now on.
  [ -e "$POLICY" ] || { own_policy=yes; printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null; as_root chmod 755 "$POLICY"; }
  # shellcheck disable=SC2086 # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || installed=no
  [ "${own_policy:-no}" = no ] || as_root rm -f "$POLICY"
  [ "${installed:-yes}" = yes ] || { say "apt-get could not install$missing"; exit 1; }
  for service in $UNWANTED_SERVICES; do
    case "$missing " in
      *" $service "*) [ ! -d /run/systemd/system ] || as_root systemctl disable --quiet "$service" ;;
    esac
  done
fi

if "${CARGO_HOME:-$HOME/.cargo}/bin/sq" version 2>/dev/null | grep -q "$SQ_VERSION"; then :; else
  command -v cargo >/dev/null || { say "cargo is missing: install Rust, then run this again"; exit 1; }
  say "building sq $SQ_VERSION"
  cargo install sq --version "$SQ_VERSION" --locked --quiet || cargo install sq --version "$SQ_VERSION" --quiet
fi

command -v go >/dev/null || { say "go is missing: install it, then run this again"; exit 1; }
gobin="$(go env GOBIN)"
stripe_mock="${gobin:-$(go env GOPATH)/bin}/stripe-mock"
if go version -m "$stripe_mock" 2>/dev/null | grep -q "stripe-mock[[:space:]]*$STRIPE_MOCK_VERSION"; then :; else
  say "building stripe-mock $STRIPE_MOCK_VERSION"
  go install "github.com/stripe/stripe-mock@$STRIPE_MOCK_VERSION"
fi

if docker version >/dev/null 2>&1; then :; else
  say "starting the container engine"
  if [ -d /run/systemd/system ]; then as_root systemctl start docker; else
    as_root rm -f /var/run/docker.pid
    as_root sh -c 'nohup dockerd >/var/log/dockerd.log 2>&1 </dev/null &'
  fi
  tries=0
  until docker version >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { say "the engine does not answer; its log is in /var/log/dockerd.log"; exit 1; }
    sleep 1
  done
fi

say "making the container images"
node deploy/images/build.ts

say "everything is there"
