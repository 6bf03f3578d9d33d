/* SPDX-License-Identifier: MIT */
/*
 * i8042.h - the keyboard controller, with a keyboard and a PS/2 mouse connected to it.
 *
 * Promises   Answers of the controller are there at once; bytes of keyboard and mouse follow one
 *            another 0.4 ms apart.
 * Windows    0x60 -> offset 0, 0x64 -> offset 4 (so 0x60 with dev_base 0 and 0x64 with dev_base 4).
 * Not here   Mouse movement; scan code sets 1 and 3 (the commands are answered, keys come as set 2,
 *            translated to set 1 when the command byte says so).
 * Source     IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 *            Controller".
 */
#ifndef RING1_DEVICES_I8042_H
#define RING1_DEVICES_I8042_H

#include "devices/device.h"

#define I8042_QUEUE 32

struct i8042_queue {
    uint8_t byte[I8042_QUEUE];
    uint8_t head, count;
};

struct i8042 {
    uint8_t output_port;
    uint8_t ram[32];       /* controller RAM; byte 0 is the command byte */
    bool last_was_command; /* A2 in the status register */
    uint8_t pending;       /* controller command that waits for its data byte; 0: none */
    uint8_t obf_data;
    bool obf, obf_aux;
    bool irq1_level, irq12_level;
    ns_t next_byte_at;
    struct i8042_queue reply, kbd, aux; /* reply: from the controller itself */
    bool reply_aux[I8042_QUEUE];
    uint8_t kbd_command, kbd_set, kbd_leds, kbd_rate;
    bool kbd_enabled, kbd_break; /* kbd_break: an 0xf0 prefix is being translated */
    uint8_t kbd_last;
    uint8_t aux_command, aux_rate, aux_resolution, aux_last;
    bool aux_enabled, aux_remote, aux_scale21, aux_wrap;
    uint64_t keys_dropped;
    uint8_t wires_begin;
    struct wire irq1, irq12;
    struct wire a20;   /* level the output port asks for, on each write */
    struct wire reset; /* pulsed: reset the machine */
    struct wire kick;
};

extern const struct dev_ops i8042_ops;

void i8042_init(struct i8042 *k, struct wire irq1, struct wire irq12, struct wire a20,
                struct wire reset, struct wire kick);
/* Takes one byte of a scan code, set 2, as the keyboard would send it. False: it was dropped, since
 * the queue is full or the keyboard disabled. */
bool i8042_key(struct i8042 *k, uint8_t scancode, ns_t now);
/* Someone else (port 92h) moved A20: the output port reads accordingly. Does not drive the wire. */
void i8042_a20_follow(struct i8042 *k, bool level);

#endif
