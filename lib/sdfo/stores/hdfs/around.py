"""Another way to a file's bytes: WebHDFS, from every DataNode that holds them at once; the first to give them wins.

Which node hangs is not known (a stopped process still takes connections), so none is waited for. Needs a cluster without
Kerberos: else the client's own way to the next replica has to do.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from sdfo.errors import Missing, Unavailable
from sdfo.stores.hdfs import site
from sdfo.stores.hdfs.calls import Failed, Late, Race

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # a cluster is not behind a web proxy


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file is meant, whatever lies at its name by now. `modified`: milliseconds."""

    path: str
    size: int
    modified: int


def read(url: str, file: Identity, offset: int, length: int, until: float) -> bytes:
    """Exactly these bytes, by the monotonic clock's `until`; `Unavailable` if they cannot be had."""
    where = site.site()
    if where.kerberos:
        raise Unavailable("there is no other way to read with Kerberos", path=file.path)
    race: Race[bytes] = Race()
    for web in where.web(url):  # of two NameNodes one is on standby, or hangs
        race.begin(partial(_Web(web, until).read, file, offset, length))
    try:
        return race.first(until)[0]
    except (Late, Failed):
        for error in race.failures:
            if isinstance(error, Missing):
                raise error from None
        failed = ", ".join(type(error).__name__ for error in race.failures) or "no answer"
    raise Unavailable(f"the NameNode's web server gives no other way ({failed})", path=file.path)


@dataclass(frozen=True, slots=True)
class _Web:
    base: str
    until: float

    def read(self, file: Identity, offset: int, length: int) -> bytes:
        inode = self._inode(file)
        ask = partial(self._ask, inode, "GETFILEBLOCKLOCATIONS", offset=offset, length=length)
        pieces = []
        for block in ask()["BlockLocations"]["BlockLocation"]:
            start, end = max(offset, block["offset"]), min(offset + length, block["offset"] + block["length"])
            if start < end:
                pieces.append(self._block(inode, block["names"], start, end - start))
        data = b"".join(pieces)
        if len(data) != length:
            raise Unavailable("fewer bytes than asked for", path=file.path, expected=length, found=len(data))
        return data

    def _inode(self, file: Identity) -> str:
        """The file's path by number, which no rename touches (HDFS's /.reserved/.inodes)."""
        found = self._ask(file.path, "GETFILESTATUS")["FileStatus"]
        if (found["length"], found["modificationTime"]) != (file.size, file.modified):
            raise Missing("another file lies there now", path=file.path)
        return f"/.reserved/.inodes/{found['fileId']}"

    def _block(self, inode: str, names: list[str], offset: int, length: int) -> bytes:
        """From the first node that gives it."""
        race: Race[bytes] = Race()
        for name in names:
            others = ",".join(other for other in names if other != name)
            race.begin(partial(self._from_node, inode, offset, length, others))
        return race.first(self.until)[0]

    def _from_node(self, inode: str, offset: int, length: int, others: str) -> bytes:
        words = {"offset": offset, "length": length, "noredirect": "true"}
        given = self._ask(inode, "OPEN", **words | ({"excludedatanodes": others} if others else {}))
        with self._get(given["Location"]) as answer:
            data: bytes = answer.read(length + 1)
        if len(data) != length:
            raise ValueError("not the bytes that were asked for")
        return data

    def _ask(self, path: str, operation: str, **words: object) -> Any:
        query = urlencode({"op": operation, "user.name": site.user(), **words})
        with self._get(f"{self.base}/webhdfs/v1{quote(path)}?{query}") as answer:
            return json.load(answer)

    def _get(self, url: str) -> Any:
        return _open(url, timeout=max(0.1, self.until - time.monotonic()))


_STATE = "qry=Hadoop:service=NameNode,name=FSNamesystemState"


def capacity(url: str, seconds: float) -> tuple[int, int]:
    """Bytes free and in all, of all disks together, as a NameNode counts them; each replica takes its own."""
    webs = site.site().web(url)
    for web in webs:
        try:
            state = json.loads(_page(f"{web}/jmx?{_STATE}", seconds))["beans"][0]
            return int(state["CapacityRemaining"]), int(state["CapacityTotal"])
        except (OSError, ValueError, LookupError):
            continue
    raise Unavailable(f"no NameNode's web server answers: {', '.join(webs)}")


_BLOCKS = "qry=Hadoop:service=NameNode,name=FSNamesystem"
_RISKS = {
    "MissingBlocks": "blocks without any replica",
    "CorruptBlocks": "blocks with a corrupt replica",
    "UnderReplicatedBlocks": "blocks with too few replicas",
}


def risk(url: str, seconds: float) -> str | None:
    """What the active NameNode counts that must be 0; a standby one counts nothing."""
    webs = site.site().web(url)
    for web in webs:
        try:
            state = json.loads(_page(f"{web}/jmx?{_BLOCKS}", seconds))["beans"][0]
            if len(webs) > 1 and state["tag.HAState"] != "active":
                continue
            found = [f"{state[name]} {what}" for name, what in _RISKS.items() if int(state[name])]
        except (OSError, ValueError, LookupError):
            continue
        return ", ".join(found) or None
    raise Unavailable(f"no active NameNode's web server answers: {', '.join(webs)}")


def _page(url: str, seconds: float) -> bytes:
    """By curl where the pages want Kerberos too (SPNEGO, RFC 4559): Python's own library does not speak it."""
    try:
        with _open(url, timeout=seconds) as answer:
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.UNAUTHORIZED:
            raise
    words = ["--silent", "--fail", "--noproxy", "*", "--negotiate", "--user", ":", "--max-time", f"{seconds:.1f}"]
    try:
        return subprocess.run(["curl", *words, url], check=True, stdout=subprocess.PIPE).stdout
    except FileNotFoundError:
        raise Unavailable("the NameNode's pages want Kerberos", next_command="apt-get install curl") from None
    except subprocess.CalledProcessError as error:
        raise OSError(f"curl ended with {error.returncode}") from error
