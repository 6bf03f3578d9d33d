/* SPDX-License-Identifier: MIT */
/*
 * fpu_stub.h - generated host code for one guest x87, MMX or SSE instruction, made once and shared
 * by all instructions that differ only in addressing mode, prefixes without effect, and which
 * general register they name.
 *
 * Promises   A stub touches the x87/MMX/XMM registers exactly as the guest instruction does, the
 *            struct fpu_io in rdi, what its `at` points to, and eax, ecx, edx, rsi and the
 *            arithmetic flags; at the instruction itself rsp is as at the stub's entry.
 * Lifetime   A stub stays until the arena is full: then all go, and the decode cache is flushed
 *            with them.
 * Writer     The thread of the vCPU that asks. With more than one vCPU the table needs a lock: the
 *            arena is the VM's.
 * Not here   Calling it (struct vcpu_host.fpu_call), checks and memory accesses (fpu_exec.h).
 */
#ifndef RING1_MONITOR_INTERP_FPU_STUB_H
#define RING1_MONITOR_INTERP_FPU_STUB_H

#include "decoder/insn.h"
#include "monitor/cpu/vcpu.h"

/* Operands of a stub. Layout is known to fpu_stub.c only. */
struct fpu_io {
    void *at; /* the memory operand: guest RAM itself, or `mem` */
    /* the general-register operand, whichever it is; EAX where the instruction names it
     * implicitly */
    uint32_t eax;
    uint32_t ecx, edx;
    uint32_t pad;
    uint64_t flags;               /* EFL_ARITH bits */
    _Alignas(16) uint8_t mem[32]; /* bounce buffer */
};

/* struct fpu_stub.what */
#define STUB_LOAD       0x0001u /* reads its memory operand */
#define STUB_STORE      0x0002u /* writes it */
#define STUB_ALIGN16    0x0004u /* #GP(0) unless the memory operand is aligned on 16 bytes */
#define STUB_GPR_IN     0x0008u /* the ModRM general register goes in through io.eax */
#define STUB_GPR_OUT    0x0010u /* and comes out there */
#define STUB_EAX_EDX_IN 0x0020u
#define STUB_EAX_OUT    0x0040u /* EAX itself, in and out (FNSTSW AX) */
#define STUB_ECX_OUT    0x0080u
#define STUB_FLAGS_IN   0x0100u
#define STUB_FLAGS_OUT  0x0200u
#define STUB_MMX        0x0400u /* uses the MMX registers: pending x87 errors are reported first */
#define STUB_XMM        0x0800u /* uses the XMM registers */
#define STUB_NOWAIT     0x1000u /* x87: does not look for pending errors */
#define STUB_CONTROL    0x2000u /* x87: leaves the instruction and data pointers alone */

struct fpu_stub {
    uint16_t what;
    uint8_t mem_size;  /* bytes of the memory operand, at most 16 */
    uint8_t gpr_shift; /* position of the general register's number in ModRM: 0 or 3 */
    uint32_t pad[3];
    uint8_t code[];
};

/* Returns the stub of *i, never NULL: from i->stub, else from the table, else made now. *i must be
 * an x87, MMX or SSE instruction other than those with handlers of their own. May flush the decode
 * cache: *i stays readable (block.h). The guest's registers may be parked afterwards. */
const struct fpu_stub *fpu_stub_make(struct vcpu *v, const struct insn *i);
static inline const struct fpu_stub *fpu_stub_get(struct vcpu *v, const struct insn *i)
{
    return likely(i->stub) ? i->stub : fpu_stub_make(v, i);
}

#endif
