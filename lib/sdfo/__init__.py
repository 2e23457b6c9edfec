"""SDFO: the archive of a hospital's images. Start at `sdfo.client` to read, at `sdfo.nightly` to see a night."""

__version__ = "0.1.0"
