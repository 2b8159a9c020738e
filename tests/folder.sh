#!/bin/sh
# Makes a fresh folder for a run of the suite, and prints it. In memory where there is room and programs may run:
# a sync of a store costs nothing there, and there are thousands. The path is short, for sockets have short paths.
room=2000000 # KiB; a run takes a fifth of it
for base in /dev/shm /tmp; do
  free=$(df -Pk "$base" 2>/dev/null | awk 'NR == 2 { print $4 }')
  [ "$base" = /tmp ] || [ "${free:-0}" -gt "$room" ] || continue
  folder=$(mktemp -d "$base/f.XXXX" 2>/dev/null) || continue
  printf '#!/bin/sh\n' >"$folder/try" && chmod 755 "$folder" "$folder/try" # PostgreSQL runs as somebody else
  if [ "$base" = /tmp ] || "$folder/try" 2>/dev/null; then
    rm "$folder/try"
    echo "$folder"
    exit 0
  fi
  rm -rf "$folder"
done
echo "no folder can be made in /dev/shm or /tmp: make room there" >&2
exit 1
