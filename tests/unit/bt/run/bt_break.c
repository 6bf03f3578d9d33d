/* SPDX-License-Identifier: MIT */
/*
 * bt_break.c - signals break into translated code that would never leave by itself (bt_break_in()).
 *
 * What must hold
 *   It comes back, with a state that the interpreter also reaches, RAM included: each program
 *   counts, so that no two of its states are the same.
 *   A repetition is exact wherever it is cut.
 *   Few host instructions are stepped for each signal, and no TF shows in the guest's flags.
 *   Signals every 20 us change no result.
 *   What host_emulate() executes, the host's CPU executes in the same way.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>
#include <sys/time.h>

#include "bt/run/host_emulate.h"
#include "bt/run/run_priv.h"

#define RAM         (64u << 10)
#define GDT         0x1000u
#define CODE        0x2000u
#define STACK       0x4000u
#define DATA        0x8000u
#define BREAKS      40u
#define STEPS       8u       /* each, on average at most */
#define PATIENCE_US 50000    /* until the next alarm */
#define PATIENT     40000000 /* instructions until the interpreter must have been there */

#define TURN_NS 2000000u /* that pass before each run, with adaptation */

static bool adaptive; /* code that is written often is interpreted at first, and time passes */

static struct {
    struct bt_rig *interpreted, *translated;
    const char *running; /* program */
} t;

static void say_program(void)
{
    char line[100];

    bt_rig_say(line, snprintf(line, sizeof line, "in program \"%s\"\n", t.running));
}

static void on_alarm(int sig, siginfo_t *info, void *context)
{
    struct bt_rig *r = bt_rig_running;

    (void)sig, (void)info;
    if (!r)
        return;
    vcpu_attend(r->cpu, ATT_KICK);
    host_trap_break_in(r->cpu, context);
}

/* every_us 0: once; both 0: not at all. */
static void alarm_in(unsigned us, unsigned every_us)
{
    struct itimerval when = {{0, every_us}, {0, us}};

    setitimer(ITIMER_REAL, &when, NULL);
}

/* ---- programs ---- */

struct program {
    const char *name;
    uint32_t ecx;
    uint8_t len, code[48];
};

/* All for CPL 0, flat, eax = 0x10, ebx = CODE, esi = edi = 0, esp = STACK. */
static const struct program programs[] = {
    {"jmp to itself", 0, 2, {0xeb, 0xfe}},
    {"dec, jnz", 0, 3, {0x49, 0x75, 0xfd}},
    {"cmp, jcc: fused", 0, 7, {0x41, 0x83, 0xf9, 0x00, 0x75, 0xfa, 0xf4}},
    {"loop", 0, 4, {0xe2, 0xfe, 0xeb, 0xfc}},
    {"jecxz", 0, 8, {0x46, 0x31, 0xc9, 0xe3, 0xfb, 0xf4, 0xf4, 0xf4}},
    /* inc ecx; call +3; jmp back; inc edx; ret */
    {"call, ret", 0, 11, {0x41, 0xe8, 0x02, 0, 0, 0, 0xeb, 0xf8, 0x42, 0xc3, 0xf4}},
    {"recursion without end", 0, 11, {0x41, 0xbc, 0, 0x40, 0, 0, 0xe8, 0xf5, 0xff, 0xff, 0xff}},
    {"jmp ebx", 0, 3, {0x41, 0xff, 0xe3}},
    {"push ebx; ret", 0, 3, {0x41, 0x53, 0xc3}},
    /* mov edx, CODE + 10; call edx; jmp back; inc ecx; ret */
    {"call edx", 0, 12, {0xba, 0x0a, 0x20, 0, 0, 0xff, 0xd2, 0xeb, 0xf7, 0xf4, 0x41, 0xc3}},
    /* inc ecx; pushf; pop edx; or esi, edx; push edx; popf; jmp back */
    {"pushf, popf", 0, 9, {0x41, 0x9c, 0x5a, 0x09, 0xd6, 0x52, 0x9d, 0xeb, 0xf7}},
    {"std; pushf, popf", 0, 10, {0xfd, 0x41, 0x9c, 0x5a, 0x09, 0xd6, 0x52, 0x9d, 0xeb, 0xf7}},
    /* inc esi; cpuid; add esi, 2; jmp back */
    {"cpuid", 0, 8, {0x46, 0x0f, 0xa2, 0x83, 0xc6, 0x02, 0xeb, 0xf8}},
    {"std; cpuid", 0, 9, {0xfd, 0x46, 0x0f, 0xa2, 0x83, 0xc6, 0x02, 0xeb, 0xf7}},
    {"rdtsc", 0, 5, {0x41, 0x0f, 0x31, 0xeb, 0xfb}},
    {"mov ds, ax", 0, 6, {0x41, 0x8e, 0xd8, 0x42, 0xeb, 0xfa}},
    /* inc ecx; lar edx, eax (or ebp, eax); jmp back */
    {"lar edx", 0, 6, {0x41, 0x0f, 0x02, 0xd0, 0xeb, 0xfa}},
    {"std; lar ebp", 0, 7, {0xfd, 0x41, 0x0f, 0x02, 0xe8, 0xeb, 0xf9}},
    {"lar of null", 0, 6, {0x41, 0x0f, 0x02, 0xd6, 0xeb, 0xfa}},
    {"mov edx, dr6", 0, 6, {0x41, 0x0f, 0x21, 0xf2, 0xeb, 0xfa}},
    {"cli, sti", 0, 7, {0xfa, 0x41, 0xfb, 0x42, 0x46, 0xeb, 0xf9}},
    /* inc ecx; push eax; push ecx; pop edx; pop edi; jmp back: folded ESP */
    {"push, pop", 0, 7, {0x41, 0x50, 0x51, 0x5a, 0x5f, 0xeb, 0xf9}},
    /* inc dword [DATA]; mov edx, [DATA]; jmp back */
    {"memory", 0, 14, {0xff, 0x05, 0, 0x80, 0, 0, 0x8b, 0x15, 0, 0x80, 0, 0, 0xeb, 0xf2}},
    /* inc ecx; mov edi, DATA; mov [edi], ecx; stosd; lodsd; sub esi, 4; jmp back */
    {"stosd, lodsd",
     0,
     15,
     {0x41, 0xbf, 0, 0x80, 0, 0, 0x89, 0x0f, 0xab, 0xad, 0x83, 0xee, 0x04, 0xeb, 0xf1}},
    /* inc ecx; fld1; fstp dword [DATA]; jmp back */
    {"x87", 0, 13, {0xdb, 0xe3, 0x41, 0xd9, 0xe8, 0xd9, 0x1d, 0, 0x80, 0, 0, 0xeb, 0xf5}},
};

