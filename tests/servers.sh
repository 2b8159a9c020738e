#!/bin/sh
# Installs what the suite runs against, where it is missing and the machine lets it (root and apt): PostgreSQL, Kannel, tshark, HAProxy,
# Chromium with a Chinese font; and node-smpp where npm is there.
# The suite starts them itself, and skips what needs one that is not there: then this says so and goes on.
missing() {
  case $1 in
  postgresql) ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null ;;
  chromium) ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null ;;
  fonts-wqy-zenhei) [ ! -d /usr/share/fonts/truetype/wqy ] && [ -z "$(fc-list :lang=zh 2>/dev/null)" ] ;;
  kannel) [ ! -x /usr/sbin/bearerbox ] && ! command -v bearerbox >/dev/null ;;
  *) ! command -v "$1" >/dev/null ;;
  esac
}

wanted=
for each in postgresql kannel tshark haproxy chromium fonts-wqy-zenhei; do
  missing "$each" && wanted="$wanted $each"
done
if [ -n "$wanted" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # Only the binaries: no server of Debian's own is made or started.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  apt-get update -qq
  for each in $wanted; do # one by one: one that cannot be had keeps none of the others away
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$each"
  done
fi
if command -v npm >/dev/null && [ ! -d "$(npm root -g)/smpp" ] && [ "$(id -u)" = 0 ]; then
  npm install -g --no-fund --no-audit --loglevel=error smpp@0.5.1 >/dev/null ||
    echo "node-smpp is not installed: tests that need it are skipped" >&2
fi
for each in $wanted; do
  missing "$each" && echo "$each is not installed: tests that need it are skipped" >&2
done
exit 0
