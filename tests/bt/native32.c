/* SPDX-License-Identifier: MIT */
/*
 * native32.c - runs random cases on the CPU itself: a 32-bit Linux process that is nothing but a
 * signal handler.
 *
 * How        The handler waits for a case, makes the page rights as it wants them, writes its
 *            state into the signal's frame and returns into it. The case ends with a signal (HLT is
 *            #GP), whose frame is the result. All registers are loaded and stored by the kernel, so
 *            flags such as TF and RF take effect at the right instruction.
 * Safety     A case may run into random bytes. A system call from anywhere but this program ends
 *            it by SIGSYS.
 * Not here   What is generated and how results are judged: native.c.
 */
#include "tests/bt/native.h"

#include <stddef.h>

void native_main(void);
void on_signal(int number, const void *info, char *context);
extern const char text_start[], text_end[], sig_return[];

enum { SYS_exit = 1, SYS_read = 3, SYS_write = 4, SYS_munmap = 91, SYS_mprotect = 125 };
enum { SYS_prctl = 172, SYS_rt_sigreturn = 173, SYS_rt_sigaction = 174, SYS_sigaltstack = 186 };
enum { SYS_mmap2 = 192, SYS_set_thread_area = 243 };

/* struct sigcontext of i386, behind flags, link and the stack of ucontext. */
struct context {
    uint32_t flags, link, stack[3];
    uint32_t gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trap, error, eip, cs, eflags, esp_at_signal, ss, fpstate, mask, cr2;
};
_Static_assert(sizeof(struct native_io) <= NATIVE_IO_BYTES, "it is mapped");
struct fpstate { /* an FSAVE image, and an FXSAVE image at offset 112 */
    uint32_t cw, sw, tag, ip, cs, dp, ds;
    uint8_t st[80];
    uint16_t status, magic;
    uint8_t fx[512];
};
_Static_assert(offsetof(struct fpstate, fx) == 112, "as the kernel has it");

static struct native_io *io;
static uint8_t rights[NATIVE_RAM >> 12]; /* as they are now */
static uint8_t signal_stack[65536] __attribute__((aligned(16)));
#define KEPT 0x204000u /* ID and NT, which the kernel does not take from the frame */
uint32_t return_flags;

static uint32_t call(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e,
                     uint32_t f)
{
    uint32_t args[2] = {a, f}, result;

    __asm__ volatile("push %%ebp\n\tpush %%ebx\n\tmov 4(%%ebx), %%ebp\n\tmov (%%ebx), %%ebx\n\t"
                     "int $0x80\n\tpop %%ebx\n\tpop %%ebp"
                     : "=a"(result)
                     : "a"(number), "b"(args), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return result;
}

static uint32_t call3(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    return call(number, a, b, c, 0, 0, 0);
}

void *memcpy(void *to, const void *from, size_t n);
void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    while (n--)
        *t++ = *f++;
    return to;
}

/* ---- single steps ---- */

#define TF 0x100u

static uint32_t steps_done, step_began; /* steps_done: those that are over; where the next begins */

/* A trap came. False: enough. */
static int step_over(struct context *c)
{
    unsigned kind = io->step[steps_done < NATIVE_STEPS ? steps_done : 0];

    if (kind & STEP_PUSHF)
        ((uint8_t *)(native_segment_base((uint16_t)c->ss) + c->esp_at_signal))[1] &= (uint8_t)~1u;
    if (!(kind & STEP_REP) || c->eip != step_began)
        steps_done += kind & STEP_SHADOW ? 2 : 1;
    step_began = c->eip;
    return steps_done < io->steps;
}

/* ---- one case ---- */

static uint32_t prot_of(unsigned r)
{
    static const uint8_t prot[] = {7, 3, 5, 0};

    return prot[r & 3];
}

static void rights_make(void)
{
    for (unsigned n = NATIVE_FROM >> 12; n < NATIVE_RAM >> 12; n++)
        if (rights[n] != io->rights[n]) {
            rights[n] = io->rights[n];
            call3(SYS_mprotect, n << 12, 0x1000, prot_of(rights[n]));
        }
}

