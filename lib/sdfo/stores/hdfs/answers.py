"""The client's errors as ours. It tells most of them as text: the Java class of the NameNode's exception, and its message."""

from __future__ import annotations

import os
import re

from sdfo.errors import Exists, Full, Missing, Postponed, SdfoError, StoreError, Unavailable
from sdfo.stores.hdfs.calls import Late

_RPC = re.compile(r'\w*RPCError\("[\w.$]*?(\w+)", "(.*)', re.DOTALL)
_IS_A_FILE = "(is not a directory)"
_SAFE_MODE = re.compile(r"safe ?mode", re.IGNORECASE)
_DENIED = ("AccessControlException", "AuthorizationException")
_QUOTA = {
    "NSQuotaExceededException": "the quota of names is used up",
    "DSQuotaExceededException": "the quota of bytes is used up",
    "QuotaByStorageTypeExceededException": "the quota of bytes is used up",
}
_NO_ROOM = re.compile(
    r"could only be written to 0 of .* There are ([1-9]\d*) datanode\(s\) running and \1 node\(s\) are excluded"
)
"""The NameNode looked at every living DataNode for a block and took none (BlockManager.chooseTarget4NewBlock). hdfs-native
excludes none of its own accord, so it is for want of room."""
_NO_REPLICA = "All DataNodes failed"
_KERBEROS = ("GSSAPIError", "NoSASLMechanism", "SASLError")
_KERBEROS_OF_THE_SERVER = ("SaslException", "GSSException")
_MESSAGE = re.compile(r'"([^"]*)"\)$')
TOKENS = "HADOOP_TOKEN_FILE_LOCATION"
"""The variable by which YARN tells a container where its tokens are."""


def translated(error: BaseException, path: str, *, late: float = 0.0) -> SdfoError:
    """What to raise from `error`. `late`: the deadline that a `Late` missed."""
    text = first_line(error)
    kind, said = _rpc(str(error))
    match error:
        case SdfoError():
            return error
        case Late():
            return Unavailable(f"no answer within {late:g} s", path=path)
        case FileExistsError():
            return Exists("already there", path=path)
        case FileNotFoundError() | IsADirectoryError():
            return Missing("not there", path=path)
    if kind == "SafeModeException" or (kind and _SAFE_MODE.search(said)):
        return Postponed(
            "the NameNode is in safe mode: it takes no change", path=path, next_command="hdfs dfsadmin -safemode get"
        )
    if kind and _IS_A_FILE in said:
        return Missing("not there: a part of the path is a file", path=path)
    if kind == "InvalidToken":
        return StoreError("the delegation token is not valid, or no longer", path=path)
    if kind in _DENIED:
        return StoreError("permission denied", path=path)
    if kind in _QUOTA:
        return Full(
            f"the store is full: {_QUOTA[kind]}",
            path=path,
            next_command="hdfs dfs -count -q -h on the folder of hdfs.root",
        )
    if _NO_ROOM.search(said):
        what = "the store is full: no DataNode has room for one more block"
        return Full(what, path=path, next_command="hdfs dfsadmin -report; make room, or sdfo gc")
    if text.startswith(_KERBEROS) or kind in _KERBEROS_OF_THE_SERVER:
        return _without_ticket(text, path)
    if text.startswith("InvalidArgument"):
        return StoreError(f"HADOOP_CONF_DIR does not fit the URL: {text}", path=path)
    if _NO_REPLICA in text:
        what = "no DataNode gives the bytes whole: none with a replica answers, or all replicas are damaged"
        return Unavailable(what, path=path, next_command="hdfs fsck on the folder of hdfs.root")
    return Unavailable(text or type(error).__name__, path=path)


def _without_ticket(text: str, path: str) -> StoreError:
    """By hdfs-native a token counts only for the very address that it was given for; by name services it always does."""
    found = _MESSAGE.search(text)
    why = f"Kerberos: {found[1] if found else text}"
    if os.environ.get(TOKENS):
        return StoreError(f"{why}; and no token in {TOKENS} is for this address of the NameNode", path=path)
    return StoreError(why, path=path, next_command="kinit")


def onto_folder(error: BaseException) -> bool:
    """Whether a rename was refused because the target is a folder."""
    return "must both be directories" in str(error)


def first_line(error: BaseException) -> str:
    """Without the Java stack that follows it."""
    kind, said = _rpc(str(error))
    return f"{kind}: {said}" if kind else str(error).partition("\n")[0]


def _rpc(text: str) -> tuple[str, str]:
    """The simple name of the NameNode's exception and its first line; empty if this is none."""
    found = _RPC.match(text)
    if found is None:
        return "", ""
    return found[1], found[2].partition("\\n")[0].removesuffix('")')
