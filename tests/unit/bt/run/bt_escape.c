/* SPDX-License-Identifier: MIT */
/*
 * bt_escape.c - translated code tries to leave its window: every addressing form, stack and string
 * instruction with addresses at both ends of the address space, at 2 GiB, and with segment bases
 * that wrap around; translated against interpreted, at CPL 0 and 3, paged.
 *
 * What must hold
 *   Registers, flags, EIP, CR2, the pushed frame and all of RAM as with the interpreter.
 *   Each trap of translated code is at an address in the window of its privilege level or in the
 *   guards around it, or in the guard page of the return stack; without windows in the latter only.
 *   The pages around guest RAM and around the windows keep what was written there before.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/run/run_priv.h"
#include "tests/rig/xorshift.h"

#define RAM        (256u << 10)
#define IDT        0x1000u
#define DIRECTORY  0x2000u
#define TABLES     0x3000u /* four: 0, 2 GiB - 4 MiB, 2 GiB, 4 GiB - 4 MiB */
#define TABLES_END 0x7000u
#define CODE       0x8000u
#define STACK      0x9ff0u
#define GDT        0xb000u
#define TSS        0xc000u
#define STACK0     0xdff0u
#define HANDLER    0xe000u
#define FREE       0x10000u /* data from here on */
#define RUNS       12000u
#define GUARD      (2ll << 30) /* what an operand can be away from its window, */
#define WIDTH      4096        /* and how wide it can be */
#define CANARY     0xc5

static uint32_t seed;
static bool adaptive; /* prepare() leaves what the translator learned, and time passes */

static uint32_t rnd(uint32_t below)
{
    return xorshift(&seed) % below;
}

/* ---- where did translated code trap? ---- */

static struct {
    bool windows;
    unsigned inside, outside, gs; /* gs: at a gs:[...] */
    uint64_t worst, worst_rip;
} seen;

static bool allowed(const struct vcpu *v, uint64_t address)
{
    unsigned user = ctx_user(v->bt.context);
    int64_t off = (int64_t)(address - v->bt.window[user]);

    if (v->bt.return_limit - 1 - address < GUEST_PAGE_SIZE ||
        address - v->bt.return_top < 4ull << 30) /* a return to somewhere else */
        return true;
    return seen.windows && v->bt.context & CTX_WINDOW && off >= -(GUARD + WIDTH) &&
           off < (4ll << 30) + GUARD + WIDTH;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    const greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
    const struct bt_rig *r = bt_rig_running;

    if (r && bt_owns(r->cpu, (uint64_t)reg[REG_RIP]) && reg[REG_TRAPNO] == VEC_PF) {
        seen.gs += !memcmp((const void *)reg[REG_RIP], (const uint8_t[]){0x65, 0x67}, 2);
        if (allowed(r->cpu, (uint64_t)reg[REG_CR2])) {
            seen.inside++;
        } else {
            seen.outside++;
            seen.worst = (uint64_t)reg[REG_CR2];
            seen.worst_rip = (uint64_t)reg[REG_RIP];
        }
    }
    bt_rig_on_signal(sig, info, context);
}

static void watch_signals(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    bt_rig_signals();
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}

/* ---- canaries ---- */

static uint8_t *canary[4];

