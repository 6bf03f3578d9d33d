/* SPDX-License-Identifier: MIT */
/*
 * ns16550.h - the PC16550D UART.
 *
 * Promises   Sending takes no guest time. Bytes of one burst are collected and handed on at a
 *            newline, when the buffer is full, or 0.5 ms after the first one. Receiving never
 *            overruns if the host asks ns16550_room().
 * Windows    8 ports -> offset 0.
 * Not here   DMA mode signals, parity and framing errors (nothing on this line makes them).
 * Source     National Semiconductor PC16550D data sheet (TL/C/8652), section 8.
 */
#ifndef RING1_DEVICES_NS16550_H
#define RING1_DEVICES_NS16550_H

#include "devices/backend.h"
#include "devices/device.h"

struct ns16550 {
    uint8_t ier, lcr, mcr, msr, scr, fcr;
    uint8_t lsr; /* error bits only (OE PE FE BI of the byte on top is in rx_err) */
    uint16_t divisor;
    bool thre_pending; /* THR-empty interrupt not yet seen */
    bool timeout;      /* character timeout interrupt */
    ns_t timeout_at;
    uint8_t rx[16], rx_err[16];
    uint8_t rx_head, rx_count;
    uint8_t lines; /* modem inputs as they are at the connector: MSR bits 7-4 */
    uint8_t tx[64];
    uint8_t tx_count;
    ns_t flush_at;
    bool irq_level;
    uint64_t tx_bytes, rx_bytes, overruns;
    uint8_t wires_begin;
    struct chardev chr;
    struct wire irq, kick;
};

extern const struct dev_ops ns16550_ops;

void ns16550_init(struct ns16550 *u, struct chardev chr, struct wire irq, struct wire kick);
/* How many bytes the receiver takes without an overrun. */
unsigned ns16550_room(const struct ns16550 *u);
/* May input raise the interrupt, as the chip is programmed now? */
bool ns16550_listens(const struct ns16550 *u);
void ns16550_receive(struct ns16550 *u, const uint8_t *bytes, unsigned len, ns_t now);
void ns16550_break(struct ns16550 *u, ns_t now);
/* Hands collected bytes to the chardev; call before the process or the guest ends. */
void ns16550_flush(struct ns16550 *u);

#endif
