/* SPDX-License-Identifier: MIT */
/* naive_ring3.c - see naive.h: compatibility mode in this process. Handlers restore the FS base
 * first, since the guest may have loaded FS. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "lab/naive.h"
#include "monitor/arch/segment.h"
#include "monitor/interp/interp.h"

#define CS32      0x23u /* Linux' 32-bit code segment, its data segment, its 64-bit code segment */
#define DS        0x2bu
#define CS64      0x33u
#define FLAGS     (EFL_ARITH | EFL_DF)
#define LAB_BYTES (LAB_PAGES * GUEST_PAGE_SIZE)

/* What the assembler and the handler share. */
struct {
    uint32_t gpr[GPR_COUNT]; /* of the guest, on entry */
    uint64_t rsp;            /* the monitor's, while the guest runs; else 0 */
    struct {
        uint32_t eip;
        uint16_t cs;
    } target;
    uint64_t flags;
} lab_direct;
void lab_direct_enter(void);
extern const char lab_direct_left[];

static struct {
    struct vcpu *v;
    struct seen *out;
    uint32_t at; /* the instruction that counts */
    uint64_t fs_base;
} now;

/* IN lab_direct. The handler takes the guest's registers and leads to lab_direct_left. ASSUMES
 * signals have a stack of their own. CLOBBERS DS and ES, which 64-bit code does not use. */
__asm__(".text\n"
        "lab_direct_enter:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
        "  lea lab_direct(%rip), %r8\n"
        "  push 48(%r8); popfq\n"
        "  mov %rsp, 32(%r8)\n"
        "  mov (%r8), %eax; mov 4(%r8), %ecx; mov 8(%r8), %edx; mov 12(%r8), %ebx\n"
        "  mov 16(%r8), %esp; mov 20(%r8), %ebp; mov 24(%r8), %esi; mov 28(%r8), %edi\n"
        "  ljmp *40(%r8)\n"
        "lab_direct_left:\n"
        "  cld\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");
_Static_assert(offsetof(__typeof__(lab_direct), rsp) == 32 &&
                   offsetof(__typeof__(lab_direct), target) == 40 &&
                   offsetof(__typeof__(lab_direct), flags) == 48,
               "the offsets in lab_direct_enter");

/* INT3, INTO and INT1 of the guest: the host reports them with RIP after the instruction. */
static bool is_behind(uint32_t eip, unsigned vector)
{
    uint8_t before = now.v->vm->ram[eip - 1];

    return (vector == VEC_BP && before == 0xcc) || (vector == VEC_OF && before == 0xce) ||
           (vector == VEC_DB && before == 0xf1);
}

static bool is_inside(uint64_t rip)
{
    return rip - LAB_CODE - 1 < LAB_BYTES - 1 || rip == LAB_CODE;
}

static __attribute__((no_sanitize("address", "undefined"))) void on_trap(int sig, siginfo_t *info,
                                                                         void *context)
{
    ucontext_t *uc = context;
    greg_t *reg = uc->uc_mcontext.gregs;
    static const int order[GPR_COUNT] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                         REG_RSP, REG_RBP, REG_RSI, REG_RDI};
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)SYS_arch_prctl), "D"((long)ARCH_SET_FS), "S"(now.fs_base)
                     : "rcx", "r11", "memory");
    (void)sig, (void)info;
    if ((reg[REG_CSGSFS] & 0xffff) != CS32 || !lab_direct.rsp)
        _exit(3); /* ours: the cell stays empty */
    for (unsigned n = 0; n < GPR_COUNT; n++)
        now.v->gpr[n] = (uint32_t)reg[order[n]];
    now.out->traps++;
    unsigned vector = (unsigned)reg[REG_TRAPNO];
    uint64_t rip = (uint64_t)reg[REG_RIP];
    if (is_inside(rip)) {
        uint32_t eip = (uint32_t)rip - is_behind((uint32_t)rip, vector);
        now.v->eip = now.v->next_eip = eip;
        now.v->eflags = (now.v->eflags & ~FLAGS) | ((uint32_t)reg[REG_EFL] & FLAGS);
        if (eip == now.at) {
            now.out->trapped = true;
            now.out->trap = (uint8_t)vector;
        }
    } else {
        now.v->halted = true; /* who knows where it went: that is the result */
    }
    reg[REG_RSP] = (greg_t)lab_direct.rsp;
    reg[REG_RIP] = (greg_t)(uintptr_t)lab_direct_left;
    reg[REG_CSGSFS] =
        (reg[REG_CSGSFS] & 0x0000ffffffff0000ll) | (greg_t)((uint64_t)DS << 48 | CS64);
    lab_direct.rsp = 0;
}

/* Loads the segment registers again, as the way back into the guest does: what the tables say now
 * counts. */
static bool load_again(struct vcpu *v)
{
    bool flat = true;

    for (unsigned n = 0; n < SEG_COUNT; n++) {
        struct descriptor d;
        if (n != SEG_CS && n != SEG_SS && !sel_is_null(v->seg[n].sel) &&
            descriptor_fetch(v, v->seg[n].sel, &d))
            seg_from_descriptor(&v->seg[n], v->seg[n].sel, d);
        flat &= v->seg[n].base == 0 && v->seg[n].limit == ~0u;
    }
    return flat;
}

static bool takes(struct vcpu *v)
{
    return v->cr0 & CR0_PE;
}

static void run(struct vcpu *v)
{
    if (v->cpl == 0 && load_again(v) && is_inside(v->eip)) {
        memcpy(lab_direct.gpr, v->gpr, sizeof lab_direct.gpr);
        lab_direct.target.eip = v->eip;
        lab_direct.target.cs = CS32;
        lab_direct.flags = (v->eflags & FLAGS) | EFL_FIXED1 | EFL_IF;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        lab_direct_enter();
        if (v->halted)
            return;
    }
    interp_step(v);
}

static const struct engine engine = {.name = "naive, ring 3", .takes = takes, .run = run};

int naive_ring3_start(struct micro *m, const struct program *p, struct seen *out)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct sigaction sa = {.sa_sigaction = on_trap,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    void *want = (void *)(uintptr_t)LAB_CODE;

    if (mmap(want, LAB_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE,
             m->machine.ram.fd, LAB_CODE) != want)
        return -1;
    if (syscall(SYS_arch_prctl, ARCH_GET_FS, &now.fs_base))
        return -1;
    now.v = m->machine.vcpu;
    now.out = out;
    now.at = LAB_CODE + (uint32_t)(p->at - p->code);
    for (unsigned n = 0; n < ARRAY_LEN(signals); n++)
        sigaction(signals[n], &sa, NULL);
    engine_add(now.v, &engine);
    return 0;
}
