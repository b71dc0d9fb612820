#!/usr/bin/env bash
# `./flash.sh uninstall`: a part of install.sh, whose functions and variables it uses.
# shellcheck disable=SC2154  # root, units, etc, opt, purge: of install.sh

stop_services() {
    local unit
    if is_live; then
        systemctl stop 'firebreak-console@*.service' 'firebreak-doors@*.service'
    fi
    for unit in firebreak-{planner,upstream,record}.service firebreak.service; do
        [ -e "$root/$units/$unit" ] || continue
        if is_live; then
            systemctl --quiet disable --now "$unit"
        else
            on_target systemctl --quiet disable "$unit"
        fi
    done
    rm -f "$root/$units"/*.wants/firebreak*.service # also of a unit that a rollback took away
    if is_live; then
        # Patterns, because systemctl fails for the name of a missing unit, for example at a second run.
        systemctl stop 'firebreak-can@*.service' 'run-firebreak.moun[t]' ||
            say "warning" "/run/firebreak is in use (perhaps by a shell in it); the next boot removes it"
    fi
}

do_uninstall() {
    local file
    lock
    stop_services
    for file in $(own_files) usr/local/bin/firebreak \
        "$units"/firebreak{,-doors@{mqtt,modbus,http,alarms}}.service.d/addresses.conf; do
        if [ -e "$root/$file" ] || [ -L "$root/$file" ]; then
            rm -f -- "$root/$file"
            say "removed" "/$file"
        fi
    done
    # kept with drop-ins of the owner
    rmdir -- "$root/$units"/firebreak{,-doors@{mqtt,modbus,http,alarms}}.service.d 2>/dev/null || true
    if [ -d "$root/$opt" ]; then
        rm -rf -- "${root:?}/$opt"
        say "removed" "/$opt"
    fi
    if is_live; then
        systemctl daemon-reload
        udevadm control --reload
    fi
    if [ "$purge" = yes ]; then
        remove_kept
    else
        list_kept
    fi
}

# Paths of the owner's files: configuration, state and drop-ins of the services, each with a NUL after it.
owned() {
    local each
    for each in "${root:?}/$etc" "$root"/var/lib/firebreak{,-planner,-doors} \
        "$root/$units"/{firebreak*.service,run-firebreak.mount}.d; do
        [ ! -e "$each" ] || printf '%s\0' "$each"
    done
}

list_kept() {
    local each
    while IFS= read -r -d '' each; do
        say "kept" "${each#"$root"}"
    done < <(owned)
    say "kept" "the users and groups firebreak* (to remove all kept files and users: uninstall --purge)"
}

remove_kept() {
    local name
    owned | xargs -0r rm -rf --
    rm -rf -- "${root:?}/run/firebreak" 2>/dev/null || true # in use: the next boot removes it
    for name in firebreak-upstream firebreak-planner firebreak-doors firebreak; do
        if on_target getent passwd "$name" >/dev/null; then
            on_target userdel "$name"
        fi
    done
    for name in firebreak-upstream firebreak-planner firebreak-doors firebreak-hints firebreak-operators firebreak; do
        if on_target getent group "$name" >/dev/null; then
            on_target groupdel "$name"
        fi
    done
    say "removed" "/$etc, /var/lib/firebreak*, drop-ins, users and groups"
}
