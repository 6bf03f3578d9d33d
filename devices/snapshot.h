/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - the bytes of a saved machine: sections with a name, a version, a length and a
 * checksum, in a fixed order, written to and read from memory.
 *
 * Promises   A writer never leaves its buffer, and a reader neither the buffer nor the section it
 *            is in. `error` keeps the first thing that went wrong; after that nothing is written,
 *            and reads give zeroes. snapshot_check() finds bytes that a disk or a line damaged.
 * Not here   What a section means. The bytes may come from an enemy, who can make checksums: who
 *            loads them checks each value that it counts on (struct state_rule).
 * Format     Little-endian, and where a chip's struct is copied, its layout on x86-64: a change of
 *            the struct needs another dev_ops.version.
 */
#ifndef RING1_DEVICES_SNAPSHOT_H
#define RING1_DEVICES_SNAPSHOT_H

#include "devices/device.h"

struct snapshot {
    uint8_t *bytes;
    size_t size;        /* writer: of the buffer; reader: of what there is to read */
    size_t at;          /* the next byte; writer: how many there are */
    size_t section;     /* where the open section's header is */
    size_t section_end; /* reader: the first byte that is not the open section's */
    const char *error;  /* NULL: all is well */
};

/* ---- writing: snapshot_begin, put, put, snapshot_end, and so on ---- */
void snapshot_begin(struct snapshot *s, const char *name, unsigned version);
void snapshot_put(struct snapshot *s, const void *from, size_t len);
void snapshot_put_int(struct snapshot *s, uint64_t val, unsigned bytes);
void snapshot_end(struct snapshot *s);

/* ---- reading, in the same order ---- */
/* Walks all sections. False, with an error, if one is cut off or its bytes are not those that were
 * written. Takes nothing: the next section is still the first. */
bool snapshot_check(struct snapshot *s);
/* Opens the next section. False, with an error, when it has not this name and version. */
bool snapshot_open(struct snapshot *s, const char *name, unsigned version);
bool snapshot_get(struct snapshot *s, void *to, size_t len);
uint64_t snapshot_get_int(struct snapshot *s, unsigned bytes);
/* Closes the section. False, with an error, when not all of it was read. */
bool snapshot_close(struct snapshot *s);
/* Sets the error, unless there is one, and returns false: what was read is not a state that the
 * machine can be in. */
bool snapshot_refuse(struct snapshot *s, const char *why);

/* Writes a chip as a section of its name: its struct up to ops->state_size. */
void snapshot_put_device(struct snapshot *s, const struct dev_ops *ops, const void *dev);
/* Reads such a section into *dev, whose wires stay, if it keeps ops->rules. The caller then calls
 * ops->loaded(). */
bool snapshot_get_device(struct snapshot *s, const struct dev_ops *ops, void *dev);

#endif
