/* SPDX-License-Identifier: MIT */
/*
 * native.c - the CPU itself as the judge: a case of CPL 3 with flat segments runs in a 32-bit
 * process (native32.c) on the same memory at the same addresses, and ends with the same fault in
 * the same state - or a rule below says why not.
 *
 * Compared   General registers, EFLAGS, selectors, x87, MMX and SSE state, memory; vector, error
 *            code and, of #PF, CR2.
 * Left out   Instructions that gen.c does not make for such cases (its table native_not; when a
 *            wild jump meets one: the rules); the x87
 *            pointers (tests/user compares them); RPL of null selectors, which Linux clears.
 * Source     Linux' i386 ABI (native32.c); docs/DEVIATIONS.md for the rules.
 */
#include "tests/bt/bt_random.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "monitor/interp/fpu_image.h"
#include "monitor/trace.h"
#include "tests/bt/native.h"

#define SHARED_BYTES  (NATIVE_RAM + 2 * GUEST_PAGE_SIZE)
#define PATIENCE_MS   8000
#define SIGSYS_NUMBER 31u
#define NO_VECTOR     0xffu

static struct {
    const char *path;
    pid_t pid;
    int memory, go, done;
    uint8_t *ram;
    struct native_io *io;
    unsigned (*run)(struct bt_rig *r); /* the present case again */
    unsigned long long cases;
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
    return start();
}

/* ---- the guest's end ---- */

/* State at the fault that ended the case: the handler is a HLT, and the kernel's stack has the
 * rest. */
struct end {
    unsigned vector;
    uint32_t error, cr2, eip, eflags, esp;
    uint16_t cs;
};

static bool has_error(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC;
}

static bool end_of(const struct bt_rig *r, struct end *e)
{
    const struct vcpu *v = r->cpu;
    const uint8_t *frame = v->vm->ram + v->gpr[ESP];

    if (v->eip <= HANDLER_AT || v->eip >= HANDLER_AT + 0x1000 || v->gpr[ESP] >= STACK0_AT ||
        v->gpr[ESP] < STACK0_AT - 24)
        return false;
    e->vector = (v->eip - HANDLER_AT) / 16;
    e->error = has_error(e->vector) ? image_get32(frame, 0) : 0;
    frame += has_error(e->vector) ? 4 : 0;
    e->cr2 = v->cr2;
    e->eip = image_get32(frame, 0);
    e->cs = image_get16(frame, 4);
    e->eflags = image_get32(frame, 8);
    e->esp = image_get32(frame, 12);
    return true;
}

/* ---- rules ---- */

/* The instruction at linear `at`, if the guest's memory has one. */
static bool insn_at(const struct bt_rig *r, const struct end *e, struct insn *i)
{
    struct decode_mode mode = {.code32 = true, .stack32 = true};
    uint8_t bytes[INSN_MAX_LEN] = {0};

    if (e->eip >= RAM_BYTES - INSN_MAX_LEN)
        return false;
    uint32_t at = (uint32_t)n.io->frame[e->eip >> 12] << 12 | (e->eip & GUEST_PAGE_MASK);
    memcpy(bytes, r->vm.ram + at, sizeof bytes);
    return decoder_decode(&r->vm.decoder, mode, bytes, sizeof bytes, i) == DECODE_OK;
}

/* What a fault leaves half done on a CPU (docs/DEVIATIONS.md, sections 3 and 4). */
static bool is_partial(const struct insn *i)
{
    switch (i->op) {
    case OP_pusha:
    case OP_popa:
    case OP_enter:
    case OP_fnsave:
    case OP_frstor:
    case OP_fnstenv:
    case OP_fldenv:
    case OP_fxsave:
    case OP_fxrstor:
    case OP_fbstp:
    case OP_call_far:
    case OP_iret: /* CR2 is the least of its addresses here */
    case OP_ret_far:
    case OP_maskmovq:
    case OP_maskmovdqu:
        return true;
    default:
        break;
    }
    for (unsigned k = 0; k < i->nops && k < 4; k++)
        if (i->operand[k].kind == OPK_MEM && i->operand[k].size == 10)
            return true;
    for (unsigned k = 0; k < i->nops && k < 4; k++) /* a CPU has turned to MMX by then: TOP = 0 */
        if (i->operand[k].kind == OPK_MMX)
            return true;
    return false;
}

