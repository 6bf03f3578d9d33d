/* SPDX-License-Identifier: MIT */
/*
 * bt_cpu.h - the part of a vCPU that translated code touches directly; struct vcpu contains one.
 *
 * Contract   docs/codegen.md. Emitted code reaches these fields through r15 = BT_PTR(vcpu).
 * Writer     The thread that runs the vCPU, and its signal handlers.
 */
#ifndef RING1_MONITOR_CPU_BT_CPU_H
#define RING1_MONITOR_CPU_BT_CPU_H

#include "include/ring1/vcpu_host.h"

/* r15 = address of the vCPU + BT_PTR_BIAS. The vCPU is 64-byte aligned, so the low five bits of
 * r15d are 12 = GUEST_PAGE_SHIFT: `shrx x, y, r15d` makes a page number of an address and leaves
 * the flags alone. The bias also puts the hot fields at the vCPU's start, from EBX to the segments,
 * within reach of 8-bit displacements (bt/translate/pinned.c). */
#define BT_PTR_BIAS 140
_Static_assert(BT_PTR_BIAS % 32 == GUEST_PAGE_SHIFT, "shrx by r15d shifts by a page");

/* A jump map says where the translated code of a guest linear address is: it has an entry for each
 * of the 4 Gi addresses, in memory that the host gives as it is written (vcpu_host.jump_map). Map
 * BT_JUMP_USER is for CPL 3, the others for CPL 0-2, one for each of the supervisor's windows
 * (shadow-mmu/window.h). In entries: a chunk is what the host makes writable at once, a block what
 * it takes back at once, a piece what one page of host memory holds. */
#define BT_JUMP_USER        1u
#define BT_JUMP_CHUNK_SHIFT 23u
#define BT_JUMP_BLOCK_SHIFT 19u
#define BT_JUMP_PIECE_SHIFT 10u
#define BT_JUMP_CHUNKS      (1u << (32 - BT_JUMP_CHUNK_SHIFT))
#define BT_JUMP_BLOCKS      (1u << (32 - BT_JUMP_BLOCK_SHIFT))
#define BT_JUMP_PIECES      (1u << (BT_JUMP_BLOCK_SHIFT - BT_JUMP_PIECE_SHIFT)) /* of a block */
/* How many pieces may have memory at the same time: at first (6 and 16 MiB), and at most, when the
 * guest keeps coming back to more (256 MiB). A kernel has much code that runs at its start only; a
 * big program comes back to all of its code. */
#define BT_JUMP_WRITTEN(map) ((map) == BT_JUMP_USER ? 4096u : 1536u)
#define BT_JUMP_WRITTEN_MOST 65536u
#define BT_JUMP_USED         32768u
#define BT_JUMP_PAGES        65536u

/* Pages that hold code and are written beside it (bt/run/write_map.h): the index of a tag is the
 * privilege class and the low bits of the linear page number. */
#define BT_WRITE_TAGS 256u
#define BT_WRITE_MAPS 16u

struct bt_write_tag {
    uint32_t tag;        /* minus the linear page address */
    uint64_t addend;     /* host address of the page minus its linear address */
    const uint8_t *bits; /* bt_write_map.bits of the page */
    uint64_t unused;
};
_Static_assert(sizeof(struct bt_write_tag) == 32, "translated code scales the index by 32");

struct bt_write_map {
    gpa_t page;
    gla_t gla;
    uint8_t user;
    /* Bit n: byte n is part of a block. The bits after the page's are ones, for accesses that leave
     * it. */
    uint8_t bits[GUEST_PAGE_SIZE / 8 + 8];
};

/* Offset from bt.return_top of the return stack's last byte. */
#define BT_RETURN_LAST 15

