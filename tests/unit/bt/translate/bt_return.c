/* SPDX-License-Identifier: MIT */
/*
 * bt_return.c - the check behind a translated CALL (docs/codegen.md, section 6): a guest that
 * returns to somewhere else gets there with all its flags, and a call site that sees this again and
 * again does not trap again and again.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#define RAM    (1u << 20)
#define CODE   0x1000u
#define STACK  0x9000u
#define ROUNDS 1000u

/*
 *      mov ecx, ROUNDS
 * top: stc
 *      call f
 *      hlt               ; f returns behind it
 *      adc eax, 0        ; CF as f left it
 *      dec ecx
 *      jnz top
 *      hlt
 * f:   pop edx
 *      inc edx           ; keeps CF
 *      push edx
 *      ret
 */
static const uint8_t skips[] = {
    0xb9, ROUNDS & 0xff, ROUNDS >> 8, 0,    0,    0xf9, 0xe8, 0x08, 0,    0,    0,    0xf4,
    0x83, 0xd0,          0,           0x49, 0x75, 0xf3, 0xf4, 0x5a, 0x42, 0x52, 0xc3,
};

/*
 *      mov ecx, ROUNDS
 * top: call f
 *      dec ecx
 *      jnz top
 *      hlt
 * f:   ret
 */
static const uint8_t plain[] = {
    0xb9, ROUNDS & 0xff, ROUNDS >> 8, 0, 0, 0xe8, 0x04, 0, 0, 0, 0x49, 0x75, 0xf8, 0xf4, 0xc3,
};

static struct bt_rig *run(const uint8_t *code, size_t size, unsigned cpl)
{
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);

    bt_rig_create(r, RAM, true);
    memcpy(r->ram.base + CODE, code, size);
    bt_rig_flat(r, cpl);
    r->cpu->eip = CODE;
    r->cpu->gpr[ESP] = STACK;
    bt_rig_run(r);
    return r;
}

Test(bt_return, elsewhere)
{
    bt_rig_signals();
    struct vcpu *v = run(skips, sizeof skips, 0)->cpu;

    cr_expect(v->eip == CODE + 0x13, "eip %x", v->eip);
    cr_expect(v->gpr[EAX] == ROUNDS && v->gpr[ECX] == 0 && v->gpr[ESP] == STACK);
    /* once for each translation of the call: entered from above and by the loop */
    cr_expect(v->stats.bt_check_branches >= 1 && v->stats.bt_check_branches <= 4, "%llu traps",
              (unsigned long long)v->stats.bt_check_branches);
    cr_expect(v->stats.exit_lookup < ROUNDS / 10);
}

Test(bt_return, as_predicted)
{
    bt_rig_signals();
    struct vcpu *v = run(plain, sizeof plain, 0)->cpu;

    cr_expect(v->gpr[ECX] == 0 && v->gpr[ESP] == STACK && v->eip == CODE + sizeof plain - 1);
    cr_expect(v->stats.bt_check_branches == 0 && v->stats.exit_lookup < 20 &&
              v->stats.exit_trap < 20);
}

/* A return site's load reaches 4 GiB beyond the return stack: nothing may be there. */
Test(bt_return, guard)
{
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);
    unsigned long long low, high;
    char line[512], prot[8];

    bt_rig_create(r, RAM, true);
    uint64_t from = r->world.cpu_host.return_top, to = from + (1ull << 32), known = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    cr_assert(maps);
    while (fgets(line, sizeof line, maps)) {
        cr_assert(sscanf(line, "%llx-%llx %7s", &low, &high, prot) == 3);
        if (high <= from || low >= to)
            continue;
        cr_expect(!strncmp(prot, "---", 3), "%s", line);
        known += (high < to ? high : to) - (low > from ? low : from);
    }
    fclose(maps);
    cr_expect(known == to - from, "reserved, so that nothing else comes there");
}
