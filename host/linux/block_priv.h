/* SPDX-License-Identifier: MIT */
/* block_priv.h - between the files of block.h. What does I/O returns 0 or an error of
 * devices/backend.h, and keeps the host's reason in errno. */
#ifndef RING1_HOST_LINUX_BLOCK_PRIV_H
#define RING1_HOST_LINUX_BLOCK_PRIV_H

#include "host/linux/block.h"

/* ---- block_format.c ---- */
#define FORMAT_PROBE 512u /* bytes of an image's beginning that say what it is */
/* "raw" when it looks like nothing else. */
const char *format_probe(const uint8_t *start, size_t len);
bool format_known(const char *name);

/* ---- block_lock.c ---- */
/* Locks the file until fd is closed. Returns 0, or -1 with *e. */
int block_lock(int fd, bool writes, const char *path, struct error *e);

/* ---- block_raw.c ---- */
int raw_open(struct block_drive *d, struct error *e);
void raw_close(struct block_raw *w);
int raw_request(struct block_raw *w, const struct block_request *r);
/* Within the medium; past its last byte there are zeroes. */
int raw_read(struct block_raw *w, uint8_t *to, size_t len, uint64_t at);

/* ---- block_file.c ---- */
/* All of the pieces, at `at` of the file; reading ends early where the file does. Returns the
 * bytes moved, or -errno. */
int64_t file_move(int fd, bool write, const struct block_piece *piece, unsigned pieces,
                  uint64_t at);
/* The error of devices/backend.h for -errno. */
int file_error(int err);

/* ---- block_overlay.c ---- */
int overlay_open(struct block_drive *d, struct error *e);
void overlay_close(struct block_overlay *o);
int overlay_request(struct block_drive *d, const struct block_request *r);

/* ---- block_nbd.c ---- */
int nbd_open(struct block_drive *d, const char *format, struct error *e);
/* The drive's thread: says goodbye to the server, which then brings all to the disk. */
void nbd_leave(struct block_nbd *n);
/* Waits for the server's end. */
void nbd_finish(struct block_nbd *n);
int nbd_request(struct block_nbd *n, const struct block_request *r);

/* ---- block_submit.c, FPU-SAFE ---- */
void block_info(void *drive, struct blockdev_info *out);
void block_submit(void *drive, struct completion_queue *q, struct block_request *r);
/* Makes the drive's thread look up. */
void block_rouse(struct block_drive *d);
/* The drive's thread: all requests that were submitted, in order; waits for some unless it is to
 * quit (NULL). */
struct block_request *block_take(struct block_drive *d);

#endif
