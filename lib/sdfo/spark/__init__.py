"""Spark: the engine that runs a night's Map and Reduce. The only package here that imports pyspark."""