static void canary_put(unsigned n, uint64_t at)
{
    void *want = (void *)(uintptr_t)at;
    void *p = mmap(want, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (p == MAP_FAILED) /* something is there already */
        return;
    canary[n] = p;
    memset(p, CANARY, GUEST_PAGE_SIZE);
}

static void canaries_put(const struct bt_rig *r)
{
    uint64_t ram = (uintptr_t)r->vm.ram;

    canary_put(0, ram - GUEST_PAGE_SIZE);
    canary_put(1, ram + RAM);
    if (!r->windows)
        return;
    canary_put(2, (uintptr_t)r->windows->window.reserved - GUEST_PAGE_SIZE);
    canary_put(3, (uintptr_t)r->windows->window.reserved + r->windows->window.size);
}

static bool canaries_live(void)
{
    for (unsigned n = 0; n < ARRAY_LEN(canary); n++)
        for (unsigned k = 0; canary[n] && k < GUEST_PAGE_SIZE; k++)
            if (canary[n][k] != CANARY)
                return false;
    return true;
}

/* ---- instructions ---- */

enum { MODRM = 1, IMM8 = 2, MOFFS = 4, STRING = 8, STACKED = 16, REL32 = 32, IMM16 = 64 };

struct op {
    uint8_t len, bytes[4];
    uint8_t reg; /* ModRM.reg; 8: any */
    uint8_t what;
};

/* clang-format off */
static const struct op ops[] = {
    {1, {0x8b}, 8, MODRM}, {1, {0x89}, 8, MODRM}, {1, {0x8a}, 8, MODRM}, {1, {0x88}, 8, MODRM},
    {2, {0x66, 0x8b}, 8, MODRM}, {2, {0x66, 0x89}, 8, MODRM}, {1, {0x83}, 0, MODRM | IMM8},
    {1, {0x03}, 8, MODRM}, {1, {0x29}, 8, MODRM}, {1, {0x38}, 8, MODRM}, {1, {0x8d}, 8, MODRM},
    {1, {0xff}, 0, MODRM}, {1, {0xff}, 2, MODRM | STACKED}, {1, {0xff}, 4, MODRM},
    {1, {0xff}, 3, MODRM | STACKED}, {1, {0xff}, 5, MODRM}, {1, {0xff}, 6, MODRM | STACKED},
    {1, {0x8f}, 0, MODRM | STACKED}, {2, {0x66, 0x8f}, 0, MODRM | STACKED},
    {1, {0x87}, 8, MODRM}, {3, {0xf0, 0x0f, 0xc1}, 8, MODRM}, {2, {0x0f, 0xb1}, 8, MODRM},
    {2, {0x0f, 0xc7}, 1, MODRM}, {3, {0xf0, 0x0f, 0xc7}, 1, MODRM}, {2, {0x0f, 0xa3}, 8, MODRM},
    {2, {0x0f, 0xa3}, 8, MODRM}, {3, {0xf0, 0x0f, 0xab}, 8, MODRM}, {2, {0x0f, 0xb3}, 8, MODRM},
    {3, {0x66, 0x0f, 0xbb}, 8, MODRM}, {2, {0x0f, 0xba}, 5, MODRM | IMM8},
    {2, {0x0f, 0xb6}, 8, MODRM}, {2, {0x0f, 0xbf}, 8, MODRM}, {2, {0x0f, 0x92}, 0, MODRM},
    {2, {0x0f, 0x42}, 8, MODRM}, {1, {0xd9}, 0, MODRM}, {1, {0xdd}, 3, MODRM},
    {1, {0xdb}, 5, MODRM}, {1, {0xdb}, 7, MODRM}, {1, {0xd9}, 6, MODRM}, {1, {0xd9}, 4, MODRM},
    {1, {0xdd}, 6, MODRM}, {1, {0xdd}, 4, MODRM}, {2, {0x0f, 0xae}, 0, MODRM},
    {2, {0x0f, 0xae}, 1, MODRM}, {2, {0x0f, 0xae}, 2, MODRM}, {2, {0x0f, 0xae}, 3, MODRM},
    {2, {0x0f, 0x28}, 8, MODRM}, {2, {0x0f, 0x29}, 8, MODRM}, {2, {0x0f, 0x10}, 8, MODRM},
    {2, {0x0f, 0x11}, 8, MODRM}, {3, {0x66, 0x0f, 0x6f}, 8, MODRM},
    {3, {0xf3, 0x0f, 0x7f}, 8, MODRM}, {3, {0x66, 0x0f, 0xe7}, 8, MODRM},
    {2, {0x0f, 0x7f}, 8, MODRM}, {2, {0x0f, 0xc3}, 8, MODRM}, {2, {0x0f, 0x13}, 8, MODRM},
    {3, {0xf2, 0x0f, 0x11}, 8, MODRM}, {3, {0x66, 0x0f, 0xc4}, 8, MODRM | IMM8},
    {1, {0x62}, 8, MODRM}, {1, {0xc5}, 8, MODRM}, {2, {0x0f, 0xb2}, 8, MODRM},
    {2, {0x0f, 0x01}, 0, MODRM}, {2, {0x0f, 0x01}, 1, MODRM}, {2, {0x0f, 0x01}, 4, MODRM},
    {2, {0x0f, 0x00}, 0, MODRM}, {2, {0x0f, 0x00}, 1, MODRM}, {1, {0x8c}, 3, MODRM},
    {1, {0x8e}, 3, MODRM}, {2, {0x0f, 0x01}, 7, MODRM}, {2, {0x0f, 0x18}, 1, MODRM},
    {2, {0x0f, 0x02}, 8, MODRM}, {2, {0x0f, 0x00}, 4, MODRM}, {1, {0xd7}, 0, 0},
    {3, {0x66, 0x0f, 0xf7}, 0xff, STRING | IMM8}, {1, {0xa0}, 0, MOFFS}, {1, {0xa1}, 0, MOFFS},
    {1, {0xa2}, 0, MOFFS}, {1, {0xa3}, 0, MOFFS}, {2, {0x66, 0xa3}, 0, MOFFS},
    {1, {0xa4}, 0, STRING}, {1, {0xa5}, 0, STRING}, {2, {0x66, 0xa5}, 0, STRING},
    {1, {0xa6}, 0, STRING}, {1, {0xa7}, 0, STRING}, {1, {0xaa}, 0, STRING},
    {1, {0xab}, 0, STRING}, {1, {0xac}, 0, STRING}, {1, {0xad}, 0, STRING},
    {1, {0xae}, 0, STRING}, {1, {0xaf}, 0, STRING}, {2, {0xf3, 0xa4}, 0, STRING},
    {2, {0xf3, 0xa5}, 0, STRING}, {3, {0x66, 0xf3, 0xa5}, 0, STRING},
    {2, {0xf3, 0xa6}, 0, STRING}, {2, {0xf3, 0xaa}, 0, STRING}, {2, {0xf3, 0xab}, 0, STRING},
    {2, {0xf2, 0xae}, 0, STRING}, {2, {0xf3, 0xad}, 0, STRING}, {2, {0xf2, 0xa7}, 0, STRING},
    {1, {0x50}, 0, STACKED}, {2, {0x66, 0x50}, 0, STACKED}, {1, {0x54}, 0, STACKED},
    {1, {0x58}, 0, STACKED}, {2, {0x66, 0x59}, 0, STACKED}, {1, {0x5c}, 0, STACKED},
    {1, {0x60}, 0, STACKED}, {1, {0x61}, 0, STACKED}, {2, {0x66, 0x60}, 0, STACKED},
    {2, {0x66, 0x61}, 0, STACKED}, {1, {0x6a}, 0, STACKED | IMM8}, {1, {0x9c}, 0, STACKED},
    {1, {0x1e}, 0, STACKED}, {2, {0x0f, 0xa8}, 0, STACKED}, {1, {0xe8}, 0, STACKED | REL32},
    {1, {0xc3}, 0, STACKED}, {1, {0xc2}, 0, STACKED | IMM16}, {1, {0xcb}, 0, STACKED},
    {1, {0xcf}, 0, STACKED}, {1, {0xc9}, 0, STACKED}, {1, {0xc8}, 0, STACKED | IMM16 | IMM8},
    {1, {0xe9}, 0, REL32},
};
/* clang-format on */

/* Either end of the address space, the middle, both ends of a page, or anything. */
static uint32_t edge(void)
{
    static const uint32_t at[] = {0, 0, 0x80000000u, FREE + 0x1000, FREE + 0x8000, 0x10000};

    switch (rnd(8)) {
    case 0:
        return rnd(~0u);
    case 1:
        return FREE + rnd(RAM - FREE);
    default:
        return at[rnd(ARRAY_LEN(at))] + rnd(48) - 24;
    }
}

struct program {
    uint8_t bytes[96];
    unsigned len;
    bool pusha;
};

static void put8(struct program *p, unsigned val)
{
    p->bytes[p->len++] = (uint8_t)val;
}

static void put32(struct program *p, uint32_t val)
{
    memcpy(p->bytes + p->len, &val, 4);
    p->len += 4;
}

static void put_disp(struct program *p, unsigned size)
{
    uint32_t disp = rnd(3) ? edge() : rnd(256) - 128;

    for (unsigned n = 0; n < size; n++)
        put8(p, disp >> 8 * n);
}

static void put_modrm(struct program *p, const struct op *o, bool wide)
{
    unsigned mod = rnd(3), rm = rnd(8), sib = rnd(256);

    put8(p, mod << 6 | (o->reg == 8 ? rnd(8) : o->reg) << 3 | rm);
    if (!wide) {
        put_disp(p, mod == 2 || (mod == 0 && rm == 6) ? 2 : mod);
        return;
    }
    if (rm == 4)
        put8(p, sib);
    if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5))))
        put_disp(p, 4);
    else
        put_disp(p, mod);
}

