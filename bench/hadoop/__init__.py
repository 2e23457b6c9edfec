"""On a real Hadoop: NameNode and three DataNodes as processes on 127.0.0.1, started for the bench and gone after it.

What is compared with sdfo uses the same cluster, the same number of replicas and the same size of a block.
"""
