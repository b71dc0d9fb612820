"""Cell temperatures: rows 18 to 23, 25 and 26; suspicion of a thermal runaway: row 53."""

from controller.rows.shapes import COLD, HOT, TEMPERATURE, Feature, Stage, rows

MODULES = "modules are compared with each other"
RISE = "the stage follows a rise, long before a value of a BMS protection"
FEATURES = {
    "temperature_ddegC_max": TEMPERATURE._replace(words="hottest module"),
    "temperature_over_median_ddegC": TEMPERATURE._replace(
        words="hottest module over the median", compares="modules"
    ),
    "temperature_unexplained_ddegC": TEMPERATURE._replace(
        words="rise in 30 s above the heating by its own current",
        window_ms=30_000,
        once_a_second=True,
    ),
    "temperature_rise_10s_ddegC": TEMPERATURE._replace(
        words="rise in 10 s", window_ms=10_000, once_a_second=True
    ),
    "temperature_rise_3s_ddegC": TEMPERATURE._replace(
        words="rise in 3 s", window_ms=3000, once_a_second=True
    ),
    "temperature_ddegC_min": TEMPERATURE._replace(words="coldest module"),
    "temperature_spread_ddegC": TEMPERATURE._replace(
        words="hottest minus coldest module", compares="modules"
    ),
    "runaway_suspicion_pct": Feature(
        "sum of the two largest signs of runaway, each in percent of its threshold",
        "two signs of runaway at once, until it trips",
        bms="bms_temperatures",
        roles=("bms",),
        sensor="vapour, toxic gas",
        window_ms=30_000,
        once_a_second=True,
    ),
    "heating_alert": Feature(
        "while row 22 or 23 is active", "with row 22 injected as well", bms="bms_temperatures"
    ),
    "any_sign": Feature("while any of rows 7 to 23 is active", ""),
    "temperature_rising": Feature(
        "while it rises", "while it rises", bms="bms_temperatures", once_a_second=True
    ),
    "charging": Feature("while charging", "while charging"),
    "runaway_hint": Feature(
        "while any of rows 7 to 23 is active", "with another of rows 7 to 23 active"
    ),
}
TEXTS = """
18 C20-C21 | cell temperature warning | cell warm |
  A cell is warm; power is reduced. | Check cooling, filters and the room.
18a | A cell is warm while charging.
18b | A cell is warm.
19 C20-C21 | cell temperature alarm | cell hot |
  A cell is hot; charging stops. | Check cooling; look at the hottest module on page Racks.
19a | A cell is hot: no charging.
19b | A cell is hot: no charging, a quarter of the discharge power.
20 C21 | cell temperature trip | cell too hot |
  A cell is over its temperature limit. | Let it cool. Check cooling; remote reset.
20a | A cell is over its temperature limit while charging.
20b | A cell is over its temperature limit.
21 C23, C27 | cell temperature runaway suspicion | cell runaway temperature |
  A cell is extremely hot, or far hotter than its rack and rising. | Keep away. Call the fire
  service; reset with the key after inspection.
21a | A cell is extremely hot.
21b | A module is far hotter than its rack and rising.
22 C28, low authority | a module heats more than its current explains | cell heats up |
  A cell heats up more than its current explains. | Watch its temperature; plan to replace the
  module.
23 C29, C30 | a module heats as in thermal runaway | cell heats up fast |
  A cell heats up as in a thermal runaway. | Keep away. Call the fire service.
23a | A module has heated up as in a thermal runaway for 10 s.
23b | A module has heated up very fast for 3 s.
25 C24 | cell temperature too low | cell cold | A cell is too cold to charge. | Let the heating run.
25a | A cell is too cold to charge.
25b | A cell is too cold for any power.
26 C22 | temperatures of a rack too far apart | temperature spread |
  The modules of a rack differ too much in temperature. | Check airflow and sensors.
26a | The modules of a rack differ in temperature.
26b | The modules of a rack differ too much in temperature; the rack is off. | Check airflow and
  sensors. Remote reset.
53 C41, C50, design | two weak signs of runaway together (project: suspicion) | runaway suspected |
  Two weak signs of a thermal runaway are present together. | Do not open. Watch temperatures and
  gas. Remote reset.
"""
ROWS = rows(
    TEXTS,
    Stage("18a", by_bms=HOT),
    Stage("18b", by_bms=HOT),
    Stage("19a", by_bms=HOT),
    Stage("19b", by_bms=HOT),
    Stage("20a", by_bms=HOT),
    Stage("20b", by_bms=HOT),
    Stage("21a", by_bms=f"{HOT}; fan, alarm and fire panel do not follow"),
    Stage("21b", not_by_bms="a module is compared with its rack"),
    Stage("22", not_by_bms="a rise is compared with the heating by the current"),
    Stage("23a", not_by_bms=RISE),
    Stage("23b", not_by_bms=RISE),
    Stage("25a", by_bms=COLD),
    Stage("25b", by_bms=COLD),
    Stage("26a", not_by_bms=MODULES),
    Stage("26b", not_by_bms=MODULES),
    Stage("53", not_by_bms="the stage adds two weak signs; only this project has such a row"),
)