static void put_op(struct program *p, const struct op *o)
{
    static const uint8_t segs[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x64, 0x65, 0x65};
    bool wide = rnd(8) || o->what & (STACKED | REL32);

    if (!rnd(3))
        put8(p, segs[rnd(sizeof segs)]);
    if (!wide)
        put8(p, 0x67);
    for (unsigned n = 0; n < o->len; n++)
        put8(p, o->bytes[n]);
    p->pusha |= o->bytes[0] == 0x60;
    if (o->what & MODRM)
        put_modrm(p, o, wide);
    if (o->what & MOFFS)
        put_disp(p, wide ? 4 : 2);
    if (o->what & REL32)
        put32(p, rnd(4) ? edge() - CODE : rnd(16));
    if (o->what & IMM16) {
        put8(p, rnd(4) * 4);
        put8(p, rnd(3) ? 0 : rnd(256));
    }
    if (o->what & IMM8)
        put8(p, o->reg == 0xff ? 0xc1 : rnd(3) ? rnd(4) : rnd(256));
}

/* Often with pushes and pops before, so that ESP is folded. */
static const struct op *make_program(struct program *p)
{
    const struct op *o = &ops[rnd(ARRAY_LEN(ops))];

    p->len = 0;
    p->pusha = false;
    for (unsigned n = rnd(3) ? 0 : 1 + rnd(4); n; n--)
        put8(p, 0x50 | rnd(2) << 3 | rnd(4));
    put_op(p, o);
    if (!rnd(4))
        put_op(p, &ops[rnd(ARRAY_LEN(ops))]);
    put8(p, 0xf4);
    return o;
}

