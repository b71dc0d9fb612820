"""Texts about failures of a connection to a broker."""

import ssl

REASONS = {  # reason codes of MQTT 5; the library converts those of 3.1.1
    128: "without a reason",
    129: "it found a malformed packet",
    130: "it found a protocol error",
    131: "for a reason of its own",
    132: "it does not speak this version of MQTT; try protocol",
    133: "it does not like the client id",
    134: "wrong user name or password",
    135: "this user or certificate may not do that",
    136: "it is not available",
    137: "it is busy",
    139: "it shuts down",
    141: "it heard nothing for too long",
    142: "another client has the same client id",
    147: "more messages at once than it takes",
    149: "a packet is too large for it",
    151: "a quota is used up",
    152: "its administrator closed the connection",
    159: "too many connections in a short time",
}
CERTIFICATE_FAULTS = {  # error numbers of OpenSSL
    9: "is not valid yet; is the clock of this box right",
    10: "has expired",
    18: "is not signed by the site's CA",
    19: "is not signed by the site's CA",
    20: "is not signed by the site's CA",
    21: "is not signed by the site's CA",
    23: "is revoked",
    62: "is of another host",
    64: "is of another address",
}


def reason_text(code: int) -> str:
    """The text of a reason code of MQTT 5."""
    return REASONS.get(code, f"reason code {code}")


def tls_text(error: ssl.SSLError) -> str:
    """A text about a failure of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        cause = CERTIFICATE_FAULTS.get(
            error.verify_code, f"is refused (OpenSSL {error.verify_code})"
        )
        return f"its certificate {cause}"
    return "TLS failed; is this its port for TLS, and does it accept the client certificate"