/* How far from its operand BT and its like go for the bit that a register names. */
static uint32_t bit_offset(const struct vcpu *v, const struct insn *i)
{
    bool bits = i->op == OP_bt || i->op == OP_bts || i->op == OP_btr || i->op == OP_btc;

    if (!bits || i->operand[1].kind != OPK_GPR)
        return 0;
    return i->opsize == 2 ? (uint32_t)((int16_t)v->gpr[i->operand[1].reg] >> 4) * 2
                          : (uint32_t)((int32_t)v->gpr[i->operand[1].reg] >> 5) * 4;
}

/* Offset of the memory operand in its segment. */
static uint32_t offset_of(const struct vcpu *v, const struct insn *i)
{
    uint32_t at = (uint32_t)i->disp + bit_offset(v, i);

    at += i->base != INSN_NO_REG ? v->gpr[i->base] : 0;
    at += i->index != INSN_NO_REG ? v->gpr[i->index] << i->scale : 0;
    return i->addr_size == 2 ? at & 0xffff : at;
}

struct judged {
    const struct bt_case *c;
    struct bt_rig *r;
    struct end e;
    bool have_insn;
    struct insn i;
};

static bool same_place(const struct judged *j)
{
    return j->e.eip == n.io->out.eip;
}

static bool is_call(const struct judged *j)
{
    (void)j;
    return n.io->signal == SIGSYS_NUMBER;
}
static bool is_code64(const struct judged *j)
{
    return (n.io->out.seg[SEG_CS] | 3) == 0x33 || (j->e.cs | 3) == 0x33;
}
static bool is_companion(const struct judged *j)
{
    return j->e.vector == VEC_PF && j->e.cr2 >= NATIVE_IMAGE && j->e.cr2 < NATIVE_IMAGE_END;
}
static bool is_alignment(const struct judged *j)
{
    unsigned here = j->e.vector, there = n.io->vector;

    if (!same_place(j))
        return false;
    if (here == VEC_AC) /* of the parts of a far RET a CPU reads CS's first */
        return there == VEC_PF && j->have_insn && is_partial(&j->i);
    return there == VEC_AC && (here == VEC_PF || here == VEC_GP || here == VEC_SS);
}
/* Does the explicit operand of the last instruction go beyond offset 4 GiB? */
static bool is_operand_wrap(const struct judged *j)
{
    if ((j->e.vector != VEC_GP && j->e.vector != VEC_SS))
        return false;
    for (unsigned k = 0; j->have_insn && k < j->i.nops && k < 4; k++)
        if (j->i.operand[k].kind == OPK_MEM)
            return offset_of(j->r->cpu, &j->i) >
                   0u - (j->i.operand[k].size ? j->i.operand[k].size : 512u);
    return false;
}
/* Of 16 bytes: #GP because it is not aligned. */
static bool is_wrap16(const struct judged *j)
{
    return same_place(j) && j->e.vector == VEC_SS && n.io->vector == VEC_GP && n.io->error == 0 &&
           j->have_insn && j->i.base != INSN_NO_REG;
}
static bool is_wrap(const struct judged *j)
{
    if (is_wrap16(j) || is_operand_wrap(j))
        return true;
    return same_place(j) && (j->e.vector == VEC_GP || j->e.vector == VEC_SS) &&
           n.io->vector == VEC_PF && (n.io->cr2 >= 0xffffe000u || n.io->cr2 < 0x200);
}
static bool is_nested(const struct judged *j)
{
    return same_place(j) && (j->e.eflags & EFL_NT) && j->have_insn && j->i.op == OP_iret;
}
static bool is_half_done(const struct judged *j)
{
    return same_place(j) && j->e.vector == n.io->vector && j->have_insn && is_partial(&j->i);
}
static bool is_emulated(const struct judged *j)
{
    return j->e.vector == VEC_GP && j->have_insn && !native_able(&j->i);
}
static bool is_newer(const struct judged *j)
{
    return j->e.vector == VEC_UD && !j->have_insn && !(same_place(j) && n.io->vector == VEC_UD);
}