/* ---- the machine's tables ---- */

static void put_word(uint8_t *ram, uint32_t at, uint32_t val)
{
    memcpy(ram + at, &val, 4);
}

static void map_page(uint8_t *ram, unsigned table, gla_t gla, gpa_t gpa, unsigned flags)
{
    put_word(ram, TABLES + table * 4096 + (gla >> 12 & 1023) * 4, (uint32_t)gpa | flags);
}

/* Page 0, the last one, its neighbour, and the two at 2 GiB are there, read-only or missing. */
static void make_tables(uint8_t *ram)
{
    static const uint8_t rights[] = {7, 7, 7, 7, 5, 3, 1, 0};
    static const uint16_t entry[] = {0, 511, 512, 1023};
    static const uint32_t descriptors[] = {0,        0,      0xffff,   0xcf9b00, 0xffff,
                                           0xcf9300, 0xffff, 0xcffb00, 0xffff,   0xcff300};

    for (unsigned n = 0; n < ARRAY_LEN(entry); n++)
        put_word(ram, DIRECTORY + entry[n] * 4u, (TABLES + n * 4096) | 7);
    for (uint32_t gla = 0x1000; gla < RAM; gla += 4096)
        map_page(ram, 0, gla, gla, gla >= DIRECTORY && gla < TABLES_END ? 0 : 7);
    map_page(ram, 0, 0, 0, rights[rnd(8)]);
    map_page(ram, 0, FREE, FREE, rights[rnd(8)]);
    map_page(ram, 1, 0x7ffff000, FREE + 0x2000, rights[rnd(8)]);
    map_page(ram, 2, 0x80000000, FREE + 0x3000, rights[rnd(8)]);
    map_page(ram, 3, 0xffffe000, FREE + 0x4000, rights[rnd(8)]);
    map_page(ram, 3, 0xfffff000, FREE + 0x5000, rights[rnd(8)]);
    memcpy(ram + GDT, descriptors, sizeof descriptors);
    for (unsigned n = 0; n < 32; n++) { /* 32-bit interrupt gates, CPL 0 */
        put_word(ram, IDT + 8 * n, 8u << 16 | HANDLER);
        put_word(ram, IDT + 8 * n + 4, 0x8e00);
    }
    put_word(ram, TSS + 4, STACK0);
    put_word(ram, TSS + 8, 0x10);
    ram[HANDLER] = 0xf4;
}

