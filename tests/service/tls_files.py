"""Files of TLS for a node, and a client that trusts a root alone."""

from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hashsvc.access import certificates


class Tls:
    """Files of an authority, a node and two clients."""

    def __init__(self, folder: Path) -> None:
        authority = certificates.make_authority()
        self.ca, _ = certificates.write(folder, "ca", authority)
        node = certificates.issue(authority, "node", ("localhost", "127.0.0.1"), is_client=False)
        self.certificate, self.key = certificates.write(folder, "node", node)
        self.clients = [
            certificates.issue(authority, name, (), is_client=True) for name in ("acme", "stranger")
        ]

    def settings(self, *, client_ca: bool) -> dict[str, Path]:
        """The section `tls`."""
        files = {"certificate": self.certificate, "key": self.key}
        return files | ({"client_ca": self.ca} if client_ca else {})


def health(address: str, ca: Path) -> int:
    """What a node says of its health over a connection of its own, if the root knows the node."""
    # Without this option gRPC shares connections between channels.
    options = [("grpc.use_local_subchannel_pool", 1)]
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    with grpc.secure_channel(address, credentials, options) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status)
