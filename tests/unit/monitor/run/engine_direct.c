/* SPDX-License-Identifier: MIT */
/* uses: monitor/cpu/engine.c host/linux/trap_context.c */
/*
 * engine_direct.c - a third engine beside interpreter and translator, which runs 32-bit guest code
 * as it is, in the host CPU's compatibility mode: signals reach it through the table of engines,
 * and nobody else's code knows it.
 *
 * What of    The guest's code and data lie in the host at their linear addresses (two pages). Code
 *            of CPL 3 runs directly; every trap, and whatever breaks in, leaves at that
 *            instruction, and the interpreter goes on.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>
#include <sys/time.h>

#define CODE    0x00200000u /* linear and physical; with a page behind it that is not there */
#define DATA    0x00300000u
#define RAM     (4u << 20)
#define CS32    0x23u /* Linux' 32-bit code segment, its data segment, its 64-bit code segment */
#define DS      0x2bu
#define CS64    0x33u
#define DIRECT  (1u << GUEST_PAGE_SHIFT)
#define NOWHERE (CODE + DIRECT)
#define ABSENT  0x12004000u
#define HLT     0xf4

/* What the assembler and the handlers share. */
struct {
    uint32_t gpr[GPR_COUNT]; /* of the guest, on entry */
    uint64_t rsp;            /* the monitor's, while the guest runs; else 0 */
    struct {
        uint32_t eip;
        uint16_t cs;
    } target;
} direct_now;
void direct_enter(void);
extern const char direct_left[];

/* IN direct_now.gpr, .target. The handlers take the guest's registers and lead to direct_left.
 * ASSUMES signals have a stack of their own. CLOBBERS DS and ES, which 64-bit code does not use. */
__asm__(".text\n"
        "direct_enter:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
        "  lea direct_now(%rip), %r8\n"
        "  mov %rsp, 32(%r8)\n"
        "  mov (%r8), %eax; mov 4(%r8), %ecx; mov 8(%r8), %edx; mov 12(%r8), %ebx\n"
        "  mov 16(%r8), %esp; mov 20(%r8), %ebp; mov 24(%r8), %esi; mov 28(%r8), %edi\n"
        "  ljmp *40(%r8)\n"
        "direct_left:\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");
_Static_assert(offsetof(__typeof__(direct_now), rsp) == 32 &&
                   offsetof(__typeof__(direct_now), target) == 40,
               "the offsets in direct_enter");

static struct {
    unsigned runs, traps, breaks, others; /* others: asked, and it was none of ours */
    bool trapped;                         /* the last stay ended in a trap */
    enum trap_kind kind[2];               /* of the first traps */
    uint64_t addr[2];
} seen;

static bool takes(struct vcpu *v)
{
    return v->cpl == 3 && !engine_single(v) && v->eip - CODE < DIRECT;
}

static void run(struct vcpu *v)
{
    seen.runs++;
    seen.trapped = false;
    memcpy(direct_now.gpr, v->gpr, sizeof direct_now.gpr);
    direct_now.target.eip = v->eip;
    direct_now.target.cs = CS32;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    /* A signal from here to the guest's first instruction waits for the next one: a test's luxury.
     * */
    if (!__atomic_load_n(&v->attention, __ATOMIC_RELAXED))
        direct_enter();
    if (seen.trapped)
        interp_step(v);
}

static bool leave(struct vcpu *v, struct host_regs *r)
{
    if (r->cs != CS32 || !direct_now.rsp) {
        seen.others++;
        return false;
    }
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = (uint32_t)r->gpr[n];
    v->eip = v->next_eip = (uint32_t)r->rip;
    v->eflags = (v->eflags & ~(uint32_t)EFL_ARITH) | ((uint32_t)r->rflags & EFL_ARITH);
    r->gpr[ESP] = direct_now.rsp;
    r->rip = (uintptr_t)direct_left;
    r->cs = CS64;
    r->ss = DS;
    direct_now.rsp = 0;
    return true;
}

static bool host_trap(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr)
{
    if (!leave(v, r))
        return false;
    seen.trapped = true;
    if (seen.traps < ARRAY_LEN(seen.kind)) {
        seen.kind[seen.traps] = kind;
        seen.addr[seen.traps] = addr;
    }
    seen.traps++;
    return true;
}

static bool break_in(struct vcpu *v, struct host_regs *r)
{
    if (!leave(v, r))
        return false;
    seen.breaks++;
    return true;
}

static const struct engine direct_engine = {.name = "direct",
                                            .takes = takes,
                                            .run = run,
                                            .needs_alarm = true,
                                            .host_trap = host_trap,
                                            .break_in = break_in};

/* ---- */

static struct bt_rig *rig;

static void on_alarm(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    if (!bt_rig_running)
        return;
    rig->world.now += NS_PER_SEC / 10; /* after ten of them the slice is over */
    vcpu_attend(bt_rig_running->cpu, ATT_KICK);
    host_trap_break_in(bt_rig_running->cpu, context);
}

