/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what a device is connected to outside of the machine: characters, blocks, frames, a
 * screen, keys.
 *
 * Who        A device has a front: it calls the functions of the struct that its board gave it, and
 *            offers those of the *_sink that its board gives to the host. A back end (host/, or a
 *            test's) is the other side. Zeroed structs are back ends that are not there, and
 *            devices take them: bytes and frames vanish, there is no medium, nobody looks.
 * Thread     Every function here is called on the vCPU's thread, between two instructions or within
 *            one, and never blocks: what takes time ends by a completion (completion.h). FPU-SAFE
 *            (include/ring1/host.h), as host functions are.
 * Time       What comes in carries `now`, the guest time at which it enters. What goes out carries
 *            none: a device reads no clock. So a run is determined by the calls that go inwards,
 *            each with its time.
 * Ownership  The caller owns the bytes it passes and may reuse them when the function returns,
 *            except those of a struct block_request.
 * Errors     Negative numbers, enum backend_error, say what went wrong outside. A device answers
 *            its guest as the chip would; nothing is reported twice, nothing ends the machine.
 * Not here   Where the bytes come from: files, sockets, terminals (host/); image formats.
 */
#ifndef RING1_DEVICES_BACKEND_H
#define RING1_DEVICES_BACKEND_H

#include "devices/completion.h"

enum backend_error {
    BACKEND_OK = 0,
    BACKEND_IO = -1,        /* the host failed to do it: a medium error to the guest */
    BACKEND_READ_ONLY = -2, /* a write or discard to what cannot be written */
    BACKEND_NO_MEDIUM = -3, /* the drive is empty, or was emptied meanwhile */
    BACKEND_RANGE = -4,     /* not whole sectors within the medium: nothing was done */
    BACKEND_NO_SPACE = -5,  /* the host has no room to write to */
};

/* ---- characters ---- */

/* The byte side of a serial device: where it sends. */
struct chardev {
    void *opaque;
    /* Takes all `len` bytes, in order. The host keeps or drops what it cannot pass on at once: the
     * guest does not wait for it. */
    void (*send)(void *opaque, const uint8_t *bytes, size_t len);
};

/* Where the host's bytes enter. */
struct chardev_sink {
    void *opaque;
    /* How many bytes the device takes now without an overrun. */
    unsigned (*room)(void *opaque);
    /* Takes `len` bytes from outside. More than room() are an overrun, as on a line. */
    void (*receive)(void *opaque, const uint8_t *bytes, unsigned len, ns_t now);
    /* The line was held low; NULL: the device knows no break. */
    void (*line_break)(void *opaque, ns_t now);
};

/* ---- blocks ---- */

#define BLOCK_SECTOR 512u /* offsets and lengths are multiples of it */

struct blockdev_info {
    uint64_t size; /* bytes, a multiple of a sector; 0: no medium */
    /* Bytes that the medium writes as one: a power of two, at least BLOCK_SECTOR. */
    uint32_t sector;
    bool read_only;
    bool removable;   /* may change: struct blockdev_sink */
    bool can_discard; /* BLOCK_DISCARD gives room back; else it is done and does nothing */
};

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD };

#define BLOCK_PIECES 16u

/* The back end owns a request from submit() until its completion: until then nobody else touches it
 * or its bytes. */
struct block_request {
    struct completion completion; /* done, opaque: set by the device */
    enum block_op op;
    uint64_t offset; /* bytes from the medium's start; FLUSH: 0 */
    uint64_t len;    /* bytes in all; FLUSH: 0. READ, WRITE: the sum of the pieces */
    unsigned pieces; /* READ, WRITE */
    struct block_piece {
        uint8_t *bytes;
        uint32_t len;
    } piece[BLOCK_PIECES];
    struct block_request *link; /* the back end's, while it has the request */
};

struct blockdev {
    void *opaque;
    /* Fills in *out with what the drive holds now, which changes only by calls of struct
     * blockdev_sink. NULL: there is never a medium. */
    void (*info)(void *opaque, struct blockdev_info *out);
    /* Takes over request r, which the caller has begun (completion_begin(); blockdev_submit() does
     * both). Its result, 0 or any error, comes by the completion, never before submit() returns.
     * Requests that
     * overlap in place and time are done in any order. A FLUSH ends when all writes that had ended
     * before it was submitted are on stable storage. A READ that fails may have written to its
     * bytes. */
    void (*submit)(void *opaque, struct completion_queue *q, struct block_request *r);
    /* The guest opens or closes a removable drive's tray, or locks it against the user. NULL: the
     * drive has none. */
    void (*eject)(void *opaque, bool open);
    void (*lock)(void *opaque, bool locked);
};

struct blockdev_sink {
    void *opaque;
    /* The user took the medium out, or put one in (info() knows it). Requests for the old one end
     * with BACKEND_NO_MEDIUM. */
    void (*medium_changed)(void *opaque, ns_t now);
    /* The user wants the medium back and the guest has locked the drive. */
    void (*eject_wanted)(void *opaque, ns_t now);
};

/* Fills in *out; a struct of zeroes has no medium. */
static inline void blockdev_info(const struct blockdev *b, struct blockdev_info *out)
{
    *out = (struct blockdev_info){.sector = BLOCK_SECTOR};
    if (b->info)
        b->info(b->opaque, out);
}

/* Can r be done on this medium? Returns 0, or the error that the completion shall bring. For back
 * ends. */
