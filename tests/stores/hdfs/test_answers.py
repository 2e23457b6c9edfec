"""What hdfs-native 0.14.7 raises, as it was seen on a cluster, and what the store makes of it."""

from __future__ import annotations

import pytest
from hdfs_native import Client

from sdfo.errors import Exists, Full, Missing, Postponed, StoreError, Unavailable
from sdfo.stores.hdfs.answers import first_line, translated
from sdfo.stores.hdfs.calls import Late

_STACK = "\\n\\tat org.apache.hadoop.hdfs.server.namenode.FSNamesystem.x(FSNamesystem.java:1)"
_NO_ROOM = "File /a could only be written to 0 of the 1 minReplication nodes. There are 3 datanode(s) running"
_NO_NODE = _NO_ROOM.replace("3 data", "0 data") + " and 0 node(s) are excluded"
_NAMENODE = "org.apache.hadoop.hdfs.server.namenode"


def _rpc(kind: str, said: str) -> RuntimeError:
    return RuntimeError(f'RPCError("{kind}", "{said}{_STACK}")')


def _fatal(kind: str, said: str) -> RuntimeError:
    return RuntimeError(f'FatalRPCError("{kind}", "{said}")')


_NO_TICKET = (
    'GSSAPIError(GssMajorCodes { raw: "0x00070000", calling_error: "none", routine_error: "GSS_S_NO_CRED" }, '
    '2529639053, "No credentials were supplied: none available")'
)
_INVALID_TOKEN = "org.apache.hadoop.security.token.SecretManager$InvalidToken"


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (FileExistsError("/a for client 127.0.0.1 already exists\n\tat org.apache"), Exists, "already there"),
        (FileNotFoundError("File does not exist: /a\n\tat org.apache"), Missing, "not there"),
        (IsADirectoryError("/a"), Missing, "not there"),
        (_rpc(f"{_NAMENODE}.SafeModeException", "Cannot create file/a. Name node is in safe mode."), Postponed, "safe"),
        (_rpc("org.apache.hadoop.ipc.RetriableException", "NameNode in safe mode"), Postponed, "safe mode"),
        (_rpc("org.apache.hadoop.fs.ParentNotDirectoryException", "/a (is not a directory)"), Missing, "is a file"),
        (_rpc("org.apache.hadoop.security.AccessControlException", "/a (is not a directory)"), Missing, "is a file"),
        (_rpc("org.apache.hadoop.security.AccessControlException", "Permission denied: user=x"), StoreError, "denied"),
        (_rpc("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "quota"), Full, "quota of bytes"),
        (_rpc(f"{_NAMENODE}.LeaseExpiredException", "File is not open for writing"), Unavailable, "not open"),
        (
            _rpc("java.io.IOException", f"{_NO_ROOM} and 3 node(s) are excluded in this operation."),
            Full,
            "store is full",
        ),
        (_rpc("java.io.IOException", f"{_NO_ROOM} and 2 node(s) are excluded"), Unavailable, "written to 0"),
        (_rpc("java.io.IOException", f"{_NO_ROOM} and 33 node(s) are excluded"), Unavailable, "written to 0"),
        (_rpc("java.io.IOException", f"{_NO_ROOM} and no node(s) are excluded"), Unavailable, "written to 0"),
        (_rpc("java.io.IOException", _NO_NODE), Unavailable, "0 datanode(s) running"),
        (OSError("Connection refused (os error 111)"), Unavailable, "refused"),
        (RuntimeError('DataTransferError("All DataNodes failed: []")'), Unavailable, "no DataNode gives"),
        (RuntimeError('OperationFailed("Failed to complete file in time")'), Unavailable, "in time"),
        (RuntimeError('InvalidArgument("No NameNode hosts found")'), StoreError, "HADOOP_CONF_DIR"),
        (RuntimeError("NoSASLMechanism"), StoreError, "Kerberos: NoSASLMechanism; next: kinit"),
        (RuntimeError(_NO_TICKET), StoreError, "Kerberos: No credentials were supplied: none available; next: kinit"),
        (
            _fatal("javax.security.sasl.SaslException", "GSS initiate failed"),
            StoreError,
            "GSS initiate failed; next: kinit",
        ),
        (_fatal(_INVALID_TOKEN, "token (for x) can't be found in cache"), StoreError, "token is not valid"),
        (Late(), Unavailable, "no answer within 20 s"),
        (RuntimeError(), Unavailable, "RuntimeError"),
    ],
)
def test_each_error_has_its_name(raised: Exception, kind: type[Exception], said: str) -> None:
    """The class, a line that says what happened, and the store's path; never a Java stack."""
    error = translated(raised, "path", late=20)
    assert type(error) is kind
    assert error.path == "path"
    assert said in str(error)
    assert "\n" not in str(error)
    assert "FSNamesystem" not in str(error)


def test_in_a_container_a_token_is_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to type kinit."""
    monkeypatch.setenv("HADOOP_TOKEN_FILE_LOCATION", "/container/tokens")
    error = translated(RuntimeError(_NO_TICKET), "path")
    assert "no token in HADOOP_TOKEN_FILE_LOCATION is for this address" in str(error)
    assert error.next_command is None


def test_errors_of_ours_stay_as_they_are() -> None:
    ours = Missing("gone", path="other")
    assert translated(ours, "path") is ours


def test_a_name_service_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that the client really gives today."""
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("HADOOP_HOME", raising=False)
    with pytest.raises(RuntimeError) as raised:
        Client("hdfs://nowhere")
    assert "HADOOP_CONF_DIR" in str(translated(raised.value, "path"))
    assert first_line(raised.value) == 'InvalidArgument("No NameNode hosts found")'
