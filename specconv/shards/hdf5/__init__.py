"""Shards as HDF5 files: reader and writer."""
