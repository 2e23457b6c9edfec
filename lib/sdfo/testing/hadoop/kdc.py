"""A Kerberos of one's own: Debian's krb5-kdc on 127.0.0.1, with its settings, database and keytabs below one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from sdfo.testing import ports
from sdfo.testing.ports import HOST

REALM = "SDFO.TEST"
INSTALL = "apt-get install krb5-kdc krb5-admin-server krb5-user libgssapi-krb5-2 curl"
_PATIENCE = 20.0

_CLIENT = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = {host}:{port}
 }}
[domain_realm]
 localhost = {realm}
"""
_SERVER = """[kdcdefaults]
 kdc_listen = {host}:{port}
 kdc_tcp_listen = {host}:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principals
  key_stash_file = {folder}/stash
  max_renewable_life = 7d
 }}
"""


@dataclass
class Kdc:
    """`start`, `keytab` for each principal, `ticket` for whoever acts as one, `stop`. It dies with who started it."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def conf(self) -> Path:
        """The KRB5_CONFIG."""
        return self.folder / "krb5.conf"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = ports.free()
        words = {"realm": REALM, "host": HOST, "port": port, "folder": self.folder}
        self.conf.write_text(_CLIENT.format(**words))
        (self.folder / "kdc.conf").write_text(_SERVER.format(**words))
        if not (self.folder / "stash").exists():
            self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", os.urandom(16).hex())
        command = ["setpriv", "--pdeathsig", "KILL", "--", _tool("krb5kdc"), "-n"]
        with open(self.folder / "krb5kdc.log", "ab") as log:
            self._process = subprocess.Popen(command, env=self._environ(), stdout=log, stderr=log)
        _await_port(port)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def keytab(self, principal: str) -> Path:
        """The file with the key of `name` or `service/host`, which is made if it is new."""
        file = self.folder / f"{principal.partition('/')[0]}.keytab"
        if not file.exists():
            self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
            self._run("kadmin.local", "-q", f"ktadd -k {file} {principal}")
            file.chmod(0o600)
        return file

    def ticket(self, principal: str, *words: str) -> Path:
        """A credential cache (KRB5CCNAME) with a ticket of that principal's, from its keytab. `words`: to kinit."""
        cache = self.folder / f"{principal.partition('/')[0]}.cache"
        self._run("kinit", "-k", "-t", str(self.keytab(principal)), "-c", str(cache), *words, principal)
        return cache

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "KRB5_CONFIG": str(self.conf), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}

    def _run(self, tool: str, *words: str) -> None:
        done = subprocess.run([_tool(tool), *words], env=self._environ(), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{tool}: {done.stderr[-1000:]}")


def _tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"there is no {name} here: {INSTALL}")
    return found


def _await_port(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
