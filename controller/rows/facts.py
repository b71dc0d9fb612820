"""Facts that support the rows of the cause-and-effect matrix: {key: (fact, source, confidence)}.

Confidence: C: read in a primary text. C2: read in a secondary text. G: general knowledge, not
confirmed. D: derived or chosen by the project. * marks a source without authority, (?) a clause
number from memory. The edition of a code, the listing of a product and the analysis of a site
overrule every fact.
"""

import re
from typing import NamedTuple

from controller.core.base.texts import table


class Fact(NamedTuple):
    """A fact. confidence: code of its weakest part. is_weak: the source has no authority."""

    fact: str
    source: str
    confidence: str
    is_weak: bool


WEAKER = ("C", "C2", "G", "D")  # from the strongest to the weakest
# key and confidence | source | fact
TEXT = """
# A: what standards, codes and filed analyses ask for.
A4 C | hazard mitigation analysis filed in Santa Ana, California, 2024 | A BMS alarms on voltage,
  temperature and current, limits power next, disconnects last
A6 C | the analysis filed in Santa Ana | When cooling fails the BMS isolates its rack and the
  operations centre is informed
A12 C2 | FM Global DS 5-33 (2023), as reported by a detector maker | Early intervention isolates the
  batteries on temperature or electrolyte vapour
A20 C | IFC 2018 1206.2.3.2 | Gas of normal operation stays at or below 25 % LFL; abnormal release
  endangers nobody
A21 C | IFC 2018 1206.2.11.4 | Gas detection sounds and shows an alarm, reports it, stops the
  charger, starts the fan
A24 C | New York City Mechanical Code 502.4.3 | Proof of airflow supervises a fan, at a station or a
  place with people
A25 C | New York City Building Code 918.8.1 | A gas alarm is set no higher than 25 % LFL, for toxic
  gas half the IDLH value
A26 G | IFC 2021 1207.6.1.2.4 (?), NFPA 855-2023 9.6.5.1 (?) | Exhaust runs above 25 % LFL; standby
  lasts 2 h; failed detection is a trouble signal
A27 G | NFPA 855-2023 9.6.5.6 (?) | Detectors for explosion prevention are set to 10 % LFL
A28 C2 | NFPA 855-2020 4.12 (?), 2023 9.6.5.6 (?); content as reported | Explosion control is
  venting (NFPA 68) or prevention (NFPA 69)
A29 C2 | NFPA 69, as reported by consultants | Prevention keeps the mean gas below 25 % LFL by
  detectors, fan and louvre, delays counted
A32 C2 | commentary on NFPA 855; McMicken | A clean agent without venting leaves gas that did not
  burn and may explode
A33 C | papers on vent gas | The flammable limit of vent gas depends on the cell: the number of its
  test report counts
A34 C | SMA Storage XL manual | Little gas starts the fan, more gas switches off; smoke with heat
  releases the aerosol
A35 G | draft of China's energy administration (2022) 2.12.4 | 50 ppm of hydrogen or carbon monoxide
  is acted on; which actions is unconfirmed
A38 C2 | a consultant's guidance | Gas sensors keep their supply for 2 h
A40 C2 | NFPA 855-2023 and 2026, IFC 2024, as reported | Rooms with energy storage have automatic
  smoke detection
A41 G | NFPA 855-2023 4.8.3 (?) | The fire panel has a second supply for 24 h standby and 2 h alarm
A42 C2 | NFPA 72 by way of NFPA 855, as reported | Detection reports to a supervising station or a
  place with people
A43 C | the analysis filed in Santa Ana | A failed smoke detector is a trouble signal at a centre
  that is always staffed
A47 C2 | NFPA guide for responders | The emergency stop is wired, latches, is labelled and known to
  responders
A51 C | Merseyside Fire and Rescue Service, after Liverpool 2020 | A lamp outside shows responders
  the conditions inside; this project: red if unknown
A53 C2 | fire safety working group of New York State, 2024, as reported | A person who knows the
  plant is reachable within 15 min
A61 C | IFC 2018 | The failure analysis covers a failed energy management system
A62 C | IFC 2018; the wording of 2023 by the analysis filed in Santa Ana | The failure analysis
  covers failed ventilation and other required protection
A71 C | NFPA 855-2020 7.1.5 | The record of a test: what, when, who, result
A73 C | NFPA 855-2020 7.2 | Maintenance follows the maker's schedule, by qualified people, and is
  recorded
A75 C2 | NFPA 855 chapters 6 to 8, as reported | Commissioning tests every safety device by a plan
  and reports it
A78 C2 | a trade commentary | Authorities ask for logs of tests, credentials and times that nobody
  can change
A92 C2 | UL 60730-1 table H.1, UL 1998 table A2.1, as reported | Class B controls test memory,
  processor, program and clock by themselves
# C: numbers of controllers in use.
C1 C | MG Energy LFP manual | LFP: full 3.52, warning 3.60, trip 3.65 V; low 2.80, 2.60, 2.40 V; 20
  s, 5 s more
C2 C | Seplos BMS 3.0 manual | LFP: warning 3.50 and 2.90, trip 3.65 and 2.70 V; locked out at or
  below 2.00 V
C3 C | Renogy manual | LFP: warning 3.55, trip 3.65 V; 10 s, 2 s
C4 C | OpenEMS, Soltaro 3.5 kWh | LFP: charge falls from 3.46 V to 2 % at 3.56 V and to none at
  3.615 V
C6 C | MG RS manual | NMC: full 4.15, trip 4.20 V; performance 4.225 and 4.25 V
C7 C | MG RS manual | An independent BMS breaks the wired interlock at 4.40 and 2.20 V (NMC)
C9 C | Battery-Emulator | Cell at its maximum: no charge; 0.100 V beyond the design: latched,
  cleared by hand
C11 D | chosen by the project | NMC by default: warning 4.15 and 3.20, limit 4.20 and 3.00, trip
  4.25 and 2.80 V
C20 C | foxBMS 2 | Charging: 35, 40 and 45 degC; an error after 1 s
C21 C | foxBMS 2 | Discharging: 45, 50 and 55 degC; an error after 1 s
C22 C | Battery-Emulator | Hot above 50 degC, cold below -25 degC, spread 15 K
C23 C | MG RS manual | 65 degC and -38 degC warn after 1 s and break the wired interlock after 75 s
C24 C | cell data sheet in a UL 9540A report | A 300 Ah LFP cell charges at 0 to 55 and discharges
  at -20 to 55 degC
C27 D | chosen by the project | Modules of a rack apart: warning 8 to 10 K, trip 15 K
C28 C2* | a design review on GitHub, no product | 1 K/min for 30 s is early warning, unless a load
  step explains it
C29 G | GB 38031 and GB/T 36276, from memory | Runaway in a test: 1 K/s for 3 s with 25 % of the
  voltage lost
C30 C2 | a vendor's test and a trade article | Runaway measured: LFP 0.79 K/s on average, NCM523
  10.5 K/s
C31 C | the analysis of A4 | A unit test was heated from outside with 4 to 7 K/min
C41 C2 | a maker's article | Vapour leads heat by 5 to 30 min on the bench, by little or nothing in
  an air stream
C48 G | makers' pages | Off-gas detectors compare with a reference sensor; no set-point in ppm was
  found
C50 D | chosen by the project | Ladder: vapour, 50 ppm, 200 to 400 ppm, 10 % LFL, 25 % LFL
C60 C | Canadian Technical Standards Document 305 | Insulation is counted in ohm per volt of nominal
  DC voltage
C61 G | UN R100 and GB/T practice | Insulation: warning below 500, trip below 100 ohm/V
C62 C | regulator of Victoria, after Victorian Big Battery | A module has an alarm for lost
  insulation
C64 C | Seplos BMS 3.0 manual | Over-current: 1.05 alarms, 1.1 for 10 s and 2 to 2.5 for 0.3 s trip
C65 C | foxBMS 2 | Over-current counts after 0.1 s; contactors do not open above their break
  current: the fuse has up to 30 s
C66 C | Battery-Emulator | 2 kW above the limit for 5 s is an event
C67 C | foxBMS 2 | Pre-charge ends within 1 V and 50 mA; three tries, 10 s between them
C69 C | foxBMS 2 | Strings are joined within 3 V and 20 A
C70 C | foxBMS 2 | Feedback that differs counts after 20 events and 100 ms
C71 C | foxBMS 2 | A string has 5 s to close and 10 s to open
C72 C | foxBMS 2 and a demonstration program | After opening, current and load-side voltage fall;
  current on an open string is an error
C74 C | foxBMS 2 | A CAN frame comes each 100 ms; 100 bad ones and 200 ms are an error
C75 C | Battery-Emulator | A BMS silent for 60 s is an error
C76 C | Prohelion manual | A missing frame of cells or controller opens all; a person has to clear
  it
C78 C2* | a design review on GitHub, no product | Three resets an hour; fire is reset by hand; a
  dead sensor does not read 0 degC
C79 D | chosen by the project | Silence: BMS 0.5, 1 and 3 s; PCS 2, 3 and 5 s
C80 D | chosen by the project | Cells apart: 100 mV warning, 200 mV derating, 300 to 500 mV trip
C82 C | Battery-Emulator | Processor: warning at 80, fault at 110, clear below 105 degC
# D: incidents.
D1 C | McMicken, Arizona, 2019 | One cell failed; the agent did not stop it; gas gathered unseen and
  exploded at the door
D2 C2 | reports on McMicken | Asked for since: barriers, ventilation and cooling, a strategy for
  agent and fan
D3 C | Carnegie Road, Liverpool, 2020 | Suppression was fitted and did not act; the container
  exploded
D4 C | Victorian Big Battery, 2021 | A leak arced in a unit whose service mode had switched off
  protection and telemetry
D5 C | Moss Landing 300, 2021 | Wrongly programmed smoke detection released water, which damaged 7 %
  of the modules
D6 C | Moss Landing 100, 2022 | The same leak as in 2021
D7 G | Elkhorn, 2022 | One unit burnt; assembly and controls failed; water came in by the vents
  (from memory)
D9 C | Gateway, California, 2024 | The batteries flared up again and again for about two weeks
# E: how a runaway spreads.
E11 C | the analysis filed in Santa Ana | In a unit test the second cell ran away after 6 min, eight
  within 59 min
"""


