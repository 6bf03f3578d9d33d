/* SPDX-License-Identifier: MIT */
/*
 * screen.c - the guest's screen text on the machine's own VGA text screen; see monitor.h.
 *
 * How        Looked at a few times a second. Most guests with a serial console never write there:
 *            what costs is only done when the guest wrote to device memory or moved the cursor, and
 *            every second, since a guest may scroll by registers alone.
 */
#include "devices/vga.h"
#include "host/metal/monitor.h"
#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/console.h"
#include "host/metal/nucleus/service.h"
#include "monitor/cpu/vcpu.h"

#define LOOK_EVERY 50000000ull
#define SHOW_EVERY NS_PER_SEC
#define BLANK      0x0720u

/* The guest's characters where both screens have a place for them. */
static void draw(const struct vga *v, const struct vga_text *t, uint16_t *to)
{
    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        for (unsigned x = 0; x < SCREEN_COLUMNS; x++)
            to[y * SCREEN_COLUMNS + x] =
                x < t->columns && y < t->rows ? vga_text_cell(v, x, y) : BLANK;
}

static unsigned cursor_of(const struct vga_text *t)
{
    bool on = t->cursor && t->cursor_column < SCREEN_COLUMNS && t->cursor_row < SCREEN_ROWS;

    return on ? t->cursor_row * SCREEN_COLUMNS + t->cursor_column : SCREEN_NO_CURSOR;
}

ns_t metal_screen(struct metal *m, bool now)
{
    static uint16_t cell[SCREEN_COLUMNS * SCREEN_ROWS];
    struct metal_screen *s = &m->screen;
    const struct vga *v = pc_vga(m->pc);
    uint64_t writes = m->vcpu->stats.mmio_writes;
    ns_t time = clock_now();
    struct vga_text t;

    if (!now && time < s->look_at)
        return writes == s->writes ? NS_NEVER : s->look_at;
    s->look_at = time + LOOK_EVERY;
    if (!v || !vga_text(v, &t)) { /* a picture: what was there last stays */
        s->writes = writes;
        return NS_NEVER;
    }
    unsigned cursor = cursor_of(&t);
    if (!now && writes == s->writes && cursor == s->cursor && time < s->show_at)
        return NS_NEVER;
    draw(v, &t, cell);
    nucleus_call(SERVICE_SCREEN, (uint64_t)cell, cursor, 0, 0);
    s->writes = writes;
    s->cursor = cursor;
    s->show_at = time + SHOW_EVERY;
    return NS_NEVER;
}
