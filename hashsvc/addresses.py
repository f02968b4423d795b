"""Network addresses."""

import ipaddress


def is_address(text: str) -> bool:
    """Tell whether a text is HOST:PORT or unix:PATH."""
    if text.startswith("unix:"):
        return True
    host, colon, port = text.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and int(port) <= 65535
    return bool(colon and host and is_port and host.isprintable() and " " not in host)


def is_loopback(host: str) -> bool:
    """Tell whether a host, given without a port, is this machine: 127.0.0.0/8, ::1, localhost.

    Other names are not looked up, and are taken as other machines. IPv6 may stand in brackets.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