/* Why bt_enter() came back. */
enum bt_exit {
    BT_EXIT_CHAIN,    /* a direct branch without translated target: slot in exit_arg */
    BT_EXIT_LOOKUP,   /* an indirect target that is not in the jump map: guest EIP in exit_arg */
    BT_EXIT_DISPATCH, /* a callout changed something: vcpu.eip is exact, look around */
    BT_EXIT_TRAP,     /* a host trap at vcpu.eip, described in trap_*: run that instruction again */
    BT_EXIT_BREAK,    /* the host broke in at vcpu.eip: see bt_break_in() */
};

struct bt_jump_map;

struct bt_cpu {
    /* One cache line: what each way into the cache and out of it touches. */
    _Alignas(64) uint64_t monitor_rsp; /* the C stack, while translated code runs */
    uint64_t return_rsp;               /* the host return stack's pointer, while C code runs */
    /* return_rsp of an empty stack. 4 GiB from return_top + BT_RETURN_LAST + 1 on are inaccessible:
     * see bt/translate/return_check.c. */
    uint64_t return_top;
    /* return_rsp when the present privilege class has nothing on the stack: the address of that
     * class's miss stub lies there. Above it, in a system call, is what CPL 3 left on the stack. */
    uint64_t return_base;
    uint64_t jump_now;   /* r13: jump[].entry of the present context */
    uint64_t window_now; /* window[] of the present context */
    unsigned jump_index; /* jump_now belongs to jump[jump_index] */
    uint32_t exit_arg;   /* see enum bt_exit */
    /* EFLAGS.IF as 0 or 1 while translated code runs (CLI is one store that keeps the flags live);
     * vcpu.eflags' bit 9 is exact whenever C code runs. */
    uint8_t interrupt_flag;
    /* Translated code runs: the guest's general registers are in the host's. While in_cache is
     * clear, whatever runs looks at vcpu.attention before the next guest instruction. */
    bool in_cache;
    bool windowed;     /* window_usable() (shadow-mmu/window.h); constant between flushes */
    bool user_calls;   /* a callout is about to leave CPL 3 at user_esp */
    bool stepping;     /* TF is set in the host's flags: see bt_break_in() */
    bool break_in_rep; /* BT_EXIT_BREAK: within a repetition, which has begun perhaps */

    /* The next line. */
    uint64_t window[2];              /* host address of guest linear 0 for CPL 0-2, CPL 3; r14 */
    uint64_t shift;                  /* scratch of shifts that keep the flags (operand.c) */
    uint64_t user_return_rsp;        /* CPL 3's return_rsp in a system call; 0: nothing is there */
    uint32_t user_context, user_esp; /* as they were when CPL 3 made that call */
    unsigned super; /* which supervisor window is window[0]; set by window_select() */
    /* Mirrors of state that blocks were found under; see bt_run(). */
    uint32_t context, generation_all, generation_fetch;

    uint64_t return_limit; /* lowest usable address; a guard page lies below */
    uint64_t jump_miss;    /* host address of the stub that an empty entry of jump[] leads to */
    uint8_t trap_kind;     /* enum trap_kind (engine.h), set by bt_host_trap() */
    uint64_t trap_addr;    /* host address whose access trapped */
    ns_t break_at;         /* when a signal asked translated code to come back; 0: none does */
    /* Sites (their numbers + 1; 0: none) whose x87 pointers vcpu.fpu does not show yet: the last
     * that sets all pointers, and a later one that leaves the data pointer as it is
     * (bt/translate/x87_pointers.c). */
    uint32_t x87_full, x87_bare;
    struct bt_jump_map *jump; /* HOST_JUMP_MAPS of them (bt/cache/cache.h) */
    bool write_missed;        /* the write at write_gla must take the slow path */
    uint8_t write_shift;      /* 64 - size of the write in question */
    uint8_t code_writes;      /* slow writes to the page of code_writes_gla, one after the other */
    gla_t write_gla, code_writes_gla;
    unsigned write_map_count;
    struct bt_write_tag write_tag[2][BT_WRITE_TAGS];
    struct bt_write_map write_map[BT_WRITE_MAPS];
};

#endif
