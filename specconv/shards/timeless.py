"""Files and groups of HDF5 that do not store when they were made, whatever h5py's default: equal input, equal bytes."""

from __future__ import annotations

import h5py
from h5py import h5f, h5fd, h5g, h5p

from specconv.shards.sink import Sink


def create_file(sink: Sink) -> h5py.File:
    """A new file in the format of HDF5 1.10, written through ``sink``."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    elements, slots, _, preemption = access.get_cache()
    # Every chunk is written whole and once: a chunk cache would only copy it.
    access.set_cache(elements, slots, 0, preemption)
    access.set_fileobj_driver(h5fd.fileobj_driver, sink)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    return h5py.File(h5f.create(repr(sink).encode(), h5f.ACC_TRUNC, creation, access))


def create_group(parent: h5py.Group, name: str) -> h5py.Group:
    creation = h5p.create(h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    return h5py.Group(h5g.create(parent.id, name.encode(), None, creation))
