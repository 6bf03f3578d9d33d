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
    vm_wire_pc(vm, parts->pc, board);
    return pc_init(parts->pc, board, why);
}
