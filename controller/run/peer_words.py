"""Turns the kernel's input peer_code into a sentence, which names the channel that gives no permit,
the reason, and the contact or row of the cause-and-effect matrix. The code is one
number, so that it is handled like every other input.
"""

from controller.rows.records import ROWS
from safety import channel as c, frame as f, matrix as m, peer as pe, signals as s

ITS_REASON_SHIFT, SUBJECT_SHIFT, BYTE = 8, 16, 0xFF
OF_A = {
    pe.OTHER_TABLES: "channel B runs another version of this program: load this one with "
    "./flash.sh mcu",
    pe.OTHER_IMAGE: "channel B holds another limit image: load this site's with ./flash.sh mcu",
    pe.CLOCKS_DIFFER: f"the clock of channel B differs by over {pe.CLOCK_PERMILLE_MAX // 10} %",
}
LEVELS = ("open", "closed")
# The stages of channel B, in the order of its instances. It has no units or racks, so only stages
# of the cabinet exist there, one instance each.
OF_B = tuple([stage for stage in m.STAGES if stage[m.S_SCOPE] == s.CABINET])
UNHEARD = {
    pe.SILENT: "channel B is silent",
    pe.NOT_HEARD: "channel B has not been heard since the start",
}


def code(reason: int, its_reason: int, subject: int) -> int:
    """Three numbers packed into one number below 2^24.

    reason: what A reports about B (peer.REASONS); INTERLOCK if B itself gives no permit.
    its_reason: the reason that B reports (REASONS). If A does not hear B, it says why A refused the
    bytes of B (channel.REFUSALS). If a contact disagrees, it is 1 if A sees the contact closed.
    subject: index + 1 of the shared contact, or of the first-out stage of B. If B does not hear A,
    it says why B refused the bytes of A.
    """
    return reason | its_reason << ITS_REASON_SHIFT | subject << SUBJECT_SHIFT


def sentence(peer_code: int) -> str:
    """The channel that gives no permit, and why; "" for 0: channel B permits or is not fitted."""
    reason, its_reason = peer_code & BYTE, peer_code >> ITS_REASON_SHIFT & BYTE
    subject = (peer_code >> SUBJECT_SHIFT) - 1
    if reason == pe.OK:
        return ""
    if reason in UNHEARD:
        return UNHEARD[reason] + _refused("bytes come", its_reason)
    if reason == pe.DISAGREES:
        return f"{_contact(subject)}: A {LEVELS[its_reason & 1]}, B {LEVELS[its_reason & 1 ^ 1]}"
    return OF_A.get(reason) or f"channel B gives no permit: {_its_words(its_reason, subject)}"


def stage_in_b(first_out: int) -> tuple | None:
    """The stage (of matrix.STAGES) with this number as first-out of channel B; None: it has no such
    stage.
    """
    return OF_B[first_out] if 0 <= first_out < len(OF_B) else None


def _refused(arrival: str, refusal: int) -> str:
    """Why the last bytes were refused; "" if the refusal does not help to find the fault."""
    return f" ({arrival}, refused: {c.REFUSALS[refusal]})" if c.R_NONE < refusal < c.R_FIRST else ""


def _contact(subject: int) -> str:
    """A shared contact by its name."""
    return (
        f.SHARED_NAMES[subject].removesuffix("_ok")
        if 0 <= subject < len(f.SHARED_NAMES)
        else "a contact"
    )


def _its_words(reason: int, subject: int) -> str:
    """The reason that channel B gives, about itself or about channel A."""
    if reason == pe.INTERLOCK and 0 <= subject < len(m.STAGES):
        stage = m.STAGES[subject]
        return f"stage {stage[m.S_ID]}, {ROWS[stage[m.S_ROW]].what}"
    if reason == pe.DISAGREES:
        return f"{_contact(subject)} is not the same in both channels"
    if reason in UNHEARD:
        return "it does not hear channel A" + _refused("it gets bytes", subject + 1)
    return pe.REASONS[reason] if reason < len(pe.REASONS) else f"reason {reason}"
