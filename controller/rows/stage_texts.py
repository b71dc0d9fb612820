"""What stands, in one sentence, where the stages of a row differ, and what to do where that differs
too.

The codes belong to rows (controller/core/reasons.py) and keep their words for ever; these sentences
stand beside a stage's own id on the pages and may be made better. A stage that is not here has the
sentence and the remedy of its row.
"""

_ESTOP_WIRING = "Check both contacts of the push button and their wires; reset with the key."
_CLIMATE = "Check the cooling unit, its filters and the doors."
_STORE = "Look at what the record says of its end. Remote reset."

# stage: (sentence, remedy or "" for the row's)
SENTENCES = {
    "1a": ("The emergency stop is pressed: its first contact is open.", ""),
    "1b": ("The emergency stop is pressed: its second contact is open.", ""),
    "1c": ("The two contacts of the emergency stop disagree.", _ESTOP_WIRING),
    "6b": ("The fire panel or suppression has been in trouble for long; no charging.", ""),
    "8a": ("Two off-gas sensors rise over their reference.", ""),
    "8b": ("An off-gas sensor has been over its reference for long.", ""),
    "8c": ("An off-gas sensor is over its reference while a module heats up.", ""),
    "10a": ("Hydrogen or carbon monoxide is at its alarm level.", ""),
    "10b": ("Hydrogen or carbon monoxide rises fast.", ""),
    "12a": ("Combustible gas is at its upper alarm level.", ""),
    "12b": ("The gas detectors' own relay has opened: 25 % of the lower flammable limit.", ""),
    "13a": ("A gas detector says that it is faulty.", "Replace the detector."),
    "13b": ("A gas detector is silent.", "Check its supply, address and RS-485 pair."),
    "13c": (
        "The calibration of a gas detector is overdue.",
        "Calibrate the detector; see that its dates are set.",
    ),
    "14": (
        "No detector of combustible gas works; or, where none is fitted, no gas detector at all.",
        "",
    ),
    "15b": (
        "The fan is on but no air flows, while gas or smoke is reported.",
        "Do not open. Check the fan from outside; call the fire service.",
    ),
    "16b": (
        "The fan is on but the louvre is not open, while gas or smoke is reported.",
        "Do not open. Check the louvre from outside; call the fire service.",
    ),
    "17a": ("The cooling reports a fault.", "Check the cooling unit, its supply and filters."),
    "17b": ("The cabinet air is too warm; no charging.", _CLIMATE),
    "17c": ("The cabinet air is far too warm; no power.", _CLIMATE),
    "18a": ("A cell is warm while charging.", ""),
    "18b": ("A cell is warm.", ""),
    "19a": ("A cell is hot: no charging.", ""),
    "19b": ("A cell is hot: no charging, a quarter of the discharge power.", ""),
    "20a": ("A cell is over its temperature limit while charging.", ""),
    "20b": ("A cell is over its temperature limit.", ""),
    "21a": ("A cell is extremely hot.", ""),
    "21b": ("A module is far hotter than its rack and rising.", ""),
    "23a": ("A module has heated up as in a thermal runaway for 10 s.", ""),
    "23b": ("A module has heated up very fast for 3 s.", ""),
    "25a": ("A cell is too cold to charge.", ""),
    "25b": ("A cell is too cold for any power.", ""),
    "26a": ("The modules of a rack differ in temperature.", ""),
    "26b": (
        "The modules of a rack differ too much in temperature; it is off.",
        "Check airflow and sensors. Remote reset.",
    ),
    "31a": ("A cell is near its lower voltage.", ""),
    "31b": ("A cell is at its lower voltage: no discharging.", "Nothing: charge the battery."),
    "34a": ("The cells of a rack differ in voltage.", "Plan to balance the rack."),
    "34b": ("The cells of a rack differ much in voltage: half power, no charging.", ""),
    "34c": ("The cells of a rack differ too much in voltage; it stops.", ""),
    "35a": ("Measured current is 5 % over the limit of the BMS.", ""),
    "35b": ("Measured current is 10 % over the limit of the BMS.", ""),
    "37a": ("Insulation to earth is low: no start.", ""),
    "37b": (
        "Insulation to earth is very low.",
        "Keep off. Find the earth fault before touching anything; reset with the key.",
    ),
    "38a": ("Closing has failed three times.", ""),
    "38b": (
        "The voltages of the racks and of the DC bus differ.",
        "Check the DC fuses and the voltage that the converter and the racks report.",
    ),
    "40a": ("A BMS is late.", ""),
    "40b": ("A BMS is silent, or its counter stands still; power goes to zero.", ""),
    "40c": ("A BMS is silent, or its counter stands still; its racks are off.", ""),
    "40d": ("Many frames of a BMS arrive broken.", "Check its CAN plug, shield and terminators."),
    "40e": (
        "The fault contact of the BMS is open.",
        "See what the BMS says of itself. Remote reset.",
    ),
    "41a": ("A power converter is silent; power goes to zero.", ""),
    "41b": ("A power converter is silent; it is stopped by its enable contact.", ""),
    "41c": ("A power converter is silent; the contactors open.", ""),
    "41d": (
        "A power converter gives more than its limit.",
        "Compare its display with the meter; check its settings. Remote reset.",
    ),
    "42a": (
        "There is water or coolant on the floor of the cabinet.",
        "Find the leak before a reset.",
    ),
    "42b": ("Coolant flow or pressure is lost.", "Check pump, valves and level. Remote reset."),
    "42c": ("The air in the cabinet is humid.", "Check seals and the dehumidifier."),
    "43a": ("Auxiliary power is lost; the UPS carries monitoring.", ""),
    "43b": ("On UPS, and its reserve is low; no power.", ""),
    "43c": (
        "On UPS, and its reserve is nearly gone; the cabinet is off.",
        "Restore auxiliary power. Remote reset.",
    ),
    "43d": (
        "The UPS could not carry monitoring for long enough.",
        "Check or replace the batteries of the UPS.",
    ),
    "44a": ("The limits in memory have changed.", "Replace the controller."),
    "44b": (
        "The controller missed its time.",
        "See page Links. Export the record and report it. Remote reset.",
    ),
    "44c": ("The controller was not stopped in an orderly way.", _STORE),
    "44d": (
        "What the controller keeps over a loss of power cannot be read.",
        "See page Alarms for what stood before; inspect, then reset with the key.",
    ),
    "44e": (
        "The controller found a fault of its memory, clock, processor or program, or a permit "
        "relay "
        "does not follow.",
        "Replace the part that is named, controller or relay; reset with the key.",
    ),
    "44f": (
        "The processor of the controller is too hot.",
        "Let it cool; check its place and its fan. Remote reset.",
    ),
    "45a": ("Two or more sensors of one module are invalid.", ""),
    "45b": ("Two or more sensors of one module have been invalid for long; the rack is off.", ""),
    "45c": (
        "A temperature reads exactly 0 while its neighbours differ.",
        "Check the plug of that module's sensors.",
    ),
    "45d": (
        "A temperature has read exactly 0 for long; the rack is off.",
        "Check the plug of that module's sensors.",
    ),
    "46a": ("Nobody watches this cabinet from afar.", ""),
    "46b": ("Nobody watches this cabinet from afar; half power, as the hazard analysis asks.", ""),
    "46c": (
        "The link to the operations centre was never verified; no first start.",
        "Let the operations centre confirm a test alarm.",
    ),
    "48a": ("The door is open while the cabinet is energised.", ""),
    "48b": (
        "The door is open while gas is reported.",
        "Keep away; close the door only if that is safe.",
    ),
    "50a": ("A meter is silent; charging is forbidden.", ""),
    "50b": ("A meter repeats itself; charging is forbidden.", ""),
}
