"""The public register maps and readings beside the repository, by the profiles of their devices."""

import csv

from drivers import profile

# how the name of a device in the maps begins: its profiles
DEVICES = {
    "CG EM24 RS485": ["em24_rs485"],
    "CG EM24 Ethernet": ["em24", "em24_ethernet"],
    "CG EM330": ["em340"],
    "CG EM530": ["em530"],
    "CG EM510": ["em112"],
    "Eastron SDM630": ["sdm630"],
    "Eastron SDM72DM-V2": ["sdm72_v2"],
    "Eastron SDM72DM (V1)": ["sdm72_v1"],
    "Eastron SDM120": ["sdm230"],
    "Siemens PAC2200": ["pac2200"],
    "Siemens PAC1600": ["pac1600"],
    "Siemens SICAM T": ["sicam_t"],
    "Janitza UMG 96RM": ["umg96rm"],
    "Janitza UMG 604": ["umg604"],
    "ABB B23": ["abb_b23"],
    "Schneider PM5100": ["pm5100"],
    "Accuenergy Acuvim": ["acuvim2"],
    "Socomec Countis": ["countis"],
    "Phoenix Contact EEM": ["eem"],
    "WAGO 879": ["wago879"],
    "Chint DTSU666": ["dtsu666"],
    "Acrel ADW300": ["adw300"],
    "DTSD3366D": ["dtsd3366d"],
    "Shelly Pro 3EM": ["shelly_pro_3em"],
    "SunSpec 201-204 meter": [f"sunspec_meter_{each}" for each in (203, 201, 202, 204)],
    "Sungrow SH-RT": ["sungrow_sh"],
    "Growatt WIT": ["growatt_vpp"],
    "Solax X3": ["solax_x3"],
    "FoxESS H3 (": ["foxess_h3"],
    "FoxESS H3 Smart": ["foxess_h3_smart"],
    "GoodWe ET": ["goodwe_et", "goodwe_meter"],
    "Huawei SUN2000": ["huawei_luna"],
    "Kostal Plenticore": ["kostal_plenticore"],
    "Fronius GEN24": ["fronius_gen24"],
    "SMA STP SE": ["sma_storage", "sma_sunny_island"],
    "Victron GX, VE.Bus": ["victron_vebus"],
    '"ejPCS"': ["ejpcs"],
    "BCU-EMS": ["bcu_ems"],
    "SEPLOS V3": ["seplos_v3"],
    "JK PB": ["jk_pb"],
    "APC Smart-UPS": ["apc_smart_ups"],
}


def names_of(device):
    """The profiles of a device of the maps."""
    return [name for start, names in DEVICES.items() if device.startswith(start) for name in names]


def rows(folder, *files):
    """The rows of these files."""
    for file in files:
        with (folder / f"{file}.csv").open(newline="") as text:
            yield from csv.DictReader(text)


def places(found):
    """{(function, address): register} of all that a profile reads; a model's ID register is 0."""
    return {
        (each.function, each.address % profile.SLOT + at): each
        for each in [*found.registers.values(), *found.identity.values()]
        for at in range(0, getattr(each, "count", 1) * (each.words or 1), each.words or 1)
    }


def written(found):
    """{address: first value} of each frame that a profile writes."""
    steps = [*found.setup, *found.start, *found.stop] if found.setpoint else []
    steps = {each.register.address: each.register for each in steps if each.function in (6, 16)}
    return steps | {each.address: each.values[0] for each in found.setpoint or ()}
