#!/bin/sh
# usage: scaffold.sh TREE FILES: what the test needs in the box beside the controller: a root shell on the first serial
# line, the hardware watchdog, the CAN bus of the bench, and the cabinet's files from FILES.
set -eu
tree="$1"
files="$2"
system="$tree/etc/systemd/system"

echo box >"$tree/etc/hostname"
sed -i 's#^root:[^:]*:#root::#' "$tree/etc/passwd" "$tree/etc/shadow"
echo '/dev/vda / ext4 defaults,errors=remount-ro 0 1' >"$tree/etc/fstab"
printf 'stty -echo; PS1=; PS2=; dmesg -n 1; echo @shell@\n' >"$tree/etc/profile.d/bench.sh"
printf 'i6300esb\nslcan\ncan-gw\n' >"$tree/etc/modules-load.d/bench.conf"
mkdir -p "$system/serial-getty@ttyS0.service.d" "$tree/etc/systemd/system.conf.d" "$tree/var/log/journal"
cat >"$system/serial-getty@ttyS0.service.d/shell.conf" <<'END'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear ttyS0 dumb
END
printf '[Manager]\nRuntimeWatchdogSec=30\nRebootWatchdogSec=60\n' >"$tree/etc/systemd/system.conf.d/watchdog.conf"

# The bench's frames come in over the second serial line and go out on can1, which shares a bus with the cabinet's can0.
cat >"$system/bench-can.service" <<'END'
[Unit]
Description=The bench's end of the CAN bus
After=systemd-modules-load.service sys-subsystem-net-devices-can1.device
Wants=sys-subsystem-net-devices-can1.device
[Service]
Type=forking
ExecStart=/usr/bin/slcand -S 115200 /dev/ttyS1 slcan0
ExecStartPost=/bin/sh -ec 'until [ -e /sys/class/net/slcan0 ]; do sleep 0.1; done; \
    ip link set slcan0 txqueuelen 1000 up; ip link set can1 txqueuelen 1000 up type can bitrate 500000 restart-ms 100; \
    cangw -A -s slcan0 -d can1; cangw -A -s can1 -d slcan0'
[Install]
WantedBy=multi-user.target
END
SYSTEMD_OFFLINE=1 chroot "$tree" systemctl --quiet enable bench-can.service
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer; do
    ln -sf /dev/null "$system/$unit"
done

# Everything takes longer in an emulator, also what the controller does between READY and its first tick.
mkdir -p "$system/firebreak.service.d"
printf '[Service]\nWatchdogSec=10\n' >"$system/firebreak.service.d/slow.conf"

mkdir -p "$tree/etc/firebreak/cabinet"
cp "$files"/*.toml "$tree/etc/firebreak/cabinet/"
install -m 755 "$files"/in_box.py "$tree/usr/local/bin/bench"
printf '[http.page]\n' >"$tree/etc/firebreak/doors/doors.toml"
chroot "$tree" runuser -u firebreak -- /usr/local/bin/firebreak box prepare
chroot "$tree" runuser -u firebreak -- /usr/local/bin/bench approve
