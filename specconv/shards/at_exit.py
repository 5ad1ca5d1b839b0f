"""Closing, before Python ends, the files that HDF5 reads and writes through Python.

libhdf5 closes what is open when the process ends. By then Python is gone, and asking a file of Python to close is a
segmentation fault: a worker of a DataLoader, whose files are never closed, would end in one.
"""

from __future__ import annotations

import atexit
import contextlib

import h5py


def _close_files() -> None:
    # A dataset alone keeps its file open.
    kinds = h5py.h5f.OBJ_FILE | h5py.h5f.OBJ_GROUP | h5py.h5f.OBJ_DATASET | h5py.h5f.OBJ_ATTR
    for item in h5py.h5f.get_obj_ids(types=kinds):
        with contextlib.suppress(Exception):
            file = h5py.h5i.get_file_id(item)
            if file.get_access_plist().get_driver() == h5py.h5fd.fileobj_driver:
                h5py.File(file).close()


atexit.register(_close_files)
