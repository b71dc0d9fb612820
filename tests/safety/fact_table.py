"""The facts that the rows of the matrix rest on: key -> (fact, source, confidence).

The words are the project's own: numbers and duties, no text of a standard. Confidence: C read in a
primary text, C2 in a secondary text, G from general knowledge and unconfirmed, D derived or chosen
here. (?) marks a clause number from memory. The adopted edition, the listing and the hazard
mitigation analysis of a site overrule all of it.
"""

from typing import NamedTuple


class Fact(NamedTuple):
    """confidence: the weakest of its parts. is_weak: the source has no authority of its own."""

    fact: str
    source: str
    confidence: str
    is_weak: bool = False


FACTS = {
    # A: what standards, codes and filed analyses ask for.
    "A4": Fact(
        "A BMS alarms on voltage, temperature and current, limits power next, disconnects last",
        "hazard mitigation analysis filed in Santa Ana, California, 2024",
        "C",
    ),
    "A6": Fact(
        "When cooling fails the BMS isolates its rack and the operations centre is told",
        "the analysis of A4",
        "C",
    ),
    "A12": Fact(
        "Early intervention isolates the batteries on temperature or electrolyte vapour",
        "FM Global DS 5-33 (2023), as reported by a detector maker",
        "C2",
    ),
    "A20": Fact(
        "Gas of normal operation stays at or below 25 % LFL; abnormal release endangers nobody",
        "IFC 2018 1206.2.3.2",
        "C",
    ),
    "A21": Fact(
        "Gas detection sounds and shows an alarm, reports it, stops the charger, starts the fan",
        "IFC 2018 1206.2.11.4",
        "C",
    ),
    "A24": Fact(
        "Proof of airflow supervises a fan, at a station or a place with people",
        "New York City Mechanical Code 502.4.3",
        "C",
    ),
    "A25": Fact(
        "A gas alarm is set no higher than 25 % LFL, for toxic gas half the IDLH value",
        "New York City Building Code 918.8.1",
        "C",
    ),
    "A26": Fact(
        "Exhaust runs above 25 % LFL; standby lasts 2 h; failed detection is a trouble signal",
        "IFC 2021 1207.6.1.2.4 (?), NFPA 855-2023 9.6.5.1 (?)",
        "G",
    ),
    "A27": Fact(
        "Detectors for explosion prevention are set to 10 % LFL", "NFPA 855-2023 9.6.5.6 (?)", "G"
    ),
    "A28": Fact(
        "Explosion control is venting (NFPA 68) or prevention (NFPA 69)",
        "NFPA 855-2020 4.12 (?), 2023 9.6.5.6 (?); content as reported",
        "C2",
    ),
    "A29": Fact(
        "Prevention keeps the mean gas below 25 % LFL by detectors, fan and louvre, delays counted",
        "NFPA 69, as reported by consultants",
        "C2",
    ),
    "A32": Fact(
        "A clean agent without venting leaves gas that did not burn and may explode",
        "commentary on NFPA 855; McMicken",
        "C2",
    ),
    "A33": Fact(
        "The flammable limit of vent gas depends on the cell: the number of its test report counts",
        "papers on vent gas",
        "C",
    ),
    "A34": Fact(
        "Little gas starts the fan, more gas switches off; smoke with heat releases the aerosol",
        "SMA Storage XL manual",
        "C",
    ),
    "A35": Fact(
        "50 ppm of hydrogen or carbon monoxide is acted on; which actions is unconfirmed",
        "draft of China's energy administration (2022) 2.12.4",
        "G",
    ),
    "A38": Fact("Gas sensors keep their supply for 2 h", "a consultant's guidance", "C2"),
    "A40": Fact(
        "Rooms with energy storage have automatic smoke detection",
        "NFPA 855-2023 and 2026, IFC 2024, as reported",
        "C2",
    ),
    "A41": Fact(
        "The fire panel has a second supply for 24 h standby and 2 h alarm",
        "NFPA 855-2023 4.8.3 (?)",
        "G",
    ),
    "A42": Fact(
        "Detection reports to a supervising station or a place with people",
        "NFPA 72 by way of NFPA 855, as reported",
        "C2",
    ),
    "A43": Fact(
        "A failed smoke detector is a trouble signal at a centre that is always staffed",
        "the analysis of A4",
        "C",
    ),
    "A47": Fact(
        "The emergency stop is wired, latches, is labelled and known to responders",
        "NFPA guide for responders",
        "C2",
    ),
    "A51": Fact(
        "A lamp outside shows responders the conditions inside; this project: red if unknown",
        "Merseyside Fire and Rescue Service, after Liverpool 2020",
        "C",
    ),
    "A61": Fact("The failure analysis covers a failed energy management system", "IFC 2018", "C"),
    "A62": Fact(
        "The failure analysis covers failed ventilation and other required protection",
        "IFC 2018; the wording of 2023 by the analysis of A4",
        "C",
    ),
    "A71": Fact("The record of a test: what, when, who, result", "NFPA 855-2020 7.1.5", "C"),
    "A73": Fact(
        "Maintenance follows the maker's schedule, by qualified people, and is recorded",
        "NFPA 855-2020 7.2",
        "C",
    ),
    "A75": Fact(
        "Commissioning tests every safety device by a plan and reports it",
        "NFPA 855 chapters 6 to 8, as reported",
        "C2",
    ),
    "A78": Fact(
        "Authorities ask for logs of tests, credentials and times that nobody can change",
        "a trade commentary",
        "C2",
    ),
    "A92": Fact(
        "Class B controls test memory, processor, program and clock by themselves",
        "UL 60730-1 table H.1, UL 1998 table A2.1, as reported",
        "C2",
    ),
    # C: numbers of controllers in use.
    "C1": Fact(
        "LFP: full 3.52, warning 3.60, trip 3.65 V; low 2.80, 2.60, 2.40 V; 20 s, 5 s more",
        "MG Energy LFP manual",
        "C",
    ),
    "C2": Fact(
        "LFP: warning 3.50 and 2.90, trip 3.65 and 2.70 V; locked out at or below 2.00 V",
        "Seplos BMS 3.0 manual",
        "C",
    ),
    "C3": Fact("LFP: warning 3.55, trip 3.65 V; 10 s, 2 s", "Renogy manual", "C"),
    "C4": Fact(
        "LFP: charge falls from 3.46 V to 2 % at 3.56 V and to none at 3.615 V",
        "OpenEMS, Soltaro 3.5 kWh",
        "C",
    ),
    "C6": Fact("NMC: full 4.15, trip 4.20 V; performance 4.225 and 4.25 V", "MG RS manual", "C"),
    "C7": Fact(
        "An independent BMS breaks the wired interlock at 4.40 and 2.20 V (NMC)",
        "MG RS manual",
        "C",
    ),
    "C9": Fact(
        "Cell at its maximum: no charge; 0.100 V beyond the design: latched, cleared by hand",
        "Battery-Emulator",
        "C",
    ),
    "C11": Fact(
        "NMC by default: warning 4.15 and 3.20, limit 4.20 and 3.00, trip 4.25 and 2.80 V",
        "chosen by the project",
        "D",
    ),
    "C20": Fact("Charging: 35, 40 and 45 degC; an error after 1 s", "foxBMS 2", "C"),
    "C21": Fact("Discharging: 45, 50 and 55 degC; an error after 1 s", "foxBMS 2", "C"),
    "C22": Fact("Hot above 50 degC, cold below -25 degC, spread 15 K", "Battery-Emulator", "C"),
    "C23": Fact("65 degC and -38 degC break the wired interlock", "MG RS manual", "C"),
    "C24": Fact(
        "A 300 Ah LFP cell charges at 0 to 55 and discharges at -20 to 55 degC",
        "cell data sheet in a UL 9540A report",
        "C",
    ),
    "C27": Fact(
        "Modules of a rack apart: warning 8 to 10 K, trip 15 K", "chosen by the project", "D"
    ),
    "C28": Fact(
        "1 K/min for 30 s is early warning, unless a load step explains it",
        "a design review on GitHub, no product",
        "C2",
        is_weak=True,
    ),
    "C29": Fact(
        "Runaway in a test: 1 K/s for 3 s with 25 % of the voltage lost",
        "GB 38031 and GB/T 36276, from memory",
        "G",
    ),
    "C30": Fact(
        "Runaway measured: LFP 0.79 K/s on average, NCM523 10.5 K/s",
        "a vendor's test and a trade article",
        "C2",
    ),
    "C41": Fact(
        "Vapour leads heat by 5 to 30 min on the bench, by little or nothing in an air stream",
        "a maker's article",
        "C2",
    ),
    "C50": Fact(
        "Ladder: vapour, 50 ppm, 200 to 400 ppm, 10 % LFL, 25 % LFL", "chosen by the project", "D"
    ),
    "C61": Fact(
        "Insulation: warning below 500, trip below 100 ohm/V", "UN R100 and GB/T practice", "G"
    ),
    "C62": Fact(
        "A module has an alarm for lost insulation",
        "regulator of Victoria, after Victorian Big Battery",
        "C",
    ),
    "C64": Fact(
        "Over-current: 1.05 alarms, 1.1 for 10 s and 2 to 2.5 for 0.3 s trip",
        "Seplos BMS 3.0 manual",
        "C",
    ),
    "C65": Fact(
        "Contactors do not open above their break current: the fuse has up to 30 s", "foxBMS 2", "C"
    ),
    "C66": Fact("2 kW above the limit for 5 s is an event", "Battery-Emulator", "C"),
    "C67": Fact(
        "Pre-charge ends within 1 V and 50 mA; three tries, 10 s between them", "foxBMS 2", "C"
    ),
    "C69": Fact("Strings are joined within 3 V and 20 A", "foxBMS 2", "C"),
    "C70": Fact("Feedback that differs counts after 20 events and 100 ms", "foxBMS 2", "C"),
    "C71": Fact("A string has 5 s to close and 10 s to open", "foxBMS 2", "C"),
    "C72": Fact(
        "After opening, current and load-side voltage fall; current on an open string is an error",
        "foxBMS 2 and a demonstration program",
        "C",
    ),
    "C74": Fact(
        "A CAN frame comes each 100 ms; 100 bad ones and 200 ms are an error", "foxBMS 2", "C"
    ),
    "C75": Fact("A BMS silent for 60 s is an error", "Battery-Emulator", "C"),
    "C76": Fact(
        "A missing frame of cells or controller opens all; a person has to clear it",
        "Prohelion manual",
        "C",
    ),
    "C78": Fact(
        "Three resets an hour; fire is reset by hand; a dead sensor does not read 0 degC",
        "the review of C28",
        "C2",
        is_weak=True,
    ),
    "C79": Fact("Silence: BMS 0.5, 1 and 3 s; PCS 2, 3 and 5 s", "chosen by the project", "D"),
    "C80": Fact(
        "Cells apart: 100 mV warning, 200 mV derating, 300 to 500 mV trip",
        "chosen by the project",
        "D",
    ),
    "C82": Fact(
        "Processor: warning at 80, fault at 110, clear below 105 degC", "Battery-Emulator", "C"
    ),
    # D: incidents.
    "D1": Fact(
        "One cell failed; the agent did not stop it; gas gathered unseen and exploded at the door",
        "McMicken, Arizona, 2019",
        "C",
    ),
    "D2": Fact(
        "Asked for since: barriers, ventilation and cooling, a strategy for agent and fan",
        "reports on McMicken",
        "C2",
    ),
    "D3": Fact(
        "Suppression was fitted and did not act; the container exploded",
        "Carnegie Road, Liverpool, 2020",
        "C",
    ),
    "D4": Fact(
        "A leak arced in a unit whose service mode had switched off protection and telemetry",
        "Victorian Big Battery, 2021",
        "C",
    ),
    "D5": Fact(
        "Wrongly programmed smoke detection released water, which damaged 7 % of the modules",
        "Moss Landing 300, 2021",
        "C",
    ),
    "D6": Fact("The same leak as in D5", "Moss Landing 100, 2022", "C"),
    "D7": Fact(
        "One unit burnt; assembly and controls failed; water came in by the vents (from memory)",
        "Elkhorn, 2022",
        "G",
    ),
    # E: how a runaway spreads.
    "E11": Fact(
        "In a unit test the second cell ran away after 6 min, eight within 59 min",
        "the analysis of A4",
        "C",
    ),
}
