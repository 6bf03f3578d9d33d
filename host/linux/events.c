/* SPDX-License-Identifier: MIT */
/* events.c - what happened at the consoles, as events for the board: see console_next_event().
 * Compile with -mgeneral-regs-only: guest FPU registers may be live in it. */
#include <string.h>

#include "host/linux/console.h"
#include "host/linux/vm_host.h"

#ifdef __SSE__
#error "compile events.c with -mgeneral-regs-only: guest FPU registers may be live in it"
#endif

_Static_assert(MAX_SERIAL == HOST_SERIAL_PORTS, "consoles and serial ports have the same numbers");

/* Takes up to max bytes of input. */
static uint8_t take(struct console *c, uint8_t *out, unsigned max)
{
    unsigned n = 0;

    while (n < max && console_input(c))
        out[n++] = c->in[c->in_tail++ & (CONSOLE_IN - 1)];
    return (uint8_t)n;
}

/* Clears the wish if it is there. */
static bool asked(struct console *c, unsigned wish)
{
    bool was = c->asked & wish;

    c->asked &= ~wish;
    return was;
}

bool console_next_event(void *opaque, const struct host_room *room, struct host_event *e)
{
    struct linux_host *h = opaque;

    for (unsigned n = 0; n < h->consoles; n++) {
        struct console *c = &h->console[n];
        bool serial = n < HOST_SERIAL_PORTS;

        e->unit = (uint8_t)n;
        e->len = 0;
        e->at = clock_now(&h->clock);
        if (asked(c, ASKED_BREAK) && serial) {
            e->kind = HOST_SERIAL_BREAK;
            return true;
        }
        if (asked(c, ASKED_POWER_BUTTON)) {
            e->kind = HOST_POWER_BUTTON;
            return true;
        }
        if (serial && room->serial[n] && console_input(c)) {
            e->kind = HOST_SERIAL_INPUT;
            e->len = take(c, e->bytes, room->serial[n]);
            return true;
        }
    }
    return false;
}
