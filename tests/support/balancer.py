"""nginx with `deploy/nginx.conf`: workers, ports, certificate and folders are the test's, nothing else."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from codraw.local_stores import HOST, LocalServer, free_port
from tests.support.tree import ROOT

CONFIGURATION = ROOT / "deploy/nginx.conf"
WORKERS = """        server worker-1:8080 max_fails=0;
        server worker-2:8080 max_fails=0;
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Balancer(LocalServer):
    """`port` speaks TLS, unless `tls` is off; `plain_port` sends there."""

    name = "nginx"

    def __init__(self, folder: Path, executable: str, workers: Sequence[int], tls: bool = True) -> None:
        super().__init__(folder)
        self.executable = executable
        self.workers = workers
        self.tls = tls
        self.plain_port = free_port()

    @property
    def http(self) -> str:
        return f"http{'s' if self.tls else ''}://{HOST}:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws{'s' if self.tls else ''}://{HOST}:{self.port}"

    @property
    def answered(self) -> list[dict[str, Any]]:
        """The access log."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def configuration(self) -> str:
        line = WORKERS.splitlines()[0]
        servers = "".join(line.replace("worker-1:8080", f"{HOST}:{port}") + "\n" for port in self.workers)
        changes = {
            WORKERS: servers,
            "/etc/nginx/tls/": f"{self.folder}/",
            "/run/nginx.pid": f"{self.folder}/nginx.pid",
            "/dev/stderr": f"{self.folder}/error.log",
            "/dev/stdout": f"{self.folder}/access.log",
            "listen 80;": f"listen {HOST}:{self.plain_port};",
            "listen 443 ssl;": f"listen {HOST}:{self.port}{' ssl' if self.tls else ''};",
            "http {\n": "http {\n" + "".join(f"    {name}_temp_path {self.folder}/{name};\n" for name in TEMPORARY),
        }
        return changed(CONFIGURATION.read_text(), changes)

    def _prepare(self) -> None:
        super()._prepare()
        certify(self.folder)
        (self.folder / "nginx.conf").write_text(self.configuration())

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # In one process, which nothing outlives; it reads and writes in this folder as who made it.
        alone = "daemon off; master_process off;" + (" user root;" if os.geteuid() == 0 else "")
        command = [self.executable, "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")]
        return subprocess.Popen([*command, "-g", alone], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _ready(self) -> bool:
        return (self.folder / "nginx.pid").is_file() and (self.folder / "nginx.pid").read_text().strip() == str(
            self.pid
        )


def changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{CONFIGURATION} does not say {old!r} any more"
        text = text.replace(old, new)
    return text


def certify(folder: Path, host: str = "localhost") -> None:
    """A certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "codraw test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