static void prepare(struct bt_rig *r, const struct program *p)
{
    static const uint32_t gdt[] = {0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300};
    struct vcpu *v = r->cpu;

    t.running = p->name;
    bt_rig_flat(r, 0);
    memset(r->vm.ram, 0, RAM);
    memcpy(r->vm.ram + GDT, gdt, sizeof gdt);
    memcpy(r->vm.ram + CODE, p->code, p->len);
    bt_rig_wrote(r, 0, RAM);
    v->gdtr = (struct table_reg){.base = GDT, .limit = sizeof gdt - 1};
    v->eip = v->next_eip = CODE;
    v->gpr[EAX] = 0x10;
    v->gpr[ECX] = p->ecx;
    v->gpr[EBX] = CODE;
    v->gpr[ESP] = STACK;
}

static void rigs(const struct bt_options *options)
{
    t.interpreted = bt_rig_zeroed(sizeof *t.interpreted);
    t.translated = bt_rig_zeroed(sizeof *t.translated);
    bt_rig_last_words = say_program;
    bt_rig_signals();
    bt_rig_create(t.interpreted, RAM, false);
    bt_rig_create(t.translated, RAM, true);
    bt_rig_options(t.translated, options);
}

/* ---- loops ---- */

/* Runs translated code until the alarm. */
static void run_translated(unsigned us)
{
    struct vcpu *v = t.translated->cpu;

    if (adaptive) {
        t.translated->world.now += TURN_NS;
        t.interpreted->world.now += TURN_NS;
    }
    __atomic_store_n(&v->attention, 0, __ATOMIC_SEQ_CST);
    bt_rig_running = t.translated;
    alarm_in(us, PATIENCE_US);
    while (!(__atomic_load_n(&v->attention, __ATOMIC_SEQ_CST) & ATT_KICK)) {
        bool single = v->shadow_next || !bt_usable(v); /* as monitor/run/run.c does */
        v->shadow_next = 0;
        if (single)
            interp_step(v);
        else
            bt_run(v);
    }
    bt_rig_running = NULL;
    alarm_in(0, 0);
    fpu_park(v);
}

static bool same(void)
{
    const struct vcpu *a = t.interpreted->cpu, *b = t.translated->cpu;

    return a->eip == b->eip && a->eflags == b->eflags && a->shadow_next == b->shadow_next &&
           !memcmp(a->gpr, b->gpr, sizeof a->gpr);
}

static bool interpreter_arrives(void)
{
    struct vcpu *a = t.interpreted->cpu;
    unsigned n;

    for (n = 0; n < PATIENT && !same(); n++) {
        a->shadow_next = 0;
        interp_step(a);
    }
    fpu_park(a);
    return n < PATIENT && !memcmp(t.interpreted->vm.ram, t.translated->vm.ram, RAM);
}