/* ---- running and comparing ---- */

static uint32_t random_base(void)
{
    static const uint32_t bases[] = {0x10000,     0x80000000u, 0xfffff000u,
                                     0xffffffffu, 0xfffffff0u, 1};

    return bases[rnd(ARRAY_LEN(bases))];
}

static void make_state(struct bt_rig *r, const struct op *o, unsigned cpl)
{
    struct vcpu *v = r->cpu;
    uint16_t data = cpl ? 0xc0f3 : 0xc093;

    bt_rig_flat(r, cpl);
    bt_rig_seg(v, SEG_FS, cpl ? 0x23 : 0x10, random_base(), ~0u, data);
    if (!rnd(3))
        bt_rig_seg(v, SEG_GS, cpl ? 0x23 : 0x10, random_base(), rnd(2) ? ~0u : 0x7ffff, data);
    if (!rnd(6))
        bt_rig_seg(v, SEG_ES, cpl ? 0x23 : 0x10, random_base(), ~0u, data);
    if (!rnd(6))
        bt_rig_seg(v, SEG_DS, cpl ? 0x23 : 0x10, random_base(), ~0u, data);
    if (!rnd(12))
        bt_rig_seg(v, SEG_SS, cpl ? 0x23 : 0x10, random_base(), ~0u, data);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = edge();
    if (!rnd(3))
        v->gpr[rnd(GPR_COUNT)] = rnd(16);
    if (o->what & STRING)
        v->gpr[ECX] = rnd(6) ? rnd(40) : 0x4000 + rnd(64);
    if (!(o->what & STACKED) || !rnd(3))
        v->gpr[ESP] = STACK - 4 * rnd(8);
    v->gdtr = (struct table_reg){.base = GDT, .limit = 39};
    v->idtr = (struct table_reg){.base = IDT, .limit = 255};
    v->tr = (struct seg){.sel = 0x28, .attr = 0x8b, .base = TSS, .limit = 0x67};
    seg_derive(&v->tr, true);
    v->eflags = EFL_FIXED1 | (rnd(~0u) & EFL_ARITH) | (rnd(3) ? 0 : EFL_DF);
    v->cr3 = DIRECTORY;
    v->cr0 |= CR0_PG | (rnd(2) ? CR0_WP : 0);
    mmu_flush_all(v);
}

static void prepare(struct bt_rig *r, const struct program *p, const struct op *o,
                    const uint8_t *image, uint32_t from)
{
    seed = from;
    unsigned cpl = rnd(2) ? 3 : 0;
    uint32_t at = CODE + rnd(128) * 16;
    memcpy(r->vm.ram, image, RAM);
    make_tables(r->vm.ram);
    memcpy(r->vm.ram + at, p->bytes, p->len);
    bt_rig_wrote(r, 0, RAM);
    make_state(r, o, cpl);
    r->cpu->eip = at;
    if (adaptive)
        r->world.now += 20000;
    else if (r->translator) { /* CPL 3 uses its window without having run for a while */
        struct adapt *a = &r->cpu->translator->adapt;
        a->known_valid = a->known_hot = true;
        a->known_cr3 = DIRECTORY;
        /* CR0.WP changes from program to program, and no time passes */
        a->windowless = (struct adapt_back_off){0};
    }
}

