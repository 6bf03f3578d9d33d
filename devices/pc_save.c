/* SPDX-License-Identifier: MIT */
/*
 * pc_save.c - the board in a snapshot: each chip that is on it, the local APICs, and the board's
 * own: who drives which ISA line, where the local APICs answer; the memory of the graphics card,
 * of which only pages that are not zero are there.
 *
 * What the chips' registers say of the memory map (PAM, the PM ports, the APIC's window) is done
 * again at loading.
 */
#include "devices/pc_board.h"
#include "devices/snapshot.h"
#include "include/ring1/mem.h"

#define BOARD_NAME    "board"
#define BOARD_VERSION 2u
#define CHIP_BYTES    12288u /* more than the state of any chip that may refuse it */
#define VIDEO_NAME    "vga memory"
#define VIDEO_VERSION 1u
#define VIDEO_END     UINT32_MAX /* in the place of a page number */

static void save_board(const struct pc *pc, struct snapshot *s)
{
    snapshot_begin(s, BOARD_NAME, BOARD_VERSION);
    snapshot_put_int(s, pc->cfg.cpu_count, 4);
    snapshot_put_int(s, pc->cfg.guest_tsc_khz, 4);
    snapshot_put(s, pc->irq_sources, sizeof pc->irq_sources);
    snapshot_put_int(s, pc->apic_window, 8);
    snapshot_put_int(s, pc->apic_window_mapped, 1);
    for (unsigned n = 0; n < PC_CHIPS_MAX; n++)
        snapshot_put_int(s, pc->due[n], 8);
    snapshot_end(s);
}

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, GUEST_PAGE_SIZE - 1);
}

/* Memory that is no region of the machine's, which would save it. */
static bool video_is_ours(const struct pc *pc)
{
    return pc->cfg.vga_memory && !pc->cfg.vga_frame.place;
}

static void save_video(const struct pc *pc, struct snapshot *s)
{
    snapshot_begin(s, VIDEO_NAME, VIDEO_VERSION);
    snapshot_put_int(s, pc->cfg.vga_memory_size, 4);
    for (uint32_t at = 0; at < pc->cfg.vga_memory_size; at += GUEST_PAGE_SIZE) {
        if (is_zero(pc->cfg.vga_memory + at))
            continue;
        snapshot_put_int(s, at >> GUEST_PAGE_SHIFT, 4);
        snapshot_put(s, pc->cfg.vga_memory + at, GUEST_PAGE_SIZE);
    }
    snapshot_put_int(s, VIDEO_END, 4);
    snapshot_end(s);
}

/* Page numbers ascend; pages between them are zero. */
static bool load_video(struct pc *pc, struct snapshot *s)
{
    uint32_t pages = pc->cfg.vga_memory_size >> GUEST_PAGE_SHIFT, next = 0;
    uint64_t page;

    if (!snapshot_open(s, VIDEO_NAME, VIDEO_VERSION))
        return false;
    if (snapshot_get_int(s, 4) != pc->cfg.vga_memory_size)
        return snapshot_refuse(s, "the graphics card has another size of memory");
    do {
        page = snapshot_get_int(s, 4);
        if (s->error || (page != VIDEO_END && (page < next || page >= pages)))
            return snapshot_refuse(s, "the graphics card's memory is in no order");
        for (; next < (page < pages ? page : pages); next++)
            if (!is_zero(pc->cfg.vga_memory + (size_t)next * GUEST_PAGE_SIZE))
                memset(pc->cfg.vga_memory + (size_t)next * GUEST_PAGE_SIZE, 0, GUEST_PAGE_SIZE);
        if (page != VIDEO_END)
            snapshot_get(s, pc->cfg.vga_memory + (size_t)next++ * GUEST_PAGE_SIZE, GUEST_PAGE_SIZE);
    } while (page != VIDEO_END);
    return snapshot_close(s);
}

void pc_save(const struct pc *pc, struct snapshot *s)
{
    const struct dev_ops *ops;
    const void *dev;

    if (completion_pending(&pc->completions)) {
        snapshot_refuse(s, "a device waits for the host: let it complete first");
        return;
    }
    save_board(pc, s);
    for (unsigned n = 0; (ops = pc_chip(pc, n, &dev)) != NULL; n++)
        snapshot_put_device(s, ops, dev);
    for (unsigned cpu = 0; cpu < pc->cfg.cpu_count; cpu++)
        snapshot_put_device(s, &lapic_ops, &pc->lapic[cpu]);
    if (video_is_ours(pc))
        save_video(pc, s);
}

struct window {
    uint64_t at;
    bool mapped;
};

static bool load_board(struct pc *pc, struct snapshot *s, struct window *w)
{
    if (!snapshot_open(s, BOARD_NAME, BOARD_VERSION))
        return false;
    if (snapshot_get_int(s, 4) != pc->cfg.cpu_count ||
        snapshot_get_int(s, 4) != pc->cfg.guest_tsc_khz)
        return snapshot_refuse(s, "the machine has other CPUs, or a time stamp counter of another "
                                  "speed");
    snapshot_get(s, pc->irq_sources, sizeof pc->irq_sources);
    w->at = snapshot_get_int(s, 8) & 0xffffff000ull;
    w->mapped = snapshot_get_int(s, 1);
    for (unsigned n = 0; n < PC_CHIPS_MAX; n++)
        pc->due[n] = snapshot_get_int(s, 8);
    return snapshot_close(s);
}

/* A chip that cannot be as it was saved stays as it is: what a reset keeps, such as the time that
 * it has seen, must be possible too. */
static bool load_chip(struct snapshot *s, const struct dev_ops *ops, void *chip, ns_t now)
{
    uint8_t before[CHIP_BYTES];

    if (!ops->loaded)
        return snapshot_get_device(s, ops, chip);
    VMM_CHECK(ops->state_size <= sizeof before);
    memcpy(before, chip, ops->state_size);
    if (!snapshot_get_device(s, ops, chip))
        return false;
    if (ops->loaded(chip, now))
        return true;
    memcpy(chip, before, ops->state_size);
    return snapshot_refuse(s, "a chip's state is impossible");
}

/* Loads chip by chip, until one cannot be as it was saved. */
static bool load_chips(struct pc *pc, struct snapshot *s, ns_t now)
{
    const struct dev_ops *ops;
    const void *dev;

    for (unsigned n = 0; (ops = pc_chip(pc, n, &dev)) != NULL; n++) {
        void *chip = (char *)pc + ((const char *)dev - (const char *)pc);

        if (!load_chip(s, ops, chip, now))
            return false;
    }
    return true;
}

static bool load_lapic(struct pc *pc, struct snapshot *s, unsigned cpu, ns_t now)
{
    struct lapic *l = &pc->lapic[cpu], before = *l;

    if (!snapshot_get_device(s, &lapic_ops, l))
        return false;
    if (l->reset_id == cpu && l->tsc_khz == before.tsc_khz && lapic_ops.loaded(l, now))
        return true;
    *l = before;
    return snapshot_refuse(s, "a local APIC's state is impossible");
}

bool pc_load(struct pc *pc, struct snapshot *s, ns_t now)
{
    struct window w = {0};

    if (!load_board(pc, s, &w))
        return false;
    pc_apic_window_update(pc, false, pc->apic_window);
    if (!load_chips(pc, s, now))
        return false;
    for (unsigned cpu = 0; cpu < pc->cfg.cpu_count; cpu++)
        if (!load_lapic(pc, s, cpu, now))
            return false;
    if (video_is_ours(pc) && !load_video(pc, s))
        return false;
    pc_apic_window_update(pc, w.mapped, w.at);
    return true;
}