static void loop(const struct program *p)
{
    struct vcpu *v = t.translated->cpu;
    uint64_t breaks = v->stats.break_ins, steps = v->stats.break_steps;

    prepare(t.interpreted, p);
    prepare(t.translated, p);
    for (unsigned n = 0; n < BREAKS; n++) {
        run_translated(20 + n * 7);
        bool ok = interpreter_arrives();
        cr_expect(ok, "%s: a state that the interpreter does not reach: eip %x ecx %x eflags %x",
                  p->name, v->eip, v->gpr[ECX], v->eflags);
        cr_expect(!(v->eflags & EFL_TF), "%s: TF", p->name);
        if (!ok)
            return;
    }
    breaks = v->stats.break_ins - breaks;
    steps = v->stats.break_steps - steps;
    cr_expect(steps <= STEPS * breaks, "%s: %llu steps for %llu signals", p->name,
              (unsigned long long)steps, (unsigned long long)breaks);
}

/* ---- repetitions ---- */

/* mov edi, DATA; mov ecx, COUNT; inc eax; REP STOSB; jmp back */
#define REP_AT (CODE + 11)
static const struct program rep_stos = {
    "rep stosb", 0, 15, {0xbf, 0, 0x80, 0, 0, 0xb9, 0, 0, 0, 0, 0x40, 0xf3, 0xaa, 0xeb, 0xf1}};

/* Bytes [done, COUNT) of DATA are those of the round before. `down`: DF = 1. */
static bool filled(uint32_t count, bool down)
{
    const struct vcpu *v = t.translated->cpu;
    const uint8_t *data = t.translated->vm.ram + DATA;
    uint32_t left = v->gpr[ECX];
    uint8_t now = (uint8_t)v->gpr[EAX];

    if (v->eip != REP_AT)
        return true;
    if (left > count || v->gpr[EDI] != (down ? DATA + left - 1 : DATA + count - left))
        return false;
    for (uint32_t n = 0; n < count; n++)
        if (data[n] != (uint8_t)((down ? n >= left : n < count - left) ? now : now - 1))
            return false;
    return true;
}

static void repetition(uint32_t count, bool down)
{
    struct program p = rep_stos;
    struct vcpu *v = t.translated->cpu;
    uint64_t breaks = v->stats.break_ins, steps = v->stats.break_steps;
    uint32_t from = down ? DATA + count - 1 : DATA;
    unsigned within = 0;

    memcpy(p.code + 1, &from, 4);
    memcpy(p.code + 6, &count, 4);
    prepare(t.translated, &p);
    v->eflags |= down ? EFL_DF : 0;
    v->gpr[EAX] = 0; /* the first round writes 1 */
    for (unsigned n = 0; n < 10 * BREAKS; n++) {
        v->bt.break_in_rep = false;
        run_translated(20 + n);
        within += v->bt.break_in_rep;
        cr_assert(filled(count, down), "%u bytes%s: eip %x ecx %x edi %x", count,
                  down ? " down" : "", v->eip, v->gpr[ECX], v->gpr[EDI]);
    }
    breaks = v->stats.break_ins - breaks;
    steps = v->stats.break_steps - steps;
    cr_expect(within > 0, "%u bytes%s: no repetition was cut in two", count, down ? " down" : "");
    cr_expect(steps <= STEPS * breaks, "%u bytes: %llu steps for %llu signals", count,
              (unsigned long long)steps, (unsigned long long)breaks);
}

/* ---- many signals ---- */

/* A loop with an end: xorshift of EAX through the stack, calls, a fill; ECX rounds; HLT. */
static const struct program rounds = {
    "rounds",
    300000,
    39,
    {0x50, 0x9c, 0x58, 0x09, 0xc6, 0x58,       /* push eax; pushf; pop eax; or esi, eax; pop eax */
     0x89, 0xc2, 0xc1, 0xe2, 0x0d, 0x31, 0xd0, /* mov edx, eax; shl edx, 13; xor eax, edx */
     0x89, 0xc2, 0xc1, 0xea, 0x11, 0x31, 0xd0, /* the same with shr 17 */
     0xe8, 0x08, 0,    0,    0,                /* call f */
     0x49, 0x75, 0xe4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, /* dec ecx; jnz; hlt */
     0x01, 0xc7, 0x53, 0x5b, 0x90, 0xc3}};           /* f: add edi, eax; push, pop ebx; nop */