/* An instruction that faults on its second page may have marked the first one accessed (SDM vol.
 * 3A, 4.8: processors do so speculatively); dirty is exact. */
static void forget_accessed(struct bt_rig *r)
{
    for (uint32_t at = DIRECTORY; at < TABLES_END; at += 4)
        r->vm.ram[at] |= 0x20;
}

static const char *text_of(const struct program *p)
{
    static char text[3 * sizeof p->bytes + 1];

    for (unsigned n = 0; n < p->len; n++)
        snprintf(text + 3 * n, 4, " %02x", p->bytes[n]);
    return text;
}

/* A PUSHA over two pages may have stored on the upper one when the lower one faults
 * (bt/translate/stack.c): all below the guest's ESP. */
static bool same_memory(const struct bt_rig *a, const struct bt_rig *b, bool pusha)
{
    unsigned first = 0, last = RAM - 1;

    if (!memcmp(a->vm.ram, b->vm.ram, RAM))
        return true;
    while (a->vm.ram[first] == b->vm.ram[first])
        first++;
    while (a->vm.ram[last] == b->vm.ram[last])
        last--;
    return pusha && last - first < 32;
}

static void show_memory(const struct bt_rig *a, const struct bt_rig *b)
{
    for (unsigned n = 0, shown = 0; n < RAM && shown < 8; n++)
        if (a->vm.ram[n] != b->vm.ram[n]) {
            cr_log_error("memory %x: %02x %02x", n, a->vm.ram[n], b->vm.ram[n]);
            shown++;
        }
}

static bool same(struct bt_rig *a, struct bt_rig *b, const struct program *p, unsigned reason_a,
                 unsigned reason_b, uint32_t from)
{
    const struct vcpu *x = a->cpu, *y = b->cpu;

    forget_accessed(a);
    forget_accessed(b);
    bool ok = reason_a == reason_b && x->eip == y->eip && x->eflags == y->eflags &&
              x->cr2 == y->cr2 && !memcmp(x->gpr, y->gpr, sizeof x->gpr) &&
              same_memory(a, b, p->pusha);

    if (ok)
        return true;
    cr_expect(false, "seed %x cpl %u:%s: end %u %u, eip %x %x, eflags %x %x, cr2 %x %x", from,
              x->cpl, text_of(p), reason_a, reason_b, x->eip, y->eip, x->eflags, y->eflags, x->cr2,
              y->cr2);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        cr_log_error("gpr %u: %x %x", n, x->gpr[n], y->gpr[n]);
    show_memory(a, b);
    return false;
}

/* Mostly HLT, so that wild jumps end; here and there a pointer. */
static uint8_t *make_image(void)
{
    uint8_t *image = malloc(RAM);

    memset(image, 0xf4, RAM);
    memset(image + IDT, 0, FREE - IDT);
    memset(image + CODE, 0xf4, 0x1000);
    for (uint32_t at = FREE; at < RAM; at += 4)
        if (!rnd(4))
            put_word(image, at, rnd(2) ? edge() : CODE + 0xff0);
    return image;
}

/* Other programs by hand: BT_ESCAPE_SEED=0x12345678 unit-bt_escape. */
static uint32_t start_of(uint32_t usual)
{
    const char *text = getenv("BT_ESCAPE_SEED");

    return text ? (uint32_t)strtoul(text, NULL, 0) : usual;
}

