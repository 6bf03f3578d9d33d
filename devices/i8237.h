/* SPDX-License-Identifier: MIT */
/*
 * i8237.h - the two DMA controllers and their page registers.
 *
 * Promises   Address, count, mode, mask, status and flip-flop behave as the data sheet says. A chip
 *            on an ISA channel moves its bytes by i8237_transfer(), all at once: single, demand and
 *            block mode are the same. An address wraps within the 64 KiB (128 KiB on channels 5 to
 *            7) that its page register names. Port 0x80 keeps the last POST code.
 * Windows    0x00-0x0f -> offset 0; 0xc0-0xdf -> offset 0x100 (word-spaced); 0x80-0x8f -> offset
 *            0x200.
 * Not here   Memory to memory (a PC has no use for it), requests by software, the order of
 *            priorities.
 * Source     Intel 8237A data sheet 231466; 82371SB (PIIX3) data sheet, section 2.5.1.
 */
#ifndef RING1_DEVICES_I8237_H
#define RING1_DEVICES_I8237_H

#include "devices/device.h"
#include "devices/dma.h"

struct i8237_chip {
    uint16_t base_addr[4], base_count[4], addr[4], count[4];
    uint8_t mode[4];
    uint8_t command, status, request, mask, temp;
    bool flipflop;
};

struct i8237 {
    struct i8237_chip chip[2];
    uint8_t page[16]; /* page[0] is port 0x80 */
    char wires_begin[1];
    struct dma dma;
};

extern const struct dev_ops i8237_ops;

void i8237_init(struct i8237 *d, const struct dma *dma);

/* The chip on channel 0-3 or 5-7 calls it to raise its request line. Moves up to `len` bytes from
 * bytes[] into guest memory, or from there into bytes[], as the channel's mode says. Channels
 * 5-7 move words: an odd byte is left. Returns how many bytes it moved: fewer where the count ran
 * out, 0 where the guest masked the channel or switched its controller off. *end says whether the
 * count ran out (TC). */
uint32_t i8237_transfer(struct i8237 *d, unsigned channel, uint8_t *bytes, uint32_t len, bool *end);

#endif
