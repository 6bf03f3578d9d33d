/* SPDX-License-Identifier: MIT */
/*
 * i8237.h - the two DMA controllers and their page registers, as a register file.
 *
 * Promises   Address, count, mode, mask, status and flip-flop behave as the data sheet says for a
 *            machine in which no device requests DMA. Port 0x80 keeps the last POST code.
 * Windows    0x00-0x0f -> offset 0; 0xc0-0xdf -> offset 0x100 (word-spaced); 0x80-0x8f -> offset
 *            0x200.
 * Not here   Transfers.
 * Source     Intel 8237A data sheet 231466; 82371SB (PIIX3) data sheet, section 2.5.1.
 */
#ifndef RING1_DEVICES_I8237_H
#define RING1_DEVICES_I8237_H

#include "devices/device.h"

struct i8237_chip {
    uint16_t base_addr[4], base_count[4], addr[4], count[4];
    uint8_t mode[4];
    uint8_t command, status, request, mask, temp;
    bool flipflop;
};

struct i8237 {
    struct i8237_chip chip[2];
    uint8_t page[16]; /* page[0] is port 0x80 */
};

extern const struct dev_ops i8237_ops;

void i8237_init(struct i8237 *dma);

#endif