static void storm(void)
{
    const struct program *p = &rounds;
    struct vcpu *v;

    prepare(t.interpreted, p);
    bt_rig_run(t.interpreted);
    for (unsigned n = 0; n < 20; n++) {
        prepare(t.translated, p);
        v = t.translated->cpu;
        alarm_in(20, 20);
        unsigned reason = bt_rig_run(t.translated);
        alarm_in(0, 0);
        cr_expect(reason != EXIT_SLICE && same(), "round %u: eip %x ecx %x eax %x esi %x", n,
                  v->eip, v->gpr[ECX], v->gpr[EAX], v->gpr[ESI]);
        cr_expect(!(v->gpr[ESI] & EFL_TF), "TF in an image of PUSHF");
    }
}

/* ---- host_emulate() against the host's CPU ---- */

#define WALK 200u /* host instructions after each alarm */

static struct {
    bool expects; /* what the next single step must find: */
    struct host_regs want;
    unsigned left, checked, wrong;
    uint64_t rip;
} walk;

static void regs_of(struct host_regs *r, const void *context)
{
    static const uint8_t greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                        REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                        REG_R12, REG_R13, REG_R14, REG_R15};
    const greg_t *reg = ((const ucontext_t *)context)->uc_mcontext.gregs;

    memset(r, 0, sizeof *r); /* all of it is compared */
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        r->gpr[n] = (uint64_t)reg[greg_of[n]];
    r->rip = (uint64_t)reg[REG_RIP];
    r->rflags = (uint64_t)reg[REG_EFL] & (EFL_ARITH | EFL_DF);
}

/* Executes the instruction on a copy, its stores too, which the CPU then repeats. */
static void walk_on(void *context)
{
    greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct vcpu *v = t.translated->cpu;

    regs_of(&walk.want, context);
    walk.expects = false;
    if (!bt_owns(v, walk.want.rip) || !v->bt.in_cache) {
        reg[REG_EFL] &= ~(greg_t)EFL_TF;
        vcpu_attend(v, ATT_KICK);
        return;
    }
    if (--walk.left == 0 || *(const uint8_t *)walk.want.rip == 0x9c) { /* PUSHFQ would show TF */
        vcpu_attend(v, ATT_KICK);
        host_trap_break_in(v, context);
        walk.left = 0;
        return;
    }
    uint64_t rip = walk.want.rip;
    walk.expects = host_emulate(v, &walk.want);
    walk.checked += walk.expects;
    walk.rip = rip;
    reg[REG_EFL] |= EFL_TF;
}

static void on_step(int sig, siginfo_t *info, void *context)
{
    struct host_regs now;

    if (!walk.left) {
        bt_rig_on_signal(sig, info, context);
        return;
    }
    regs_of(&now, context);
    if (walk.expects && memcmp(&now, &walk.want, sizeof now))
        walk.wrong++;
    if (walk.wrong)
        walk.left = 1;
    walk_on(context);
}

static void on_walk_alarm(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    if (!bt_rig_running || (((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] & EFL_TF))
        return;
    walk.left = WALK;
    walk_on(context);
}

static void walks(bool soft_only)
{
    struct bt_options options = {.soft_only = soft_only, .no_aliased = true};
    struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    rigs(&options);
    bt_rig_break_signal(on_walk_alarm);
    sigaddset(&sa.sa_mask, SIGALRM); /* its handler, too, writes walk.want */
    sigaction(SIGTRAP, &sa, NULL);
    for (unsigned n = 0; n < ARRAY_LEN(programs); n++) {
        prepare(t.translated, &programs[n]);
        for (unsigned k = 0; k < BREAKS; k++) {
            run_translated(50);
            cr_assert(
                !walk.wrong, "%s: at arena offset %llx", programs[n].name,
                (unsigned long long)(walk.rip - (uintptr_t)t.translated->world.cpu_host.cache.rx));
        }
    }
    cr_expect(walk.checked > 20000, "only %u", walk.checked);
}

Test(bt_break, advance_windows)
{
    walks(false);
}

Test(bt_break, advance_software_tlb)
{
    walks(true);
}

/* ---- */

static void all(bool soft_only)
{
    struct bt_options options = {.soft_only = soft_only, .no_aliased = !adaptive};

    rigs(&options);
    bt_rig_break_signal(on_alarm);
    for (unsigned n = 0; n < ARRAY_LEN(programs); n++)
        loop(&programs[n]);
    repetition(4096, false);
    if (!soft_only) {
        repetition(0x7000, false);
        repetition(0x7000, true);
    }
    storm();
    cr_expect(t.translated->cpu->stats.break_ins > ARRAY_LEN(programs) * BREAKS / 2);
}

Test(bt_break, windows)
{
    all(false);
}

Test(bt_break, windows_adaptive)
{
    adaptive = true;
    all(false);
}

Test(bt_break, software_tlb_adaptive)
{
    adaptive = true;
    all(true);
}

Test(bt_break, software_tlb)
{
    all(true);
}
