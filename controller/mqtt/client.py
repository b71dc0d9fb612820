"""The client of paho-mqtt with two bounds that it lacks, and without its TCP port."""

import socket

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

PACKET_BYTES_MAX = 65_536


def _pair() -> tuple[socket.socket, socket.socket]:
    """Sockets that wake the thread of the client. For them the library would open a TCP port."""
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


mqtt._socketpair_compat = _pair


class Client(mqtt.Client):
    """The client of paho-mqtt. trouble: why it has ended the connection, or ""."""

    trouble = ""

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > PACKET_BYTES_MAX:
            self.trouble = f"sends {bufsize} bytes at once; allowed {PACKET_BYTES_MAX}"
            raise ConnectionError
        return super()._sock_recv(bufsize)

    def _send_pubrec(self, mid: int) -> MQTTErrorCode:
        self.trouble = "sends with QoS 2, which the door has not asked for"
        return mqtt.MQTT_ERR_PROTOCOL
