/* SPDX-License-Identifier: MIT */
/*
 * bt_indirect.c - jumps through the jump map (docs/codegen.md, section 6): targets 64 KiB and 256
 * MiB apart, with all flags; code that changes under it; the same address in two address spaces and
 * in both privilege classes; a signal that comes on the way.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/run/run_priv.h"

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

/* Not once a round: each address has an entry of its own. */
static void expect_lookups(const struct bt_rig *r, unsigned most)
{
    uint64_t lookups = r->cpu->stats.exit_lookup;

    cr_expect(lookups >= 1 && lookups <= most, "%llu look-ups", (unsigned long long)lookups);
}

Test(bt_indirect, two_targets)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        struct bt_rig *r = rig();
        run(r, by_pointer, sizeof by_pointer, cpl);
        expect(r, ROUNDS, ROUNDS, "by pointer");
        run(r, directly, sizeof directly, cpl);
        expect(r, ROUNDS, ROUNDS, "directly");
        expect_lookups(r, 8);
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
    expect_lookups(r, 20);
}

Test(bt_indirect, both_privilege_classes)
{
    struct bt_rig *r = rig();

    for (unsigned n = 0; n < 6; n++) {
        run(r, by_pointer, sizeof by_pointer, n % 2 ? 3 : 0);
        expect(r, ROUNDS, ROUNDS, n % 2 ? "user" : "supervisor");
    }
    expect_lookups(r, 30);
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

/* mov edx, F; call edx; hlt */
static const uint8_t once[] = {0xba, IMM32(F), 0xff, 0xd2, 0xf4};

/* movsxd r9, [r13 + r8*4]: where the code of that CALL looks the target up */
static const uint8_t look_up[] = {0x4f, 0x63, 0x4c, 0x85, 0x00};

static uint64_t call_site(const struct bt *bt)
{
    const uint8_t *code = bt->cache.arena->rw;

    for (uint32_t at = bt->cache.fixed; at + sizeof look_up <= bt->cache.at; at++)
        if (memcmp(code + at, look_up, sizeof look_up) == 0)
            return bt_host_address(bt, at);
    return 0;
}

/* As found by a signal at host address `rip`, on the way to `target`. */
static struct host_regs on_the_way(struct bt_rig *r, uint64_t rip, gla_t target)
{
    struct vcpu *v = r->cpu;
    struct host_regs regs = {.rflags = EFL_FIXED1 | EFL_CF | EFL_OF, .rip = rip};

    cr_assert(rip);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        regs.gpr[host_gpr(n)] = 0x1000 + n;
    regs.gpr[RSP] = v->bt.return_top;
    regs.gpr[R8] = target;
    regs.gpr[R13] = v->bt.jump_now;
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

static struct bt_rig *ran_once(void)
{
    struct bt_rig *r = rig();

    for (unsigned n = 0; n < 3; n++) /* until F is in the map */
        run(r, once, sizeof once, 0);
    return r;
}

Test(bt_indirect, break_in_at_a_look_up)
{
    struct bt_rig *r = ran_once();
    struct vcpu *v = r->cpu;
    struct bt *bt = v->translator;

    struct host_regs regs = on_the_way(r, call_site(bt), F);
    cr_expect(bt_break_in(v, &regs) && v->eip == F && !v->bt.in_cache);
    cr_expect(regs.rip == bt_host_address(bt, bt->stubs.break_exit) && !(regs.rflags & EFL_TF));
    expect_registers(v);

    /* To where nothing is translated: on to the way out, with the address. */
    regs = on_the_way(r, call_site(bt), 0xfffffffc);
    cr_expect(bt_break_in(v, &regs) && !v->bt.in_cache && v->bt.exit_arg == 0xfffffffc);
    cr_expect(bt_owns(v, regs.rip) && regs.rip < bt_host_address(bt, bt->cache.fixed));
}

/* Behind the look-up lie LEA and CALL, then the check of where F returns to. */
#define CALL_BYTES (sizeof look_up + 8u + 3u)
#define BEHIND     (CODE + 7u)

Test(bt_indirect, break_in_at_a_check)
{
    struct bt_rig *r = ran_once();
    struct vcpu *v = r->cpu;
    struct bt *bt = v->translator;
    uint64_t check = call_site(bt) + CALL_BYTES, load = check + 9;

    struct host_regs regs = on_the_way(r, check, BEHIND);
    cr_expect(bt_break_in(v, &regs) && v->eip == BEHIND && !v->bt.in_cache);
    cr_expect(regs.rip == bt_host_address(bt, bt->stubs.break_exit) && !(regs.rflags & EFL_TF));
    expect_registers(v);

    /* A RET to somewhere else: the load is the CPU's, which traps; then there by the map. */
    regs = on_the_way(r, check, F);
    cr_expect(bt_break_in(v, &regs) && regs.rip == load && (regs.rflags & EFL_TF));
    uint64_t addr = v->bt.return_top + BT_RETURN_LAST + (F - BEHIND);
    cr_expect(bt_host_trap(v, &regs, TRAP_READ, addr) && regs.rip == check);
    cr_expect((regs.rflags & EFL_TF) && v->stats.bt_check_branches > 0);
    bt_single_step(v, &regs);
    cr_expect(!v->bt.in_cache && v->eip == F);
    expect_registers(v);

    /* And both ways from anywhere in the branch. */
    regs = on_the_way(r, check, BEHIND);
    cr_expect(bt_break_in(v, &regs) && v->eip == BEHIND);
    expect_registers(v);
    regs = on_the_way(r, check + 3, BEHIND);
    regs.gpr[R9] = regs.gpr[RCX];
    cr_expect(bt_break_in(v, &regs) && v->eip == BEHIND);
    expect_registers(v);
}