#define KERNEL_FX 464 /* what lies behind belongs to the kernel */

static void state_load(struct context *c, struct fpstate *f, const struct native_state *s)
{
    uint32_t tag = 0;

    c->eax = s->gpr[0], c->ecx = s->gpr[1], c->edx = s->gpr[2], c->ebx = s->gpr[3];
    c->esp = c->esp_at_signal = s->gpr[4];
    c->ebp = s->gpr[5], c->esi = s->gpr[6], c->edi = s->gpr[7];
    c->eip = s->eip, c->eflags = s->eflags;
    c->es = s->seg[0], c->cs = s->seg[1], c->ss = s->seg[2];
    c->ds = s->seg[3], c->fs = s->seg[4], c->gs = s->seg[5];
    return_flags = (s->eflags & KEPT) | 0x202u;
    memcpy(f->fx, s->fx, KERNEL_FX);
    for (unsigned n = 0; n < 8; n++)
        tag |= (s->fx[4] >> n & 1 ? 0u : 3u) << 2 * n;
    f->cw = 0xffff0000u | s->fx[0] | (uint32_t)s->fx[1] << 8;
    f->sw = 0xffff0000u | s->fx[2] | (uint32_t)s->fx[3] << 8;
    f->tag = 0xffff0000u | tag;
    f->ip = f->cs = f->dp = f->ds = 0;
    for (unsigned n = 0; n < 80; n++)
        f->st[n] = s->fx[32 + 16 * (n / 10) + n % 10];
}

static void state_store(const struct context *c, const struct fpstate *f, struct native_state *s)
{
    s->gpr[0] = c->eax, s->gpr[1] = c->ecx, s->gpr[2] = c->edx, s->gpr[3] = c->ebx;
    s->gpr[4] = c->esp_at_signal;
    s->gpr[5] = c->ebp, s->gpr[6] = c->esi, s->gpr[7] = c->edi;
    s->eip = c->eip, s->eflags = c->eflags;
    s->seg[0] = (uint16_t)c->es, s->seg[1] = (uint16_t)c->cs, s->seg[2] = (uint16_t)c->ss;
    s->seg[3] = (uint16_t)c->ds, s->seg[4] = (uint16_t)c->fs, s->seg[5] = (uint16_t)c->gs;
    memcpy(s->fx, f->fx, sizeof s->fx);
}

void on_signal(int number, const void *info, char *context)
{
    struct context *c = (struct context *)context;
    struct fpstate *f = (struct fpstate *)c->fpstate;
    char byte = 0;

    (void)info;
    io->signal = (uint32_t)number;
    io->vector = c->trap, io->error = c->error, io->cr2 = c->cr2;
    if (io->steps && c->trap == 1) {
        if (step_over(c)) {
            c->eflags |= TF; /* POPF may have cleared it */
            return_flags = (c->eflags & KEPT) | 0x202u;
            return;
        }
        io->vector = NATIVE_STOPPED;
    }
    state_store(c, f, &io->out);
    call3(SYS_write, NATIVE_DONE, (uint32_t)&byte, 1);
    if (call3(SYS_read, NATIVE_GO, (uint32_t)&byte, 1) != 1)
        call3(SYS_exit, 0, 0, 0);
    rights_make();
    state_load(c, f, &io->in);
    steps_done = 0;
    step_began = c->eip;
    c->eflags |= io->steps ? TF : 0;
}

/* ---- setting up ---- */

#define MAP_SHARED_FIXED_POPULATE 0x8011u

static void map(uint32_t at, uint32_t page, uint32_t prot)
{
    if (call(SYS_mmap2, at, 0x1000, prot, MAP_SHARED_FIXED_POPULATE, NATIVE_MEM, page) != at)
        call3(SYS_exit, 3, 0, 0);
}

static void segment_set(uint32_t sel, uint32_t limit, uint32_t bits)
{
    uint32_t desc[4] = {sel >> 3, NATIVE_BASE, limit, 1u | 1u << 6 | bits};

    if (call3(SYS_set_thread_area, (uint32_t)desc, 0, 0))
        call3(SYS_exit, 4, 0, 0);
}

