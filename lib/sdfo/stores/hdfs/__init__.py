"""A store on HDFS, through hdfs-native: Hadoop's client protocols in Rust, without a JVM.

What that client does not promise is made good here, each in a module of its own: a call may hang for minutes (`calls`), a
client must not cross a fork (`clients`), errors come as text (`answers`), a node that hangs is waited for (`around`).

Where the cluster is, name services and Kerberos are Hadoop's own settings, from the folder in HADOOP_CONF_DIR. Without
Kerberos the cluster believes any name: the one in HADOOP_USER_NAME, else that of the process's user (USER and LOGNAME count
for nothing), and it must be the same wherever sdfo runs, for files are readable by their owner and its group alone.
"""

from __future__ import annotations

from sdfo.stores.hdfs.store import HdfsStore

__all__ = ["HdfsStore"]
