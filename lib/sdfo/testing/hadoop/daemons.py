"""One daemon, or one command: a `java` process with the cluster's configuration."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

_HDFS, _YARN = "org.apache.hadoop.hdfs", "org.apache.hadoop.yarn"
CLASSES = {
    "namenode": f"{_HDFS}.server.namenode.NameNode",
    "datanode": f"{_HDFS}.server.datanode.DataNode",
    "journalnode": f"{_HDFS}.qjournal.server.JournalNode",
    "resourcemanager": f"{_YARN}.server.resourcemanager.ResourceManager",
    "nodemanager": f"{_YARN}.server.nodemanager.NodeManager",
    "fs": "org.apache.hadoop.fs.FsShell",
    "fsck": f"{_HDFS}.tools.DFSck",
    "dfsadmin": f"{_HDFS}.tools.DFSAdmin",
    "haadmin": f"{_HDFS}.tools.DFSHAAdmin",
    "jar": "org.apache.hadoop.util.RunJar",
    "job": "org.apache.hadoop.mapred.JobClient",
    "application": f"{_YARN}.client.cli.ApplicationCLI",
    "logs": f"{_YARN}.client.cli.LogsCLI",
    "version": "org.apache.hadoop.util.VersionInfo",
}
"""What comes after `hadoop`, `hdfs` or `yarn` on a command line → the class that does it."""
HEAP_MIB = {"namenode": 128, "datanode": 96, "journalnode": 64, "resourcemanager": 160, "nodemanager": 128}
_JVM = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xss512k",
    "-Djava.net.preferIPv4Stack=true",
)
_NAME = b"-Dsdfo.daemon="
INSTALL = "apt-get install openjdk-17-jre-headless"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a cluster lies: `folder` with conf/, classes/ and logs/, and the jars. `options` and `variables`: of every JVM."""

    folder: Path
    jars: Path
    options: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    def environ(self) -> dict[str, str]:
        """For a daemon or a command. The superuser is whoever starts the NameNode, whatever HADOOP_USER_NAME says."""
        own = {name: value for name, value in os.environ.items() if name != "HADOOP_USER_NAME"}
        return {**own, "HADOOP_CONF_DIR": str(self.conf), "MALLOC_ARENA_MAX": "2", **dict(self.variables)}

    def with_kerberos(self, settings: Path, cache: Path) -> Home:
        """`settings`: a krb5.conf; `cache`: where commands find a ticket."""
        return replace(
            self, options=(f"-Djava.security.krb5.conf={settings}",), variables=(("KRB5CCNAME", str(cache)),)
        )

    def processes(self) -> dict[str, int]:
        """The daemons of this cluster that live, whoever started them: name → process id."""
        found, mark = dict[str, int](), f"-Dhadoop.home.dir={self.folder}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it ended meanwhile
            if mark in command:
                names = (word.removeprefix(_NAME) for word in command if word.startswith(_NAME))
                found |= {name.decode(): int(entry.name) for name in names}
        return found

    def java(self, word: str, *arguments: str) -> list[str]:
        """The command line for `hadoop WORD ARGUMENTS…`; a word that is none is taken for a class."""
        path = ":".join((str(self.conf), str(self.folder / "classes"), f"{self.jars}/*"))
        lead = ("application",) if word == "application" else ()  # this class wants its own name once more
        heap = f"-Xmx{HEAP_MIB.get(word, 256)}m"
        home = f"-Dhadoop.home.dir={self.folder}"
        return [_java(), heap, *_JVM, *self.options, home, "-cp", path, CLASSES.get(word, word), *lead, *arguments]

    def write_commands(self) -> None:
        """`bin/hadoop WORD ARGUMENTS…`, as whoever has Hadoop has it; `hdfs` and `yarn` are the same. And the streaming jar."""
        command = shlex.join(self.java("@CLASS")).replace("@CLASS", '"$class" "$@"')
        lead = {"application": ' set -- application "$@" ;'}  # as in `java`
        cases = "".join(f"    {word}) class={name} ;{lead.get(word, '')};\n" for word, name in CLASSES.items())
        script = f"#!/bin/sh\nword=$1\nshift\ncase $word in\n{cases}    *) class=$word ;;\nesac\nexec {command}\n"
        (self.folder / "bin").mkdir(exist_ok=True)
        for name in ("hadoop", "hdfs", "yarn"):
            file = self.folder / "bin" / name
            file.write_text(script)
            file.chmod(0o755)
        (streaming,) = self.jars.glob("hadoop-streaming-*.jar")
        link = self.folder / streaming.name
        link.unlink(missing_ok=True)
        link.symlink_to(streaming)

    def run(self, word: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of Hadoop, to its end: about a second, and a JVM."""
        return subprocess.run(self.java(word, *arguments), env=self.environ(), capture_output=True, text=True)


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if found is None or not os.access(found, os.X_OK):
        raise FileNotFoundError(f"there is no Java here: {INSTALL}")
    return found


@dataclass
class Daemon:
    """`bound`: it dies with the thread that started it, also when that is killed (PR_SET_PDEATHSIG)."""

    home: Home
    name: str
    word: str
    arguments: Sequence[str] = ()
    bound: bool = True
    pid: int = 0
    started: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.home.folder / "logs" / f"{self.name}.log"

    def start(self) -> None:
        command = self.home.java(self.word, *self.arguments)
        command.insert(1, f"{_NAME.decode()}{self.name}")
        if self.bound:
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self.home.environ(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid, self.started = self._process.pid, time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether the process is there, and is this daemon: a number is given again to another process."""
        if self._process is not None:
            return self._process.poll() is None
        return self.home.processes().get(self.name) == self.pid

    def signal(self, number: int) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def hang(self) -> None:
        """SIGSTOP, and wait until no thread runs any more. Its connections stay open, and new ones are taken by the kernel."""
        self.signal(signal.SIGSTOP)
        while any(_state(task) not in "TtZX" for task in Path(f"/proc/{self.pid}/task").glob("*")):
            time.sleep(0.005)

    @property
    def hangs(self) -> bool:
        return _state(Path(f"/proc/{self.pid}")) in "Tt"

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`."""
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


def _state(task: Path) -> str:
    """One letter (proc_pid_stat(5)); X if it is gone."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
