/* SPDX-License-Identifier: MIT */
/*
 * bt_indirect.c - jumps through the jump table (docs/codegen.md, section 6): two targets that share
 * an entry, with all flags; code that changes under it; the same address in two address spaces and
 * in both privilege classes; a signal that comes while the target is checked.
 */
#include "tests/unit/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/priv.h"

#define RAM    (12u << 20)
#define CODE   0x1000u
#define STACK  0x9000u
#define F      0x13010u
#define G      (F + 0x10000u)
#define ROUNDS 500u

#define IMM32(x) (x) & 0xff, (x) >> 8 & 0xff, (x) >> 16 & 0xff, (x) >> 24

/*
 *      mov ecx, ROUNDS
 * top: mov edx, F
 *      stc
 *      call edx
 *      mov edx, G
 *      stc
 *      call edx
 *      dec ecx
 *      jnz top
 *      hlt
 */
static const uint8_t by_pointer[] = {
    0xb9,     IMM32(ROUNDS), 0xba, IMM32(F), 0xf9, 0xff, 0xd2, 0xba,
    IMM32(G), 0xf9,          0xff, 0xd2,     0x49, 0x75, 0xed, 0xf4,
};

/* The same by direct calls: they lie on another page. */
#define REL(target, at) IMM32((target) - (CODE + (at) + 5u))
static const uint8_t directly[] = {
    0xb9, IMM32(ROUNDS), 0xf9, 0xe8, REL(F, 6), 0xf9, 0xe8, REL(G, 12), 0x49, 0x75, 0xf1, 0xf4,
};

/* adc eax, 0; ret and adc ebx, 0; ret */
static const uint8_t f[] = {0x83, 0xd0, 0x00, 0xc3}, g[] = {0x83, 0xd3, 0x00, 0xc3};

static struct bt_rig *rig(void)
{
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);

    bt_rig_signals();
    bt_rig_create(r, RAM, true);
    memcpy(r->ram.base + F, f, sizeof f);
    memcpy(r->ram.base + G, g, sizeof g);
    return r;
}

static void start(struct bt_rig *r, const uint8_t *code, size_t size, unsigned cpl)
{
    memcpy(r->ram.base + CODE, code, size);
    bt_rig_wrote(r, CODE, size);
    bt_rig_flat(r, cpl);
    r->cpu->eip = CODE;
    r->cpu->gpr[ESP] = STACK;
}

/* At CPL 3, HLT is #GP without an IDT: a shutdown, which leaves the registers. */
static void run(struct bt_rig *r, const uint8_t *code, size_t size, unsigned cpl)
{
    start(r, code, size, cpl);
    bt_rig_run(r);
}

static void expect(const struct bt_rig *r, uint32_t eax, uint32_t ebx, const char *what)
{
    const struct vcpu *v = r->cpu;

    cr_expect(v->gpr[EAX] == eax && v->gpr[EBX] == ebx && v->gpr[ECX] == 0 && v->gpr[ESP] == STACK,
              "%s: eax %u ebx %u ecx %u", what, v->gpr[EAX], v->gpr[EBX], v->gpr[ECX]);
}

/* Not once a round: each translation of the two traps at most once. */
static void expect_traps(const struct bt_rig *r, unsigned most)
{
    uint64_t traps = r->cpu->stats.bt_check_branches;

    cr_expect(traps >= 1 && traps <= most, "%llu traps", (unsigned long long)traps);
}

Test(bt_indirect, two_targets_of_one_entry)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        struct bt_rig *r = rig();
        run(r, by_pointer, sizeof by_pointer, cpl);
        expect(r, ROUNDS, ROUNDS, "by pointer");
        expect_traps(r, 2);
        run(r, directly, sizeof directly, cpl);
        expect(r, ROUNDS, ROUNDS, "directly");
        expect_traps(r, 2);
    }
}

Test(bt_indirect, knobs)
{
    static const struct bt_options options[] = {
        {.no_chain = true}, {.no_return_stack = true}, {.max_insns = 1},
        {.no_bmi2 = true},  {.soft_only = true},       {.split_at_branches = true},
    };
    struct bt_rig *r = rig();

    for (unsigned n = 0; n < ARRAY_LEN(options); n++) {
        bt_rig_options(r, &options[n]);
        run(r, by_pointer, sizeof by_pointer, 0);
        expect(r, ROUNDS, ROUNDS, "by pointer");
        run(r, directly, sizeof directly, 0);
        expect(r, ROUNDS, ROUNDS, "directly");
    }
}

Test(bt_indirect, one_of_them_rewritten)
{
    struct bt_rig *r = rig();

    for (unsigned n = 0; n < 4; n++) {
        r->ram.base[G + 2] = (uint8_t)n; /* adc ebx, n */
        bt_rig_wrote(r, G + 2, 1);
        run(r, by_pointer, sizeof by_pointer, 0);
        expect(r, ROUNDS, ROUNDS * (n + 1), "rewritten");
    }
    expect_traps(r, 5);
}

Test(bt_indirect, both_privilege_classes)
{
    struct bt_rig *r = rig();

    for (unsigned n = 0; n < 6; n++) {
        run(r, by_pointer, sizeof by_pointer, n % 2 ? 3 : 0);
        expect(r, ROUNDS, ROUNDS, n % 2 ? "user" : "supervisor");
    }
    expect_traps(r, 4);
}

/* ---- address spaces ---- */