/* `adaptive`: with all that the translator learns from traps, exceptions and writes to code. */
static void escape(bool windows, bool gs, uint32_t start)
{
    struct bt_rig *a = bt_rig_zeroed(sizeof *a), *b = bt_rig_zeroed(sizeof *b);
    /* no_aliased: each program is written where another was, and is to be translated */
    struct bt_options options = {.soft_only = !windows, .no_gs = !gs, .no_aliased = !adaptive};
    struct program p;
    unsigned bad = 0;

    watch_signals();
    bt_rig_create(a, RAM, false);
    bt_rig_create(b, RAM, true);
    cr_assert(!windows || b->windows);
    seen.windows = windows;
    canaries_put(b);
    seed = start_of(start);
    uint8_t *image = make_image();
    for (unsigned run = 0; run < RUNS && bad < 4; run++) {
        if (run % 64 == 0)
            bt_rig_options(b, &options);
        uint32_t from = seed;
        const struct op *o = make_program(&p);
        uint32_t state = seed;
        prepare(a, &p, o, image, state);
        prepare(b, &p, o, image, state);
        unsigned reason_a = bt_rig_run(a), reason_b = bt_rig_run(b);
        bad += !same(a, b, &p, reason_a, reason_b, from);
    }
    cr_expect(seen.outside == 0, "%u accesses outside, one at %llx from %llx", seen.outside,
              (unsigned long long)seen.worst, (unsigned long long)seen.worst_rip);
    cr_expect(canaries_live(), "a page beside guest memory was written");
    if (adaptive) {
        cr_expect(b->cpu->stats.bt_insns > RUNS / 2, "most are interpreted");
        cr_expect(windows ? seen.inside > RUNS / 16 && b->cpu->stats.bt_adapted > 0
                          : seen.inside < RUNS / 100,
                  "%u traps", seen.inside);
        return;
    }
    cr_expect(b->cpu->stats.bt_insns > RUNS);
    cr_expect(windows ? seen.inside > RUNS / 8 : seen.inside < RUNS / 100, "%u traps", seen.inside);
    if (windows && gs && b->world.cpu_host.gs_base_free)
        cr_expect(seen.gs > RUNS / 30, "%u traps at gs operands", seen.gs);
    else
        cr_expect(seen.gs == 0);
}

Test(bt_escape, windows)
{
    escape(true, false, 0x9e3779b9);
}

Test(bt_escape, windows_at_the_gs_base)
{
    escape(true, true, 0x6a09e667);
}

Test(bt_escape, windows_adaptive)
{
    adaptive = true;
    escape(true, true, 0xbb67ae85);
}

Test(bt_escape, software_tlb_adaptive)
{
    adaptive = true;
    escape(false, true, 0x3c6ef372);
}

Test(bt_escape, software_tlb)
{
    escape(false, true, 0x7f4a7c15);
}

/* BT FS:[EAX], ECX: the bit's dword begins at offset 4 GiB - 3, where FS's base makes an ordinary
 * linear address of it: #GP all the same. */
Test(bt_escape, bit_string_beyond_the_limit)
{
    static const uint8_t code[] = {0x64, 0x0f, 0xa3, 0x08, 0xf4};
    struct bt_rig *rig[2];
    struct program p = {.len = sizeof code};
    uint8_t *image = make_image();

    watch_signals();
    seen.windows = true;
    memcpy(p.bytes, code, sizeof code);
    for (unsigned n = 0; n < 2; n++) {
        rig[n] = bt_rig_zeroed(sizeof *rig[n]);
        bt_rig_create(rig[n], RAM, n);
        prepare(rig[n], &p, &ops[0], image, 1);
        struct vcpu *v = rig[n]->cpu;
        bt_rig_flat(rig[n], 0);
        bt_rig_seg(v, SEG_FS, 0x10, FREE + 0x8000, ~0u, 0xc093);
        v->idtr = (struct table_reg){.base = IDT, .limit = 255};
        v->eip = CODE;
        memcpy(rig[n]->vm.ram + CODE, code, sizeof code);
        bt_rig_wrote(rig[n], CODE, sizeof code);
        v->gpr[EAX] = 0xffffffed;
        v->gpr[ECX] = 0x80;
        v->gpr[ESP] = STACK;
        bt_rig_run(rig[n]);
        cr_expect(v->eip == HANDLER + 1, "%s: eip %x", n ? "translated" : "interpreted", v->eip);
    }
}

