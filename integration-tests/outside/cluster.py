"""A real Kubernetes API server on this machine, with etcd behind it, and no nodes."""

import os
import secrets
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.2


@contextmanager
def cluster(etcd, apiserver):
    """The path of a kubeconfig of an administrator, while the cluster runs."""
    with tempfile.TemporaryDirectory(prefix="causeway-cluster-") as place:
        place = Path(place)
        running = []
        try:
            yield start(place, etcd, apiserver, running)
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait()


def start(place, etcd, apiserver, running):
    client, peer, secure = free_port(), free_port(), free_port()
    stored = f"http://127.0.0.1:{client}"
    begin(running, place / "etcd.log", [
        etcd, "--data-dir", place / "etcd", "--listen-client-urls", stored, "--advertise-client-urls", stored,
        "--listen-peer-urls", f"http://127.0.0.1:{peer}",
    ])
    token, key = secrets.token_hex(16), place / "accounts.key"
    (place / "tokens.csv").write_text(f"{token},administrator,1,system:masters\n")
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    log = place / "apiserver.log"
    begin(running, log, [
        apiserver, "--etcd-servers", stored, "--secure-port", str(secure), "--bind-address", "127.0.0.1",
        "--cert-dir", place / "certificates", "--token-auth-file", place / "tokens.csv",
        "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
        "--service-account-issuer", "https://kubernetes.example", "--service-account-key-file", key,
        "--service-account-signing-key-file", key,
    ])
    config = place / "kubeconfig"
    config.write_text(f"""apiVersion: v1
kind: Config
clusters: [{{name: one, cluster: {{server: "https://127.0.0.1:{secure}", insecure-skip-tls-verify: true}}}}]
users: [{{name: administrator, user: {{token: "{token}"}}}}]
contexts: [{{name: one, context: {{cluster: one, user: administrator}}}}]
current-context: one
""")
    await_ready(secure, token, running, log)
    return config


def begin(running, log, command):
    with open(log, "wb") as output:
        command = [str(word) for word in command]
        running.append(subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | {"ETCD_LOGGER": "zap"}))


def await_ready(port, token, running, log):
    ask = ["curl", "--silent", "--insecure", "--header", f"Authorization: Bearer {token}",
           f"https://127.0.0.1:{port}/readyz"]
    deadline = time.monotonic() + READY_SECONDS
    while subprocess.run(ask, capture_output=True).stdout != b"ok":
        dead = any(process.poll() is not None for process in running)
        if dead or time.monotonic() > deadline:
            raise SystemExit(f"the cluster did not start:\n{log.read_text()[-3000:]}")
        time.sleep(LOOK_AGAIN_SECONDS)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
