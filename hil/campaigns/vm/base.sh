#!/bin/sh
# usage: base.sh SUITE FILE: a Debian with systemd and the PREEMPT_RT kernel as a tar archive. About 70 s, idle.
set -eu
suite="$1" file="$2"
places='/usr/share/man/* /usr/share/doc/* /usr/share/locale/*'
for folder in sound drivers/gpu drivers/media drivers/net/wireless drivers/net/ethernet drivers/infiniband fs/btrfs \
    fs/xfs; do
    places="$places /lib/modules/*/kernel/$folder/*"
done
set -f
options=""
for place in $places; do
    options="$options --dpkgopt=path-exclude=$place"
done
TMPDIR="$(dirname "$file")"
export TMPDIR
# shellcheck disable=SC2086  # one option per word
exec mmdebstrap --quiet --format=tar --mode=root --variant=minbase $options \
    --aptopt='Acquire::Languages "none"' --aptopt='Apt::Install-Recommends "false"' \
    --aptopt='APT::Sandbox::User "root"' \
    --include=systemd-sysv,udev,dbus,linux-image-rt-amd64,kmod,iproute2,python3,python3-venv,can-utils \
    "$suite" "$file"
