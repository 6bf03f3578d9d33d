/* SPDX-License-Identifier: MIT */
/*
 * native.c - the CPU itself as the judge: a case of CPL 3 with flat segments runs in a 32-bit
 * process (native32.c) on the same memory at the same addresses, and ends with the same fault in
 * the same state - or a rule of native_rules.c says why not.
 *
 * Compared   General registers, EFLAGS, selectors, x87, MMX and SSE state, memory; vector, error
 *            code and, of #PF, CR2.
 * Left out   Instructions that gen.c does not make for such cases (its table native_not; when a
 *            wild jump meets one: the rules); the x87 pointers (tests/user compares them); RPL of
 *            null selectors, which Linux clears.
 * Rules      When a case differs, single steps of the CPU find the instruction where it begins to.
 *            That one runs alone from the guest's state; a rule may excuse some of what differs
 *            then, and all else is compared. Behind it the CPU goes on from the guest's state, so
 *            that the rest of the case is compared, too.
 * Source     Linux' i386 ABI (native32.c).
 */
#include "tests/bt/native_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "monitor/cpu/fpu_image.h"
#include "monitor/cpu/trace.h"

#define SHARED_BYTES (NATIVE_RAM + NATIVE_IO_BYTES)
#define PATIENCE_MS  8000
#define AGAIN        2     /* times that a case which does not end is tried once more */
#define ROUNDS       100   /* instructions of a case that rules may excuse */
#define VENDOR_WORK  20000 /* ... of its way times those that native_vendor.c knows */

static struct {
    const char *path;
    pid_t pid;
    int memory, go, done;
    uint8_t *ram;
    struct native_io *io;
    unsigned (*run)(struct bt_rig *r); /* the present case again */
    unsigned long long cases, late, cut;
} n;

/* ---- the companion ---- */

/* Returns how it ended: by itself, or by SIGKILL. */
static int stop(void)
{
    int status = 0;

    usleep(10000); /* it may be about to die */
    kill(n.pid, SIGKILL);
    waitpid(n.pid, &status, 0);
    close(n.go);
    close(n.done);
    n.pid = 0;
    return status;
}

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Is it asleep? Then it locked the bus, and the host has it wait (gen.c, native_locks()). */
static bool sleeps(void)
{
    char path[32], text[256] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", (int)n.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    const char *state = len > 0 ? strrchr(text, ')') : NULL;
    return state && (state[2] == 'S' || state[2] == 'D');
}