static void signals_make(void)
{
    static const uint8_t numbers[] = {4, 5, 7, 8, 11, 31};
    /* SIGINFO ONSTACK RESTORER NODEFER */
    uint32_t act[5] = {(uint32_t)on_signal, 0x4c000004u, (uint32_t)sig_return, 0, 0};
    uint32_t stack[3] = {(uint32_t)signal_stack, 0, sizeof signal_stack};

    call3(SYS_sigaltstack, (uint32_t)stack, 0, 0);
    for (unsigned n = 0; n < sizeof numbers; n++)
        call(SYS_rt_sigaction, numbers[n], (uint32_t)act, 0, 8, 0, 0);
}

/* Only from this program's text, and only what a case needs. */
static void filter_make(void)
{
#define LOAD(off)                                                                                  \
    {                                                                                              \
        0x20, 0, 0, off                                                                            \
    }
#define EQ(val, yes, no)                                                                           \
    {                                                                                              \
        0x15, yes, no, val                                                                         \
    }
#define GE(val, yes, no)                                                                           \
    {                                                                                              \
        0x35, yes, no, val                                                                         \
    }
#define RET(val)                                                                                   \
    {                                                                                              \
        0x06, 0, 0, val                                                                            \
    }
    struct {
        uint16_t code;
        uint8_t yes, no;
        uint32_t k;
    } filter[] = {
        LOAD(4),
        EQ(0x40000003u, 0, 10), /* i386 */
        LOAD(8),
        GE((uint32_t)text_start, 0, 8),
        GE((uint32_t)text_end, 7, 0),
        LOAD(0),
        EQ(SYS_read, 4, 0),
        EQ(SYS_write, 3, 0),
        EQ(SYS_mprotect, 2, 0),
        EQ(SYS_rt_sigreturn, 1, 0),
        EQ(SYS_exit, 0, 1),
        RET(0x7fff0000u), /* allow */
        RET(0x00030000u), /* SIGSYS */
    };
    struct {
        uint16_t len;
        uint32_t at;
    } program = {sizeof filter / sizeof filter[0], (uint32_t)filter};

    call(SYS_prctl, 38, 1, 0, 0, 0, 0); /* NO_NEW_PRIVS */
    if (call(SYS_prctl, 22, 2, (uint32_t)&program, 0, 0, 0))
        call3(SYS_exit, 5, 0, 0);
}

void native_main(void)
{
    /* Whatever else is mapped: the stack, the vDSO. */
    call3(SYS_munmap, 0x1000, NATIVE_IMAGE - 0x1000, 0);
    call3(SYS_munmap, NATIVE_IMAGE_END, 0xffffe000u - NATIVE_IMAGE_END, 0);
    io = (struct native_io *)(NATIVE_IMAGE_END - NATIVE_IO_BYTES);
    for (unsigned n = 0; n < NATIVE_IO_BYTES >> 12; n++)
        map((uint32_t)io + (n << 12), (NATIVE_RAM >> 12) + n, 3);
    for (unsigned n = NATIVE_FROM >> 12; n < NATIVE_RAM >> 12; n++)
        map(n << 12, io->frame[n], 7);
    map(0x80000000u, io->high, 7);
    segment_set(NATIVE_BASED, 0xfffff, 1u << 4);
    segment_set(NATIVE_SMALL, 0x1fff, 0);
    segment_set(NATIVE_DOWN, 0x0fff, 1u << 1);
    signals_make();
    filter_make();
    for (;;)
        __asm__ volatile("ud2");
}

static uint8_t stack[16384] __attribute__((aligned(16), used));

__asm__(".globl start, sig_return\n"
        "start:\n\t"
        "mov $stack + 16384, %esp\n\t"
        "call native_main\n"
        "sig_return:\n\t"
        "push return_flags\n\t"
        "popf\n\t"
        "mov $173, %eax\n\t"
        "int $0x80\n");