def _fact(head: str, source: str, fact: str) -> tuple[str, Fact]:
    key, code = head.split()
    return key, Fact(fact, source, code.rstrip("*"), code.endswith("*"))


# The condition `(?!\.\d)` excludes "table A2.1", which is no key.
_KEY_RANGE = re.compile(r"\b([ACDE])(\d+)\b(?!\.\d)(?:-[ACDE]?(\d+))?")


def keys(text: str) -> list[str]:
    """The keys that a text cites, in order: "A40-A43, A32" gives A40 A41 A42 A43 A32."""
    return [
        f"{letter}{number}"
        for letter, first, last in _KEY_RANGE.findall(text)
        for number in range(int(first), int(last or first) + 1)
    ]


def words(key: str) -> dict[str, str]:
    """{key, fact, source, confidence} of a fact; (?) marks an unconfirmed fact."""
    fact = FACTS[key]
    return {
        "key": key,
        "fact": fact.fact,
        "source": fact.source,
        "confidence": fact.confidence + (" (?)" if fact.confidence == "G" else ""),
    }


def weakest(basis: str) -> str:
    """The weakest confidence among the facts of a basis; D: the basis names no fact."""
    return max([FACTS[key].confidence for key in keys(basis)], key=WEAKER.index, default="D")


def sources(basis: str) -> str:
    """Sources of a basis, each once. (?) marks an unconfirmed source."""
    cited: dict[str, None] = {}
    for fact in map(FACTS.__getitem__, keys(basis)):
        is_unsure = fact.confidence == "G" and "(?)" not in fact.source
        cited[f"{fact.source} (?)" if is_unsure else fact.source] = None
    return "; ".join(cited) or "the project's design"


FACTS = dict(_fact(*cells) for cells in table(TEXT))