/* Did the case, by way of a wild jump, execute what gen.c does not make; or a repetition that
 * writes
 * over itself, or a bus lock? Runs it once more. */
static bool met_other, met_self, met_split, met_wrap, met_masked;

static uint32_t frame_of(uint32_t at)
{
    return at < NATIVE_RAM ? (uint32_t)n.io->frame[at >> 12] << 12 | (at & GUEST_PAGE_MASK) : at;
}

static bool writes_itself(const struct vcpu *v, const struct insn *i)
{
    uint32_t edi = v->seg[SEG_ES].base + v->gpr[EDI], bytes = v->gpr[ECX] * i->opsize;

    if (!(i->prefixes & (PFX_REP | PFX_REPNE)) || (i->op != OP_stos && i->op != OP_movs))
        return false;
    bytes = bytes < NATIVE_RAM ? bytes : NATIVE_RAM;
    for (uint32_t k = 0; k < bytes + i->opsize; k++) {
        uint32_t at = v->eflags & EFL_DF ? edi + i->opsize - k : edi + k;
        if (frame_of(at) - frame_of(v->eip) < i->len)
            return true;
    }
    return false;
}

/* A locked access to two cache lines; parts of an x87 operand on both sides of 64 KiB. */
static void look_at_operand(const struct vcpu *v, const struct insn *i)
{
    uint32_t off = offset_of(v, i);

    for (unsigned k = 0; k < i->nops && k < 4; k++) {
        unsigned size = i->operand[k].size;
        if (i->operand[k].kind != OPK_MEM)
            continue;
        met_split |= native_locks(i) && ((v->seg[i->seg].base + off) & 63) + size > 64;
        met_wrap |=
            i->addr_size == 2 && (size == 10 || size == 0) && off > 0x10000u - (size ? 10 : 108);
    }
}

static void on_trace(void *opaque, unsigned stage, const char *text)
{
    struct end here = {.eip = ((struct bt_rig *)opaque)->cpu->eip};
    struct insn i;

    (void)stage, (void)text;
    if (!insn_at(opaque, &here, &i))
        return;
    met_other |= !native_able(&i);
    met_masked |= i.op == OP_maskmovq || i.op == OP_maskmovdqu;
    met_self |= writes_itself(((struct bt_rig *)opaque)->cpu, &i);
    look_at_operand(((struct bt_rig *)opaque)->cpu, &i);
}

static bool is_other(const struct judged *j)
{
    struct vmm_host *h = &j->r->host;

    met_other = met_self = met_split = met_wrap = met_masked = false;
    h->trace = on_trace;
    h->trace_mask = TRACE_BIT(TRACE_EXEC);
    n.run(j->r);
    h->trace_mask = 0;
    n.run(j->r);
    return met_other;
}
static bool is_self(const struct judged *j)
{
    (void)j;
    return met_self; /* is_other() has looked */
}

static bool is_masked_store(const struct judged *j)
{
    (void)j;
    return met_masked && (n.io->vector == VEC_AC || n.io->vector == VEC_PF);
}
static bool is_part_wrap(const struct judged *j)
{
    (void)j;
    return met_wrap;
}
static bool is_split(const struct judged *j)
{
    (void)j;
    return met_split && n.io->vector == NO_VECTOR;
}

