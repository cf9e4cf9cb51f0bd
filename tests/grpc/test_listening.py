"""A process lets go of a port that it listens on, whoever holds the socket."""

from __future__ import annotations

import socket

import pytest

from gateway.grpc.listening import stop_listening


def listener(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen()
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_can_connect_any_more_and_who_is_connected_stays(host: str) -> None:
    with listener(host) as let_go, listener(host) as kept:
        port = let_go.getsockname()[1]
        with socket.create_connection((host, port)) as client, let_go.accept()[0] as connected:
            assert stop_listening(port) == 1
            connected.sendall(b"x")
            assert client.recv(1) == b"x"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, port))
        socket.create_connection(kept.getsockname()[:2]).close()


def test_a_connection_from_that_port_is_left_alone() -> None:
    with listener() as own, socket.create_connection(own.getsockname()) as client, own.accept()[0] as connected:
        assert stop_listening(client.getsockname()[1]) == 0
        connected.sendall(b"x")
        assert client.recv(1) == b"x"
