/* SPDX-License-Identifier: MIT */
/* build.c - see build.h. */
#include "boot/build.h"

#include "boot/boot.h"
#include "bt/run/bt.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/window.h"

/* Where a PC has its graphics card, and never RAM. */
#define VGA_HOLE     0xa0000u
#define VGA_HOLE_LEN 0x20000u

/* Each is asked before those that were added earlier (engine_add()). Windows come first: the
 * translator looks whether there are any. Lockstep wraps what is there, and its devices come
 * between the CPU and the board, which is built after it. */
static void add_engines(struct vm *vm, const struct machine_parts *p)
{
    struct vcpu *v = vm->cpu[0];

    if (p->window)
        window_init(v, p->window);
    if (p->bt)
        bt_init(v, p->bt, &p->bt_options);
    if (p->direct)
        direct_init(v, p->direct, &p->direct_options);
    if (p->lockstep)
        lockstep_init(p->lockstep, vm, p->shadow);
}

static struct region frame_of(uint8_t *bytes, uint64_t at, uint8_t *page)
{
    return (struct region){.name = "video memory",
                           .kind = REGION_FRAME,
                           .size = VGA_MEMORY,
                           .host = bytes,
                           .at = at,
                           .page = page,
                           .yields = true};
}

static struct region bank_of(uint8_t *page)
{
    return (struct region){.name = "video bank",
                           .size = BANK_PAGES << GUEST_PAGE_SHIFT,
                           .page = page,
                           .device_below = true};
}

static int add_video(struct vm *vm, struct machine_video *s, struct pc_config *board)
{
    bool both = vm->lockstep;

    s->frame = frame_of(s->bytes, s->at, s->frame_page);
    s->frame_twin = frame_of(s->twin, 0, s->frame_twin_page);
    s->bank = bank_of(s->bank_page);
    s->bank_twin = bank_of(s->bank_twin_page);
    board->vga_memory = s->bytes;
    board->vga_memory_size = VGA_MEMORY;
    return vm_add_memory(vm, &s->frame, both ? &s->frame_twin : NULL, s->log, &board->vga_frame) ||
           vm_add_view(vm, &s->bank, both ? &s->bank_twin : NULL, &s->frame, &board->vga_bank);
}

static void tell_kernel(struct pc_config *board, const struct boot *b)
{
    board->cmdline = b->cmdline;
    board->kernel = b->kernel.bytes;
    board->kernel_size = (uint32_t)b->kernel.size;
    if (b->module_count) {
        board->initrd = b->module[0].bytes;
        board->initrd_size = (uint32_t)b->module[0].size;
    }
}

int vm_build(struct vm *vm, const struct machine_parts *parts, struct pc_config *board,
             const char **why)
{
    vm_assemble(vm, &parts->vm);
    vm_set_page_kind(vm, VGA_HOLE, VGA_HOLE_LEN, PAGE_MMIO);
    add_engines(vm, parts);
    tell_kernel(board, parts->boot);
    *why = "there are too many regions of memory";
    if (parts->video && add_video(vm, parts->video, board))
        return -1;
    vm_wire_pc(vm, parts->pc, board);
    return pc_init(parts->pc, board, why);
}