static void start(void)
{
    static const uint32_t at[] = {CODE, DATA};

    rig = bt_rig_zeroed(sizeof *rig);
    bt_rig_create(rig, RAM, true);
    engine_add(rig->cpu, &direct_engine);
    for (unsigned n = 0; n < ARRAY_LEN(at); n++)
        cr_assert(mmap((void *)(uintptr_t)at[n], GUEST_PAGE_SIZE,
                       PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE,
                       rig->ram.fd, at[n]) == (void *)(uintptr_t)at[n]);
    cr_assert(mmap((void *)(uintptr_t)NOWHERE, GUEST_PAGE_SIZE, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);
    bt_rig_signals();
    bt_rig_break_signal(on_alarm);
}

/* Guest code at CODE, CPL 3; it ends with HLT in ring 3, whose #GP nothing handles: a shutdown. */
static struct vcpu *guest(const uint8_t *code, size_t len)
{
    bt_rig_flat(rig, 3);
    rig->cpu->eip = rig->cpu->next_eip = CODE;
    rig->cpu->gpr[ESP] = DATA + 0x800;
    memcpy(rig->vm.ram + CODE, code, len);
    bt_rig_wrote(rig, CODE, len);
    memset(&seen, 0, sizeof seen);
    return rig->cpu;
}

Test(engine_direct, traps, .init = start)
{
    /* mov eax, 5; add eax, ebx; push eax; mov [DATA], eax; hlt */
    static const uint8_t privileged[] = {0xb8, 5,    0, 0, 0,    0x01, 0xd8,
                                         0x50, 0xa3, 0, 0, 0x30, 0,    HLT};
    static const uint8_t divides[] = {0x31, 0xc9, 0xf7, 0xf1}; /* xor ecx, ecx; div ecx */
    /* mov dword [ABSENT], 1; mov ecx, [ABSENT]; jmp NOWHERE */
    static const uint8_t writes[] = {0xc7, 0x05, 0, 0x40, 0, 0x12, 1, 0, 0, 0, HLT};
    static const uint8_t reads[] = {0x8b, 0x0d, 0, 0x40, 0, 0x12, HLT};
    static const uint8_t jumps[] = {0xe9, 0xfb, 0x0f, 0, 0};
    struct vcpu *v = guest(privileged, sizeof privileged);

    v->gpr[EBX] = 37;
    cr_expect(bt_rig_run(rig) == EXIT_TRIPLE_FAULT && v->gpr[EAX] == 42);
    cr_expect(v->eip == CODE + 13 && v->gpr[ESP] == DATA + 0x7fc);
    cr_expect(seen.runs == 1 && seen.traps == 1 && seen.kind[0] == TRAP_OTHER && !seen.others);
    cr_expect(*(uint32_t *)(void *)(rig->vm.ram + DATA) == 42);
    guest(divides, sizeof divides);
    cr_expect(bt_rig_run(rig) == EXIT_TRIPLE_FAULT && seen.kind[0] == TRAP_OTHER);
    cr_expect(v->eip == CODE + 2 && (v->eflags & EFL_ZF));
    /* The host has nothing there; for the guest it is beyond its RAM, which is no fault. */
    guest(writes, sizeof writes);
    cr_expect(bt_rig_run(rig) == EXIT_TRIPLE_FAULT && v->eip == CODE + sizeof writes - 1);
    cr_expect(seen.traps == 2 && seen.kind[0] == TRAP_WRITE && seen.addr[0] == ABSENT);
    guest(reads, sizeof reads);
    cr_expect(bt_rig_run(rig) == EXIT_TRIPLE_FAULT && v->eip == CODE + sizeof reads - 1);
    cr_expect(seen.traps == 2 && seen.kind[0] == TRAP_READ && seen.addr[0] == ABSENT);
    cr_expect(v->gpr[ECX] == ~0u);
    guest(jumps, sizeof jumps);
    rig->vm.ram[NOWHERE] = HLT;
    cr_expect(bt_rig_run(rig) == EXIT_TRIPLE_FAULT && v->eip == NOWHERE);
    cr_expect(seen.traps == 1 && seen.kind[0] == TRAP_FETCH && seen.addr[0] == NOWHERE);
}

/* inc eax; inc ecx; jmp back: would never leave by itself. */
Test(engine_direct, break_in, .init = start)
{
    static const uint8_t loop[] = {0x40, 0x41, 0xeb, 0xfc};
    struct itimerval t = {.it_value = {.tv_usec = 2000}, .it_interval = {.tv_usec = 2000}};
    struct vcpu *v = guest(loop, sizeof loop);

    setitimer(ITIMER_REAL, &t, NULL);
    cr_expect_eq(bt_rig_run(rig), EXIT_SLICE);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    cr_expect(seen.breaks > 0 && seen.breaks <= seen.runs && seen.traps == 0);
    cr_expect(v->eip - CODE < sizeof loop && v->gpr[EAX] == v->gpr[ECX] + (v->eip == CODE + 1));
    cr_expect(v->gpr[ECX] > 1000);
}

/* Another engine's traps are still that one's, though this one is asked first; and a debug trap
 * that nobody asked for is forgotten. */
Test(engine_direct, beside_the_translator, .init = start)
{
    /* mov ecx, 1000; mov [DATA], ecx; dec ecx; jnz back; hlt */
    static const uint8_t code[] = {0xb9, 0xe8, 3, 0,    0,    0x89, 0x0d, 0,
                                   0,    0x30, 0, 0x49, 0x75, 0xf7, HLT};
    struct vcpu *v = guest(code, sizeof code);

    bt_rig_flat(rig, 0);
    v->eip = v->next_eip = CODE;
    cr_expect(bt_rig_run(rig) == EXIT_SHUTDOWN_HALT && v->gpr[ECX] == 0);
    cr_expect(v->stats.hidden_faults > 0 && seen.others >= v->stats.hidden_faults);
    cr_expect(seen.runs == 0 && seen.traps == 0);
    bt_rig_running = rig;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop" ::: "memory", "cc");
    uint64_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags)::"memory");
    bt_rig_running = NULL;
    cr_expect(!(flags & EFL_TF) && seen.traps == 0);
}