static struct {
    const char *name, *why;
    bool (*applies)(const struct judged *j);
    unsigned long long count;
} rules[] = {
    {"system call", "the case came to a system call of the host", is_call, 0},
    {"64-bit code", "selector 33h is 64-bit code on the host", is_code64, 0},
    {"companion", "the address belongs to the 32-bit program", is_companion, 0},
    {"alignment", "#AC and #PF, #GP or #SS of one access: order in DEVIATIONS.md, 3", is_alignment,
     0},
    {"4 GiB", "an operand across 4 GiB: #GP or #SS here, #PF on the CPU (SDM 3A, 5.3)", is_wrap, 0},
    {"nested", "IRET with NT set is #GP in IA-32e mode", is_nested, 0},
    {"half done", "part of the instruction is done when it faults: DEVIATIONS.md, 3", is_half_done,
     0},
    {"UMIP", "the kernel emulates what is #GP here", is_emulated, 0},
    {"newer", "the bytes are an instruction that the CPU model does not have", is_newer, 0},
    {"other", "what gen.c does not make for such cases was there by chance", is_other, 0},
    {"self", "a REP that writes over itself: fetched once or again, as the CPU likes", is_self, 0},
    {"masked store", "#AC, and #PF without selected bytes, of MASKMOVx: DEVIATIONS.md, 4",
     is_masked_store, 0},
    {"64 KiB", "a CPU wraps each part of a long x87 operand: DEVIATIONS.md, 4", is_part_wrap, 0},
    {"bus lock", "hosts make who locks the bus wait, some for ever", is_split, 0},
};

static bool excused(const struct judged *j)
{
    for (unsigned k = 0; k < ARRAY_LEN(rules); k++)
        if (rules[k].applies(j)) {
            rules[k].count++;
            return true;
        }
    return false;
}

