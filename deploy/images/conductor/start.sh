#!/bin/sh
# Stand-in for Conductor, whose real binary is other people's: a real sshd and a health port, nothing behind them.
# Host keys are made at the first start and live on the data volume, so that a replaced container keeps its identity.
set -eu
umask 077
mkdir -p /data/ssh /data/home
if [ ! -f /data/ssh/host_ed25519 ]; then
  rm -f /data/ssh/new /data/ssh/new.pub
  ssh-keygen -q -t ed25519 -N '' -C conductor -f /data/ssh/new
  mv /data/ssh/new.pub /data/ssh/host_ed25519.pub
  mv /data/ssh/new /data/ssh/host_ed25519
fi
chown conductor:conductor /data/home
httpd -p 8080 -h /srv/health
exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config