int blockdev_check(const struct blockdev_info *i, const struct block_request *r);
/* Begins and submits *r. A struct of zeroes answers BACKEND_NO_MEDIUM. */
void blockdev_submit(const struct blockdev *b, struct completion_queue *q, struct block_request *r);

/* ---- network ---- */

#define NET_FRAME_MAX 65550u /* with what large-send makes: 64 KiB and the headers */

struct netdev {
    void *opaque;
    /* Takes one Ethernet frame without its check sequence, of 14 to NET_FRAME_MAX bytes. It may be
     * lost, as on a wire. */
    void (*send)(void *opaque, const uint8_t *frame, size_t len);
    /* The device can take frames again after ready() was false. */
    void (*ready_again)(void *opaque);
};

struct netdev_sink {
    void *opaque;
    /* Would receive() keep a frame of this length? The host holds it back until ready_again(). */
    bool (*ready)(void *opaque, size_t len);
    /* A frame from the wire; one that the device does not want or has no room for is dropped. */
    void (*receive)(void *opaque, const uint8_t *frame, size_t len, ns_t now);
    /* The cable was plugged in or pulled. */
    void (*link)(void *opaque, bool up, ns_t now);
};

/* ---- display ---- */

enum pixel_format {
    PIXEL_XRGB8888, /* a little-endian 32-bit number: blue is the lowest byte */
    PIXEL_RGB888,   /* bytes blue, green, red */
    PIXEL_RGB565,
    PIXEL_XRGB1555,
};

struct display_rect {
    uint32_t x, y, width, height; /* pixels, or cells in text mode */
};

/* A picture in the device's memory: valid until the device calls mode() again or the machine ends.
 * The guest may write to it at any time; a picture that is half the old one is what a monitor would
 * show, too. */
struct display_surface {
    const uint8_t *pixels;
    uint32_t width, height; /* pixels, at most DISPLAY_SIDE_MAX each; 0: no picture */
    uint32_t stride;        /* bytes from a line to the next */
    enum pixel_format format;
};
#define DISPLAY_SIDE_MAX 4096u

struct text_cell {
    uint16_t glyph;     /* code point of code page 437; from 256 on, of the second font */
    uint8_t foreground; /* 0-15, as palette[] shows them */
    uint8_t background;
    bool blinks, underlined;
};

/* Text mode: cells in rows. cursor_x >= columns: no cursor. */
struct display_text {
    const struct text_cell *cell; /* rows * columns; valid as pixels of a surface are */
    uint32_t columns, rows;
    uint32_t cursor_x, cursor_y;
    uint8_t cursor_first, cursor_last; /* lines of the cell, below cell_height */
    uint8_t cell_width, cell_height;   /* pixels */
    uint32_t palette[16];              /* 0xrrggbb */
};

/* What the device shows. It calls these functions only while the host asks (struct display_source,
 * refresh()). */
struct display {
    void *opaque;
    /* Another picture begins, all of it dirty: *s or *t, the other is NULL. Both NULL: the screen
     * is off. */
    void (*mode)(void *opaque, const struct display_surface *s, const struct display_text *t);
    /* *r, which lies in the picture, has changed; called once for each such rectangle. */
    void (*dirty)(void *opaque, const struct display_rect *r);
    /* The text cursor moved, or its shape changed. NULL: nobody cares. */
    void (*cursor)(void *opaque, const struct display_text *t);
};

struct display_source {
    void *opaque;
    /* The host shows a picture now, some 30 times a second while somebody looks: call mode(),
     * dirty(), cursor() for what changed since the last time. `all`: somebody new looks, call
     * mode() whatever was told. Costs in proportion to what changed. */
    void (*refresh)(void *opaque, bool all, ns_t now);
};

/* ---- input ---- */

enum input_kind {
    INPUT_KEY,    /* code, down */
    INPUT_BUTTON, /* code: enum input_button, down */
    /* x, y: mickeys to the right and down; z: wheel clicks towards the user; w: to the right */
    INPUT_RELATIVE,
    /* x, y: 0 to INPUT_ABSOLUTE_MAX from the picture's left and upper border; z, w as above */
    INPUT_ABSOLUTE,
};
enum input_button { INPUT_LEFT, INPUT_RIGHT, INPUT_MIDDLE, INPUT_SIDE, INPUT_EXTRA };
#define INPUT_ABSOLUTE_MAX 32767

/* A key is its make code of scan code set 1, with 0x80 for the prefix 0xe0: 0x1c Enter, 0x9c Enter
 * of the number pad. Two keys have no such code and get these: */
#define INPUT_KEY_PAUSE 0xc6u
#define INPUT_KEY_PRINT 0xb7u

struct input_event {
    enum input_kind kind;
    uint16_t code;
    bool down; /* a key that is held down comes again with down */
    int32_t x, y, z, w;
};

/* A keyboard or a pointer takes what it knows and ignores the rest. */
struct input_sink {
    void *opaque;
    /* How many events it takes now; more are lost, as keys are when the buffer is full. NULL: any
     * number. */
    unsigned (*room)(void *opaque);
    void (*event)(void *opaque, const struct input_event *e, ns_t now);
};

/* ---- what a board offers to the host ---- */

/* LEDs of the keyboard: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
struct input_leds {
    void *opaque;
    void (*set)(void *opaque, unsigned leds);
};

#endif
