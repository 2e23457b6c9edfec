"""A real Hadoop on this machine: NameNode, DataNodes, ResourceManager and NodeManager as processes on 127.0.0.1.

For development (`make hadoop-up`) and tests (the fixture `hadoop`). Nothing else of sdfo knows of it: whoever has a cluster
names its HADOOP_CONF_DIR instead.
"""
