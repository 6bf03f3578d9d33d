/* SPDX-License-Identifier: MIT */
/*
 * console.h - the machine's serial ports and its VGA text screen, and the report when we are wrong.
 *
 * Promises   What the monitor says goes to COM1, and to the screen until the guest's is there; what
 *            the guest sends on its serial ports goes to COM1 and COM2 as it is. Input of COM1 is
 *            kept in a ring until it is taken.
 * Source     16550D data sheet; VGA text memory at 0xb8000, CRTC at 3D4h.
 */
#ifndef RING1_HOST_METAL_CONSOLE_H
#define RING1_HOST_METAL_CONSOLE_H

#include "host/metal/nucleus/trap.h"

#define CONSOLE_PORTS    2u /* COM1 and COM2 */
#define SCREEN_COLUMNS   80u
#define SCREEN_ROWS      25u
#define SCREEN_NO_CURSOR (~0u)

void console_init(void);
/* Input causes interrupts from now on: after clock_init(), which makes the 8259s ready. */
void console_listen(void);
void console_write(const char *bytes, size_t len);
/* The screen is the guest's from now on: shows SCREEN_ROWS rows of cells as VGA text memory has
 * them, and the cursor before cell `cursor`. What the monitor says goes to COM1 alone then, but for
 * panic(), and to the screen again where there is no COM1. */
void console_screen(const uint16_t *cells, unsigned cursor);
/* The screen is the monitor's again. */
void console_screen_back(void);
/* To COM1 (0) or COM2 (1) alone; to nobody when this machine has no such port. */
void console_send(unsigned port, const char *bytes, size_t len);
/* printf's %s %u %x %llx %c, as fmt.h has them; a line's text. */
void console_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The UART's interrupt. */
void console_interrupt(void);
/* Takes input; returns the number of bytes put into buf. */
size_t console_take(uint8_t *buf, size_t size);

/* Says what happened where, with the registers, and stops the machine. */
_Noreturn void panic(const struct trap_frame *f, const char *what);

#endif
