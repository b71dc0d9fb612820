"""Address and login of a broker, from the keys of a file. Certificates and password are read each
time, because they are renewed.
"""

import ssl
from collections.abc import Callable, Sequence

from controller.forms.reading import Values
from controller.mqtt.link import Broker
from controller.system.paths import plain
from controller.system.secret_file import secret
from controller.system.told import DoorError


def broker(
    values: Values,
    beside: Callable[[str], str],
    client_id: str,
    topics: Sequence[str] = (),
    will: str = "",
    marks_live: bool = False,
) -> Broker:
    """The Broker of these values of form.BROKER. beside: returns the path of a file that they name.
    Raises DoorError, OSError.
    """
    login = None
    if values["user"]:
        password = secret(beside(values["password_file"]), "password", DoorError)
        login = values["user"], password
    return Broker(
        host=values["host"],
        port=values["port"],
        is_5=values["protocol"] == "5",
        keepalive_s=values["keepalive_s"],
        client_id=client_id,
        context=_context(values, beside) if values["tls"] else None,
        login=login,
        topics=topics,
        will=will,
        marks_live=marks_live,
    )


def _context(values: Values, beside: Callable[[str], str]) -> ssl.SSLContext:
    names = ("ca", "certificate", "certificate_key")
    ca, certificate, key = [values[name] and beside(values[name]) for name in names]
    place = ca
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate:
            place = f"{certificate} with certificate_key"
            context.load_cert_chain(certificate, key, "no password is asked for")
    except ssl.SSLError:
        raise DoorError(f"{place}: is no certificate with its key") from None
    except OSError as error:
        raise DoorError(plain(error, place)) from None
    return context