void native_totals(FILE *out)
{
    if (!n.pid)
        return;
    fprintf(out, "native: %llu cases", n.cases);
    for (unsigned k = 0; k < ARRAY_LEN(rules); k++)
        if (rules[k].count)
            fprintf(out, "; %llu %s", rules[k].count, rules[k].name);
    fprintf(out, "\n");
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

static uint16_t plain_selector(uint16_t sel)
{
    return sel_is_null(sel) ? 0 : sel;
}

/* Bits of the error code that cannot be the same. */
static uint32_t error_mask(const struct judged *j)
{
    uint32_t mask = 0xffff, page = j->e.cr2 >> 12;

    if (j->e.vector != VEC_PF)
        return mask;
    if (!j->c->nx)
        mask &= ~PFE_I; /* the host always has NX */
    if (page < NATIVE_FROM >> 12 || (page < NATIVE_RAM >> 12 && n.io->rights[page] == NATIVE_NONE))
        mask &= ~PFE_P; /* the supervisor's page there is absent here */
    return mask;
}

static void compare_fpu(struct diff *d, const uint8_t *guest, const uint8_t *native)
{
    check(d, "fcw", 0, image_get16(guest, FX_FCW), image_get16(native, FX_FCW));
    check(d, "fsw", 0, image_get16(guest, FX_FSW), image_get16(native, FX_FSW));
    check(d, "ftw", 0, guest[FX_FTW], native[FX_FTW]);
    check(d, "mxcsr", 0, image_get32(guest, FX_MXCSR), image_get32(native, FX_MXCSR));
    for (unsigned k = 0; k < 40; k++)
        check(d, "st word", k, image_get16(guest, FX_ST + 16 * (k / 5) + 2 * (k % 5)),
              image_get16(native, FX_ST + 16 * (k / 5) + 2 * (k % 5)));
    for (unsigned k = 0; k < 32; k++)
        check(d, "xmm dword", k, image_get32(guest, FX_XMM + 4 * k),
              image_get32(native, FX_XMM + 4 * k));
}

static void compare_ram(struct diff *d, const uint8_t *guest)
{
    unsigned shown = 0;

    if (!memcmp(guest + NATIVE_FROM, n.ram + NATIVE_FROM, NATIVE_RAM - NATIVE_FROM))
        return;
    for (uint32_t at = NATIVE_FROM; at < NATIVE_RAM && shown < 12; at += 4)
        if (memcmp(guest + at, n.ram + at, 4)) {
            check(d, "ram", at, image_get32(guest, at), image_get32(n.ram, at));
            shown++;
        }
}

static void compare_all(struct diff *d, const struct judged *j)
{
    const struct native_state *s = &n.io->out;
    const struct vcpu *v = j->r->cpu;
    uint32_t mask = error_mask(j);

    check(d, "vector", 0, j->e.vector, n.io->vector);
    check(d, "eip", 0, j->e.eip, s->eip);
    if (j->e.vector == n.io->vector && has_error(j->e.vector))
        check(d, "error code", 0, j->e.error & mask, n.io->error & mask);
    if (j->e.vector == VEC_PF && n.io->vector == VEC_PF)
        check(d, "cr2", 0, j->e.cr2, n.io->cr2);
    for (unsigned k = 0; k < GPR_COUNT; k++)
        check(d, "register", k, k == ESP ? j->e.esp : v->gpr[k], s->gpr[k]);
    check(d, "eflags", 0, j->e.eflags & ~EFL_RF, s->eflags & ~EFL_RF);
    for (unsigned k = 0; k < SEG_COUNT; k++)
        if (k != SEG_SS)
            check(d, "selector", k, plain_selector(k == SEG_CS ? j->e.cs : v->seg[k].sel),
                  plain_selector(s->seg[k]));
    compare_fpu(d, v->fpu.area, s->fx);
    compare_ram(d, v->vm->ram);
}

static void print_end(const struct judged *j, FILE *out)
{
    char text[128] = "(no instruction of the CPU model)";

    if (j->have_insn)
        decoder_format(&j->r->vm.decoder, &j->i, j->e.eip, true, text, sizeof text);
    fprintf(out, "  the interpreter ended with vector %u at 0x%08x: %s\n", j->e.vector, j->e.eip,
            text);
}

static void state_of(const struct bt_case *c, struct native_state *s)
{
    memcpy(s->gpr, c->gpr, sizeof s->gpr);
    s->eip = c->at;
    s->eflags = c->eflags;
    memcpy(s->seg, c->sel, sizeof s->seg);
    memcpy(s->fx, c->fpu, sizeof s->fx);
}

/* A case that goes on for ever, or destroyed the companion: nothing to compare but the rules. */
static void restart(FILE *out)
{
    int status = stop();

    if (out)
        fprintf(out, "  on the CPU it %s (wait status 0x%04x)\n",
                WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "does not come to an end"
                                                                   : "ended the 32-bit process",
                (unsigned)status);
    if (!start())
        n.pid = 0;
    memset(&n.io->out, 0, sizeof n.io->out);
    n.io->signal = n.io->error = n.io->cr2 = 0;
    n.io->vector = NO_VECTOR;
}

unsigned native_compare(const struct bt_case *c, const uint8_t *image, struct bt_rig *r, FILE *out)
{
    struct judged j = {.c = c, .r = r};
    struct diff d = {.out = NULL};

    if (!n.pid || !c->native || !end_of(r, &j.e))
        return 0;
    memcpy(n.ram + NATIVE_FROM, image + NATIVE_FROM, NATIVE_RAM - NATIVE_FROM);
    paging_native(c, n.io);
    state_of(c, &n.io->in);
    n.cases++;
    bool ended = go();
    if (ended)
        compare_all(&d, &j);
    else
        restart(out);
    if (ended && !d.count)
        return 0;
    j.have_insn = insn_at(r, &j.e, &j.i);
    if (excused(&j))
        return 0;
    d.out = out;
    compare_all(&d, &j);
    if (out)
        print_end(&j, out);
    return d.count;
}