/* A rig at `code`, paged, with registers zero; the caller changes what it likes, tables too,
 * and runs. */
static struct bt_rig *rig_at(const uint8_t *code, unsigned len, unsigned cpl, bool translated)
{
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);
    struct program p = {.len = len};
    uint8_t *image = make_image();

    memcpy(p.bytes, code, len);
    bt_rig_create(r, RAM, translated);
    prepare(r, &p, &ops[0], image, 1);
    struct vcpu *v = r->cpu;
    bt_rig_flat(r, cpl);
    v->gdtr = (struct table_reg){.base = GDT, .limit = 39};
    v->idtr = (struct table_reg){.base = IDT, .limit = 255};
    v->tr = (struct seg){.sel = 0x28, .attr = 0x8b, .base = TSS, .limit = 0x67};
    seg_derive(&v->tr, true);
    v->cr3 = DIRECTORY;
    v->cr0 |= CR0_PG;
    v->eip = CODE;
    v->gpr[ESP] = STACK;
    memcpy(r->vm.ram + CODE, code, len);
    bt_rig_wrote(r, 0, RAM);
    mmu_flush_all(v);
    free(image);
    return r;
}

/* REP MOVSD downwards, element by element, lets go to look at the clock before it meets the missing
 * page; the gate of #PF is not present, so #DF pushes EFLAGS as it is: without RF, unless it was
 * set before (SDM vol. 3B, 18.3.1.1). */
Test(bt_escape, double_fault_in_a_repetition)
{
    static const uint8_t code[] = {0xf3, 0xa5, 0xf4};

    watch_signals();
    for (unsigned n = 0; n < 4; n++) {
        struct bt_rig *r = rig_at(code, sizeof code, 0, n & 1);
        struct vcpu *v = r->cpu;
        uint32_t rf = n & 2 ? EFL_RF : 0, frame[4];

        v->eflags |= EFL_DF | rf;
        v->gpr[ESI] = TABLES_END + 0x3000;
        v->gpr[EDI] = FREE + 0x8000;
        v->gpr[ECX] = 0x3000;
        put_word(r->vm.ram, IDT + 8 * VEC_PF + 4, 0x0e00);
        bt_rig_run(r);
        memcpy(frame, r->vm.ram + STACK - sizeof frame, sizeof frame);
        cr_expect(v->eip == HANDLER + 1 && v->gpr[ESP] == STACK - sizeof frame, "%u: eip %x", n,
                  v->eip);
        cr_expect(v->gpr[ECX] < 0x3000 - 2048, "%u: a long one, %x left", n, v->gpr[ECX]);
        cr_expect(frame[1] == CODE && frame[3] == (EFL_FIXED1 | EFL_DF | rf), "%u: eflags %x", n,
                  frame[3]);
    }
}

/* MOVQ [EAX], MM0 with an x87 exception pending: #MF, and the page does not get dirty. */
Test(bt_escape, pending_exception_before_a_store)
{
    static const uint8_t code[] = {0x0f, 0x7f, 0x00, 0xf4};
    static const unsigned pte = TABLES + (FREE + 0x8000) / 1024;

    watch_signals();
    for (unsigned n = 0; n < 2; n++) {
        struct bt_rig *r = rig_at(code, sizeof code, 3, n);
        struct vcpu *v = r->cpu;

        v->gpr[EAX] = FREE + 0x8000;
        v->fpu.area[0] = 0x40; /* FCW: nothing masked */
        v->fpu.area[2] = 0x81; /* FSW: ES, IE */
        bt_rig_run(r);
        cr_expect(v->eip == HANDLER + 1 && v->gpr[ESP] == STACK0 - 20, "%u: eip %x", n, v->eip);
        cr_expect(!(r->vm.ram[pte] & 0x40), "%u: PTE %02x", n, r->vm.ram[pte]);
    }
}