#define DIRECTORY_F 0x200000u
#define DIRECTORY_G 0x201000u
#define PHYSICAL_F  0x400000u
#define PHYSICAL_G  0x800000u
#define LINEAR      0x400000u
#define LARGE       0xe7u /* P, W, U, A, D, PS */

/*
 *      mov ecx, ROUNDS
 *      mov edx, LINEAR + F
 * top: mov esi, DIRECTORY_F
 *      mov cr3, esi
 *      stc
 *      call edx
 *      mov esi, DIRECTORY_G
 *      mov cr3, esi
 *      stc
 *      call edx
 *      dec ecx
 *      jnz top
 *      hlt
 */
static const uint8_t spaces[] = {
    0xb9, IMM32(ROUNDS),
    0xba, IMM32(LINEAR + F),
    0xbe, IMM32(DIRECTORY_F),
    0x0f, 0x22,
    0xde, 0xf9,
    0xff, 0xd2,
    0xbe, IMM32(DIRECTORY_G),
    0x0f, 0x22,
    0xde, 0xf9,
    0xff, 0xd2,
    0x49, 0x75,
    0xe7, 0xf4,
};

static void directory(struct bt_rig *r, gpa_t at, uint32_t target)
{
    uint32_t entry[2] = {LARGE, target | LARGE};

    memcpy(r->ram.base + at, entry, sizeof entry);
    bt_rig_wrote(r, at, sizeof entry);
}

Test(bt_indirect, one_address_in_two_spaces)
{
    struct bt_rig *r = rig();

    directory(r, DIRECTORY_F, PHYSICAL_F);
    directory(r, DIRECTORY_G, PHYSICAL_G);
    memcpy(r->ram.base + PHYSICAL_F + F, f, sizeof f);
    memcpy(r->ram.base + PHYSICAL_G + F, g, sizeof g);
    start(r, spaces, sizeof spaces, 0);
    r->cpu->cr4 |= CR4_PSE;
    r->cpu->cr3 = DIRECTORY_F;
    r->cpu->cr0 |= CR0_PG;
    mmu_flush_all(r->cpu);
    bt_rig_run(r);
    expect(r, ROUNDS, ROUNDS, "spaces");
    cr_expect(r->cpu->stats.bt_check_branches == 0);
}

/* ---- signals ---- */

/* As found by a signal at offset `at` of the indirect entry of the block for F, reached with
 * `target`. */
static struct bt_host_regs at_check(struct bt_rig *r, uint32_t at, uint32_t target)
{
    struct vcpu *v = r->cpu;
    const struct bt *bt = v->translator;
    const struct code_cache *c = &bt->cache;
    struct bt_host_regs regs = {.rflags = EFL_FIXED1 | EFL_CF | EFL_OF};

    for (uint32_t n = 0; n < c->block_count; n++)
        if (c->blocks[n].gla == F)
            regs.rip = bt_host_address(bt, cache_block_start(&c->blocks[n]) + at);
    cr_assert(regs.rip);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        regs.gpr[host_gpr(n)] = 0x1000 + n;
    regs.gpr[RSP] = v->bt.return_top;
    regs.gpr[R8] = target;
    regs.gpr[R15] = (uintptr_t)v + BT_PTR_BIAS;
    memset(v->gpr, 0, sizeof v->gpr);
    v->bt.in_cache = true;
    vcpu_attend(v, ATT_KICK);
    return regs;
}

static void expect_registers(const struct vcpu *v)
{
    for (unsigned n = 0; n < GPR_COUNT; n++)
        cr_expect(v->gpr[n] == 0x1000 + n, "register %u is %x", n, v->gpr[n]);
    cr_expect((v->eflags & (EFL_ARITH | EFL_TF)) == (EFL_CF | EFL_OF));
}

/* mov edx, F; call edx; hlt */
static const uint8_t once[] = {0xba, IMM32(F), 0xff, 0xd2, 0xf4};

Test(bt_indirect, break_in_at_a_check)
{
    struct bt_rig *r = rig();
    struct vcpu *v = r->cpu;
    struct bt *bt = v->translator;

    run(r, once, sizeof once, 0);
    struct bt_host_regs regs = at_check(r, 0, F);
    cr_expect(bt_break_in(v, &regs) && v->eip == F && !v->bt.in_cache);
    cr_expect(regs.rip == bt_host_address(bt, bt->stubs.break_exit) && !(regs.rflags & EFL_TF));
    expect_registers(v);

    /* Another target: the load is the CPU's, which traps; then out through the stub. */
    regs = at_check(r, 0, G);
    uint64_t entry = regs.rip, load = entry + 9;
    cr_expect(bt_break_in(v, &regs) && regs.rip == load && (regs.rflags & EFL_TF));
    uint64_t addr = v->bt.return_top + BT_RETURN_LAST + (G - F);
    cr_expect(bt_host_trap(v, &regs, BT_TRAP_MEMORY, addr) && regs.rip == entry);
    cr_expect((regs.rflags & EFL_TF) && v->stats.bt_check_branches > 0);
    cr_expect(bt_single_step(v, &regs) && !v->bt.in_cache && v->bt.exit_arg == G);
    cr_expect(regs.gpr[RCX] == 0x1000 + ECX && !(regs.rflags & EFL_TF));

    /* And both ways from anywhere in the branch. */
    regs = at_check(r, 0, F);
    cr_expect(bt_break_in(v, &regs) && v->eip == F);
    expect_registers(v);
    regs = at_check(r, 3, F);
    regs.gpr[R9] = regs.gpr[RCX];
    cr_expect(bt_break_in(v, &regs) && v->eip == F);
    expect_registers(v);
}
