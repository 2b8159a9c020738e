#!/bin/sh
# Installs the servers that the suite runs against, where they are missing and the machine lets it (root and apt).
# The suite starts them itself, and skips what needs one that is not there: then this says so and goes on.
missing() { ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null; }

missing || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # Only the binaries: no server of Debian's own is made or started.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
fi
missing && echo "PostgreSQL is not installed: tests that need a server are skipped" >&2
exit 0