/* The byte that says that a case is over. Kicks interrupt the wait. */
static bool await(void)
{
    struct pollfd p = {.fd = n.done, .events = POLLIN};
    int64_t end = milliseconds() + PATIENCE_MS;
    char byte;
    int got;

    do
        got = poll(&p, 1, 1000);
    while (got <= 0 && (got == 0 || errno == EINTR) &&
           (milliseconds() < end || (milliseconds() < end + 300000 && sleeps())));
    if (got <= 0)
        return false;
    do
        got = (int)read(n.done, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

static bool go(void)
{
    int put;

    do
        put = (int)write(n.go, "", 1);
    while (put < 0 && errno == EINTR);
    return put == 1 && await();
}

static void companion(int go_end, int done_end)
{
    /* Above what it uses, so that none of the copies overwrites another. */
    int memory = fcntl(n.memory, F_DUPFD, 10), in = fcntl(go_end, F_DUPFD, 10),
        out = fcntl(done_end, F_DUPFD, 10);
    char *argv[] = {(char *)n.path, NULL}, *env[] = {NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it may be in an endless loop */
    dup2(memory, NATIVE_MEM);
    dup2(in, NATIVE_GO);
    dup2(out, NATIVE_DONE);
    for (int fd = NATIVE_DONE + 1; fd < 64; fd++)
        close(fd);
    execve(n.path, argv, env);
    _exit(2);
}

static bool start(void)
{
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        return false;
    n.pid = fork();
    if (n.pid == 0)
        companion(to[0], from[1]);
    close(to[0]);
    close(from[1]);
    n.go = to[1];
    n.done = from[0];
    if (n.pid > 0 && await())
        return true;
    if (n.pid > 0)
        stop();
    return false;
}

bool native_start(const char *path, unsigned (*run)(struct bt_rig *r))
{
    n.path = path;
    n.run = run;
    signal(SIGPIPE, SIG_IGN);
    n.memory = memfd_create("bt-random", MFD_CLOEXEC);
    if (n.memory < 0 || ftruncate(n.memory, SHARED_BYTES))
        return false;
    n.ram = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, n.memory, 0);
    if (n.ram == MAP_FAILED)
        return false;
    n.io = (struct native_io *)(n.ram + NATIVE_RAM);
    paging_native_frames(n.io);
    if (!paging_native_agrees(n.io)) {
        fprintf(stderr, "paging.c: other pages for the guest than for the 32-bit process\n");
        exit(2);
    }
    return start();
}

/* ---- the guest's end ---- */

/* State at the fault that ended the case: the handler is a HLT, and the kernel's stack has the
 * rest. */
struct end {
    unsigned vector;
    uint32_t error, cr2;
    struct snapshot snapshot;
};

static bool has_error(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC;
}

static void take(struct snapshot *s, const struct vcpu *v)
{
    memcpy(s->s.gpr, v->gpr, sizeof s->s.gpr);
    s->s.eip = v->eip;
    s->s.eflags = v->eflags;
    for (unsigned k = 0; k < SEG_COUNT; k++) {
        s->s.seg[k] = v->seg[k].sel;
        s->base[k] = v->seg[k].base;
    }
    memcpy(s->s.fx, v->fpu.area, sizeof s->s.fx);
    memcpy(s->ram, v->vm->ram, RAM_BYTES);
}

static bool end_of(const struct bt_rig *r, struct end *e)
{
    const struct vcpu *v = r->cpu;
    const uint8_t *frame = v->vm->ram + v->gpr[ESP];
    struct native_state *s = &e->snapshot.s;

    if (v->eip <= HANDLER_AT || v->eip >= HANDLER_AT + 0x1000 || v->gpr[ESP] >= STACK0_AT ||
        v->gpr[ESP] < STACK0_AT - 24)
        return false;
    take(&e->snapshot, v);
    e->vector = (v->eip - HANDLER_AT) / 16;
    e->error = has_error(e->vector) ? image_get32(frame, 0) : 0;
    frame += has_error(e->vector) ? 4 : 0;
    e->cr2 = v->cr2;
    s->eip = image_get32(frame, 0);
    s->seg[SEG_CS] = image_get16(frame, 4);
    s->eflags = image_get32(frame, 8);
    s->gpr[ESP] = image_get32(frame, 12);
    s->seg[SEG_SS] = image_get16(frame, 16);
    return true;
}

/* ---- comparing ---- */

struct diff {
    FILE *out;
    unsigned count;
};

static void check(struct diff *d, const char *what, unsigned k, uint32_t guest, uint32_t native)
{
    if (guest == native)
        return;
    d->count++;
    if (d->out)
        fprintf(d->out, "  %s %x: interpreted 0x%08x   CPU 0x%08x\n", what, k, guest, native);
}

/* Linux clears the RPL of a null selector, */
static uint16_t plain_selector(uint16_t sel)
{
    return sel_is_null(sel) ? 0 : sel;
}

/* and begins with RPL 3 in all others, behind every single step, too. */
static bool as_begun(unsigned k, uint16_t guest)
{
    return (n.io->steps || guest == n.io->in.seg[k]) && n.io->out.seg[k] == (guest | 3);
}

/* Bits of the error code that cannot be the same. */
static uint32_t error_mask(const struct unit *u)
{
    uint32_t mask = 0xffff, page = u->cr2 >> 12;

    if (u->vector != VEC_PF)
        return mask;
    if (!u->c->nx)
        mask &= ~PFE_I; /* the host always has NX */
    if (page < NATIVE_FROM >> 12 || (page < NATIVE_RAM >> 12 && n.io->rights[page] == NATIVE_NONE))
        mask &= ~PFE_P; /* the supervisor's page there is absent here */
    return mask;
}

/* Register Rn of the x87, the image of which begins with ST(0). */
static uint32_t x87_word(const uint8_t *image, unsigned reg, unsigned word)
{
    unsigned top = image_get16(image, FX_FSW) >> FSW_TOP_SHIFT & 7;

    return image_get16(image, FX_ST + 16 * ((reg - top) & 7) + 2 * word);
}

static void compare_fpu(struct diff *d, const struct allowance *a, const uint8_t *guest,
                        const uint8_t *native)
{
    uint32_t fsw = a->mmx ? 7u << FSW_TOP_SHIFT : 0;

    if (!a->fpu) {
        check(d, "fcw", 0, image_get16(guest, FX_FCW), image_get16(native, FX_FCW));
        check(d, "fsw", 0, image_get16(guest, FX_FSW) & ~fsw, image_get16(native, FX_FSW) & ~fsw);
        if (!a->mmx || native[FX_FTW] != 0xff)
            check(d, "ftw", 0, guest[FX_FTW], native[FX_FTW]);
        for (unsigned k = 0; k < 40; k++)
            check(d, "r word", k, x87_word(guest, k / 5, k % 5), x87_word(native, k / 5, k % 5));
    }
    if (a->xmm)
        return;
    check(d, "mxcsr", 0, image_get32(guest, FX_MXCSR), image_get32(native, FX_MXCSR));
    for (unsigned k = 0; k < 32; k++)
        check(d, "xmm dword", k, image_get32(guest, FX_XMM + 4 * k),
              image_get32(native, FX_XMM + 4 * k));
}

uint32_t native_frame_of(const struct native_io *io, uint32_t at)
{
    uint32_t low = at & GUEST_PAGE_MASK;

    if (at >> 12 == 0x80000)
        return io->high << 12 | low;
    return at < NATIVE_RAM ? (uint32_t)io->frame[at >> 12] << 12 | low : at;
}

static bool may_differ(const struct allowance *a, uint32_t at)
{
    for (unsigned r = 0; r < ARRAY_LEN(a->ram); r++)
        for (uint32_t k = 0; k < a->ram[r].bytes; k++)
            if (native_frame_of(n.io, a->ram[r].at + k) == at)
                return true;
    return false;
}

static void compare_ram(struct diff *d, const struct allowance *a, const uint8_t *guest)
{
    unsigned shown = 0;

    if (!memcmp(guest + NATIVE_FROM, n.ram + NATIVE_FROM, NATIVE_RAM - NATIVE_FROM))
        return;
    for (uint32_t at = NATIVE_FROM; at < NATIVE_RAM && shown < 12; at++)
        if (guest[at] != n.ram[at] && !may_differ(a, at)) {
            check(d, "ram", at, guest[at], n.ram[at]);
            shown++;
        }
}

static unsigned compare_unit(const struct unit *u, const struct allowance *a, FILE *out)
{
    const struct native_state *g = &u->after->s, *s = &n.io->out;
    uint32_t flags = ~(EFL_RF | a->eflags), mask = error_mask(u);
    struct diff d = {.out = out};

    if (a->everything)
        return 0;
    if (!a->vector)
        check(&d, "vector", 0, u->vector, n.io->vector);
    if (!a->eip)
        check(&d, "eip", 0, g->eip, s->eip);
    if (!a->error && u->vector == n.io->vector && has_error(u->vector))
        check(&d, "error code", 0, u->error & mask, n.io->error & mask);
    if (!a->cr2 && u->vector == VEC_PF && n.io->vector == VEC_PF)
        check(&d, "cr2", 0, u->cr2, n.io->cr2);
    for (unsigned k = 0; k < GPR_COUNT; k++)
        if (!(a->gpr & 1u << k))
            check(&d, "register", k, g->gpr[k], s->gpr[k]);
    if (n.io->steps)
        flags &= ~EFL_TF;
    check(&d, "eflags", 0, g->eflags & flags, s->eflags & flags);
    for (unsigned k = 0; k < SEG_COUNT; k++)
        if (!(a->seg & 1u << k) && !as_begun(k, g->seg[k]))
            check(&d, "selector", k, plain_selector(g->seg[k]), plain_selector(s->seg[k]));
    compare_fpu(&d, a, g->fx, s->fx);
    compare_ram(&d, a, u->after->ram);
    return d.count;
}

/* ---- the guest's way ---- */

/* The guest's instructions in the order of execution; the last one ends the case. A fetch that
 * faults counts as one. */
static struct {
    struct bt_rig *r;
    unsigned count, want; /* want: where to take a snapshot */
    struct snapshot *into;
    uint32_t eip; /* of the last */
    bool rep;
    uint8_t kind[NATIVE_STEPS]; /* STEP_* */
} way;

static const struct allowance none;

static bool decode_at(const struct snapshot *s, struct insn *i)
{
    struct decode_mode mode = {.code32 = true, .stack32 = true};
    uint8_t bytes[INSN_MAX_LEN] = {0};

    for (unsigned k = 0; k < sizeof bytes; k++) {
        uint32_t at = native_frame_of(n.io, s->s.eip + k);
        if (at >= RAM_BYTES && k == 0)
            return false;
        bytes[k] = at < RAM_BYTES ? s->ram[at] : 0;
    }
    return decoder_decode(&way.r->vm.decoder, mode, bytes, sizeof bytes, i) == DECODE_OK;
}

static bool repeats(const struct insn *i)
{
    return i->prefixes & (PFX_REP | PFX_REPNE) &&
           (i->op == OP_movs || i->op == OP_cmps || i->op == OP_stos || i->op == OP_lods ||
            i->op == OP_scas);
}

static uint8_t kind_of(const struct insn *i)
{
    bool ss = (i->op == OP_mov_seg || i->op == OP_pop_seg) && i->operand[0].kind == OPK_SEG &&
              i->operand[0].reg == SEG_SS;

    return (repeats(i) ? STEP_REP : 0) | (i->op == OP_pushf ? STEP_PUSHF : 0) |
           (ss ? STEP_SHADOW : 0);
}

static void on_step(void *opaque, unsigned stage, const char *text)
{
    static struct snapshot now;
    const struct vcpu *v = ((struct bt_rig *)opaque)->cpu;
    struct insn i = {0};

    (void)stage, (void)text;
    if (v->cpl == 0)
        return; /* the handler */
    now.s.eip = v->eip;
    for (uint32_t k = 0; k < INSN_MAX_LEN; k++) {
        uint32_t at = native_frame_of(n.io, v->eip + k);
        if (at < RAM_BYTES)
            now.ram[at] = v->vm->ram[at];
    }
    bool have = decode_at(&now, &i), rep = have && repeats(&i);
    if (way.count && rep && way.rep && v->eip == way.eip)
        return; /* it let go in the middle */
    if (way.into && way.count == way.want)
        take(way.into, v);
    if (way.count < NATIVE_STEPS)
        way.kind[way.count] = have ? kind_of(&i) : 0;
    way.count++;
    way.eip = v->eip;
    way.rep = rep;
}

/* Runs it interpreted up to instruction `want`. */
static void guest_to(unsigned want, const struct end *e, struct snapshot *into)
{
    struct vmm_host *h = &way.r->host;
    void (*trace)(void *, unsigned, const char *) = h->trace;

    way.want = want;
    way.into = into;
    way.count = 0;
    h->trace = on_step;
    h->trace_mask = TRACE_BIT(TRACE_EXEC);
    n.run(way.r);
    h->trace_mask = 0;
    h->trace = trace;
    bool soft = e->vector == VEC_BP || e->vector == VEC_OF || e->vector == 0x80;
    if (!soft && e->snapshot.s.eip != way.eip) { /* a fetch, or a trap behind the last */
        if (into && want == way.count)
            *into = e->snapshot;
        if (way.count < NATIVE_STEPS)
            way.kind[way.count] = 0;
        way.count++;
    }
}

/* ---- the CPU's ---- */

/* A case that goes on for ever, or destroyed the companion. */
static void restart(void)
{
    stop();
    if (!start())
        n.pid = 0;
    memset(&n.io->out, 0, sizeof n.io->out);
    n.io->signal = n.io->error = n.io->cr2 = 0;
    n.io->vector = NO_VECTOR;
}

/* From that state `steps` instructions of the way, the first of which is number `at`; 0: to the
 * end. False: it did not stop. */
static bool cpu_run(const struct snapshot *s, unsigned at, unsigned steps)
{
    memcpy(n.ram + NATIVE_FROM, s->ram + NATIVE_FROM, NATIVE_RAM - NATIVE_FROM);
    n.io->in = s->s;
    n.io->steps = steps;
    memcpy(n.io->step, way.kind + at, steps);
    if (n.pid && go())
        return true;
    restart();
    return false;
}

static bool end_is_same(const struct unit *u)
{
    return !compare_unit(u, &none, NULL);
}

/* Is the CPU at instruction `to` in the guest's state, when it begins at `from` in that of *s? */
static bool same_at(const struct unit *end, const struct end *e, const struct snapshot *s,
                    unsigned from, unsigned to)
{
    static struct snapshot there;
    struct unit u = *end;

    if (!cpu_run(s, from, to - from))
        return false;
    guest_to(to, e, &there);
    u.vector = NATIVE_STOPPED;
    u.after = &there;
    return !compare_unit(&u, &none, NULL);
}

/* Behind MOV SS the CPU does not stop. */
static bool can_stop(unsigned at)
{
    return !(way.kind[at - 1] & STEP_SHADOW);
}

/* The instruction at which the CPU begins to differ from the guest. */
static unsigned where_it_differs(const struct unit *end, const struct end *e,
                                 const struct snapshot *s, unsigned from)
{
    unsigned same = from, differs = way.count, last = way.count - 1;

    if (last > from && can_stop(last) && same_at(end, e, s, from, last))
        return last; /* mostly */
    if (last > from && can_stop(last))
        differs = last;
    while (differs - same > 1) {
        unsigned at = same + (differs - same) / 2;
        while (at > same && !can_stop(at))
            at--;
        if (at == same)
            at = same + (differs - same) / 2 + 1;
        while (at < differs && !can_stop(at))
            at++;
        if (at >= differs)
            break;
        if (same_at(end, e, s, from, at))
            same = at;
        else
            differs = at;
    }
    return differs - 1;
}

/* ---- one that differs ---- */

static bool excused(const struct unit *u)
{
    struct allowance a;

    for (unsigned k = 0; rule_next(u, &k, &a); k++)
        if (!compare_unit(u, &a, NULL)) {
            rule_count(k);
            return true;
        }
    return false;
}

static struct unit unit_at(const struct unit *end, const struct end *e, unsigned at)
{
    static struct snapshot before, after;
    struct unit u = *end;
    bool last = at == way.count - 1;

    guest_to(at, e, &before);
    if (!last) {
        guest_to(at + 1, e, &after);
        u.vector = NATIVE_STOPPED;
        u.after = &after;
    }
    u.before = &before;
    u.have_insn = decode_at(&before, &u.i);
    return u;
}

/* In single steps all is the same. Is there a REP that the CPU may take in larger pieces, and that
 * alone makes the difference? It runs up to a HLT behind it. */
static bool differs_freely(const struct unit *end, const struct end *e, unsigned from)
{
    static const struct snapshot *behind;
    static struct snapshot stopped;
    struct allowance a;

    for (unsigned at = way.count - 1; at-- > from;) {
        if (!(way.kind[at] & STEP_REP))
            continue;
        struct unit u = unit_at(end, e, at);
        uint32_t next = native_frame_of(n.io, u.after->s.eip);
        if (!rule_runs_freely(&u, &a) || next >= RAM_BYTES)
            continue;
        behind = u.after;
        if (!cpu_run(behind, 0, 0) || !end_is_same(end))
            return false;
        stopped = *u.before;
        stopped.ram[next] = 0xf4;
        if (!cpu_run(&stopped, 0, 0) || n.io->vector != VEC_GP)
            return false;
        n.ram[next] = behind->ram[next];
        n.io->vector = NATIVE_STOPPED;
        if (end_is_same(&u))
            continue;
        if (compare_unit(&u, &a, NULL))
            return false;
        rule_count(rule_freely);
        return true;
    }
    return false;
}

static void print_unit(const struct unit *u, unsigned at, FILE *out)
{
    char text[128] = "(no instruction of the CPU model)";

    if (u->have_insn)
        decoder_format(&way.r->vm.decoder, &u->i, u->before->s.eip, true, text, sizeof text);
    fprintf(out, "  at instruction %u of %u, 0x%08x: %s\n", at + 1, way.count, u->before->s.eip,
            text);
}

/* Returns the number of differences that no rule excuses. */
static unsigned examine(const struct unit *end, const struct end *e, FILE *out)
{
    static struct snapshot from;
    unsigned first = 0, by_vendor = 0;
    struct allowance a;

    guest_to(0, e, &from);
    for (unsigned round = 0; round < ROUNDS && way.count <= NATIVE_STEPS; round++) {
        unsigned at = where_it_differs(end, e, &from, first);
        struct unit u = unit_at(end, e, at);
        cpu_run(u.before, at, 1);
        /* A fault in single steps may leave less done. */
        if (at == way.count - 1 && end_is_same(&u))
            cpu_run(u.before, at, 0);
        if (end_is_same(&u)) {
            if (differs_freely(end, e, first))
                return 0;
            if (out)
                fprintf(out, "  in single steps all is the same\n");
            break;
        }
        if (!excused(&u)) {
            if (out)
                print_unit(&u, at, out);
            return compare_unit(&u, &none, out);
        }
        if (at == way.count - 1)
            return 0;
        /* In a loop it differs each time: the rest of the case is not compared with the CPU. */
        by_vendor += vendor_differs(&u, &a);
        if (by_vendor == ROUNDS || by_vendor * way.count > VENDOR_WORK) {
            n.cut++;
            return 0;
        }
        /* The single-step trap behind it, which ends the case, came with it. */
        if (at == way.count - 2 && e->vector == VEC_DB && e->snapshot.s.eip == u.after->s.eip)
            return 0;
        from = *u.after;
        first = at + 1;
        if (cpu_run(&from, first, 0) && end_is_same(end))
            return 0;
    }
    guest_to(0, e, &from);
    cpu_run(&from, 0, 0);
    return compare_unit(end, &none, out) + 1;
}

void native_totals(FILE *out)
{
    if (!n.pid)
        return;
    fprintf(out, "native: %llu cases", n.cases);
    if (n.late)
        fprintf(out, "; %llu late", n.late);
    if (n.cut)
        fprintf(out, "; %llu cut short", n.cut);
    rule_totals(out);
    fprintf(out, "\n");
}

unsigned native_compare(const struct bt_case *c, const uint8_t *image, struct bt_rig *r, FILE *out)
{
    static struct snapshot start;
    static struct end e;
    struct unit end = {.c = c, .after = &e.snapshot, .io = n.io, .ram = n.ram};
    bool ended = false;

    if (!n.pid || !c->native || !end_of(r, &e))
        return 0;
    way.r = r;
    end.vector = e.vector, end.error = e.error, end.cr2 = e.cr2;
    memcpy(start.ram + NATIVE_FROM, image + NATIVE_FROM, NATIVE_RAM - NATIVE_FROM);
    memcpy(start.s.gpr, c->gpr, sizeof start.s.gpr);
    start.s.eip = c->at;
    start.s.eflags = c->eflags;
    memcpy(start.s.seg, c->sel, sizeof start.s.seg);
    memcpy(start.s.fx, c->fpu, sizeof start.s.fx);
    paging_native(c, n.io);
    n.cases++;
    for (unsigned k = 0; k <= AGAIN && !ended; k++) {
        ended = cpu_run(&start, 0, 0);
        n.late += ended && k;
    }
    if (ended && end_is_same(&end))
        return 0;
    return examine(&end, &e, out);
}
