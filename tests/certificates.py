"""Certificates of a site's authority and of a foreign one, made once for all tests with TLS."""

import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import parts

KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout".split()
# name: authority, days (OLD: over long ago), subject, other names
OLD = ""
ISSUED = {
    "door": ("site", "9", "/CN=door", "DNS:localhost,IP:127.0.0.1"),
    "away": ("site", "9", "/CN=away", "DNS:away"),
    "ems": ("site", "9", "/O=Plant/CN=ems 1", "DNS:ems"),
    "old": ("site", OLD, "/CN=ems 1", "IP:127.0.0.1"),
    "foreign": ("other", "9", "/CN=ems 1", "DNS:ems"),
    "two": ("site", "9", "/CN=x/CN=ems 1", "DNS:ems"),
}
# Python 3.13 and newer refuse an authority that does not say so, and a certificate without the
# identifier of its authority.
SIGNS = "-addext", "keyUsage=critical,keyCertSign,cRLSign"
IDENTIFIED = "authorityKeyIdentifier=keyid"
# `openssl ca` takes a time of the past in each version; newer ones refuse `x509 -days -1`.
PAST = "-batch -notext -config ca -cert site.crt -keyfile site.key -outdir .".split()
PAST += "-startdate 20200101000000Z -enddate 20200102000000Z".split()
AUTHORITY = """
[ca]
default_ca = own
[own]
database = index
default_md = sha256
policy = names
serial = serial
[names]
commonName = supplied
"""


@functools.cache
def certificates():
    parts.needs("openssl")
    folder = Path(tempfile.mkdtemp())
    (folder / "ca").write_text(AUTHORITY)
    (folder / "index").write_text("")
    (folder / "serial").write_text("0A\n")
    atexit.register(shutil.rmtree, folder)

    def made(kind, name, *words):
        line = ["openssl", kind, *words, "-out", f"{name}.{'csr' if kind == 'req' else 'crt'}"]
        subprocess.run(line, cwd=folder, check=True, capture_output=True)

    for name in ("site", "other"):
        made("req", name, "-x509", *KEY, f"{name}.key", "-subj", f"/CN={name}", *SIGNS)
        (folder / f"{name}.csr").rename(folder / f"{name}.crt")
    for name, (issuer, days, subject, others) in ISSUED.items():
        (folder / "names").write_text(f"subjectAltName={others}\n{IDENTIFIED}\n")
        made("req", name, *KEY, f"{name}.key", "-subj", subject)
        sign = ("-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key", "-CAcreateserial")
        if days == OLD:
            made("ca", name, "-in", f"{name}.csr", *PAST, "-extfile", "names")
        else:
            given = ("-req", "-in", f"{name}.csr", *sign, "-days", days)
            made("x509", name, *given, "-extfile", "names")
    return folder


def trusting(authority="site", client=""):
    folder = certificates()
    made = ssl.create_default_context(cafile=folder / f"{authority}.crt")
    if client:
        made.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    return made
