/* SPDX-License-Identifier: MIT */
/* interp_quick.c - quick forms against the full handlers: random instructions, registers, segments
 * and alignment checking; both must leave the same state or raise the same fault. */
#include "tests/rig/interp_rig.h"

#include "monitor/interp/quick.h"
#include "monitor/memory/page.h"

#define ROUNDS 400000u

static uint64_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 32);
}

/* First and last opcode byte of what has quick forms and of some neighbours. */
static const uint8_t one_byte[][2] = {
    {0x00, 0x05}, {0x08, 0x0d}, {0x10, 0x15}, {0x18, 0x1d}, {0x20, 0x25}, {0x28, 0x2d},
    {0x30, 0x35}, {0x38, 0x3d}, {0x40, 0x5f}, {0x68, 0x6b}, {0x70, 0x8b}, {0x8d, 0x8d},
    {0x90, 0x99}, {0xa0, 0xa3}, {0xa8, 0xa9}, {0xb0, 0xc3}, {0xc6, 0xc7}, {0xc9, 0xc9},
    {0xd0, 0xd3}, {0xe8, 0xe9}, {0xeb, 0xeb}, {0xf6, 0xf7}, {0xfe, 0xff},
};
static const uint8_t two_byte[][2] = {{0x40, 0x4f}, {0x80, 0x9f}, {0xaf, 0xaf},
                                      {0xb6, 0xb7}, {0xbe, 0xbf}, {0x1f, 0x1f}};

static unsigned make_bytes(uint8_t *out)
{
    unsigned n = 0;

    if (rnd() % 4 == 0)
        out[n++] = 0x66;
    if (rnd() % 8 == 0)
        out[n++] = 0x67;
    if (rnd() % 8 == 0)
        out[n++] = rnd() & 1 ? 0x36 : 0x26;
    const uint8_t *range;
    if (rnd() % 4 == 0) {
        out[n++] = 0x0f;
        range = two_byte[rnd() % ARRAY_LEN(two_byte)];
    } else {
        range = one_byte[rnd() % ARRAY_LEN(one_byte)];
    }
    out[n++] = (uint8_t)(range[0] + rnd() % (range[1] - range[0] + 1u));
    while (n < INSN_MAX_LEN) {
        uint32_t bits = rnd();
        /* ModRM with small displacements, so that memory operands stay near the data */
        out[n++] = (uint8_t)(bits & 0x300 ? bits & 0x7f : bits);
    }
    return n;
}

static uint32_t random_value(void)
{
    switch (rnd() % 4) {
    case 0:
        return rnd();
    case 1:
        return rnd() % 40;
    default:
        return RIG_DATA + rnd() % RIG_DATA_BYTES;
    }
}

/* The same random segments for both. */
static void set_segments(struct rig *a, struct rig *b)
{
    static const struct {
        uint32_t base, limit;
        uint16_t attr;
    } kinds[] = {
        {0, ~0u, 0xc093},
        {0, ~0u, 0xc093},
        {0x100, ~0u, 0xc093},
        {0, RIG_DATA + 0x17fb, 0xc093},
        {0, RIG_DATA + 0x800, 0xc097}, /* expand-down */
        {0, ~0u, 0xc091},              /* read-only */
    };
    for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
        unsigned k = rnd() % ARRAY_LEN(kinds);
        if (seg == SEG_CS)
            continue;
        rig_segment(a, seg, kinds[k].base, kinds[k].limit, kinds[k].attr);
        rig_segment(b, seg, kinds[k].base, kinds[k].limit, kinds[k].attr);
    }
    uint32_t limit = rnd() % 4 ? ~0u : 0x10ffff;
    rig_segment(a, SEG_CS, 0, limit, 0xc09b);
    rig_segment(b, SEG_CS, 0, limit, 0xc09b);
}

static void set_cpu(struct rig *a, struct rig *b)
{
    struct vcpu *v = &a->cpu, *w = &b->cpu;

    for (unsigned n = 0; n < GPR_COUNT; n++)
        w->gpr[n] = v->gpr[n] = n == ESP ? RIG_DATA + rnd() % RIG_DATA_BYTES : random_value();
    w->eflags = v->eflags = EFL_FIXED1 | (rnd() & EFL_ARITH) | (rnd() % 4 ? 0 : EFL_AC);
    w->cpl = v->cpl = rnd() % 2 ? 3 : 0;
    w->cr0 = v->cr0 = CR0_PE | CR0_ET | CR0_AM;
    w->eip = v->eip = RIG_EIP;
    w->attention = v->attention = 0;
    w->shadow_next = v->shadow_next = 0;
}

static void put_code(struct rig *r, const uint8_t *bytes, unsigned len)
{
    memcpy(r->vm.ram + RIG_EIP, bytes, len);
    r->vm.ram[RIG_EIP + len] = 0x0f; /* ud2 */
    r->vm.ram[RIG_EIP + len + 1] = 0x0b;
    vm_ram_written(&r->vm, RIG_EIP, 32);
    r->cpu.attention = 0;
}

static void run_step(struct vcpu *v, void *arg)
{
    (void)arg;
    interp_step(v);
}

static void run_block(struct vcpu *v, void *arg)
{
    uint64_t before = v->stats.insns;

    (void)arg;
    do
        interp_run(v, 1);
    while (v->stats.insns == before); /* met the dropped block of the last round */
}

/* Memory operands outside RAM or in the code page are another test's. */
static bool operand_is_fine(struct rig *r)
{
    const struct insn *i = &r->insn;

    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].kind == OPK_MEM) {
            uint32_t at = r->cpu.seg[i->seg].base + ea(&r->cpu, i);
            if (at < RIG_DATA || at >= RIG_DATA + RIG_DATA_BYTES)
                return false;
        }
    return true;
}

static bool same(const struct rig *a, const struct rig *b)
{
    return memcmp(a->cpu.gpr, b->cpu.gpr, sizeof a->cpu.gpr) == 0 && a->cpu.eip == b->cpu.eip &&
           a->cpu.eflags == b->cpu.eflags &&
           memcmp(a->vm.ram + RIG_DATA - 64, b->vm.ram + RIG_DATA - 64, RIG_DATA_BYTES + 128) == 0;
}

Test(interp_quick, same_as_full_handlers, .timeout = 300)
{
    struct rig *full = rig_new(), *quick = rig_new();
    unsigned bad = 0, done = 0;

    for (unsigned n = 0; n < RIG_DATA_BYTES; n++)
        full->vm.ram[RIG_DATA + n] = quick->vm.ram[RIG_DATA + n] = (uint8_t)rnd();
    for (unsigned round = 0; round < ROUNDS && bad < 10; round++) {
        uint8_t bytes[16];

        if (round % 64 == 0)
            set_segments(full, quick);
        make_bytes(bytes);
        set_cpu(full, quick);
        if (!rig_decode(full, bytes, INSN_MAX_LEN) || !operand_is_fine(full))
            continue;
        put_code(full, bytes, full->insn.len);
        put_code(quick, bytes, full->insn.len);
        bool raised = fault_catch(&full->cpu, run_step, NULL, &full->fault);
        bool stopped = fault_catch(&quick->cpu, run_block, NULL, &quick->fault);
        bool ok = same(full, quick);
        if (raised)
            ok = ok && stopped && quick->fault.vector == full->fault.vector &&
                 quick->fault.error == full->fault.error;
        else if (stopped) /* by the ud2 after it */
            ok = ok && quick->fault.vector == VEC_UD && !quick_is_branch(&full->insn);
        done++;
        if (!ok)
            bad++;
        cr_expect(ok, "%02x %02x %02x %02x %02x %02x: eip %x %x, flags %x %x, fault %d/%d %d/%d",
                  bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], full->cpu.eip,
                  quick->cpu.eip, full->cpu.eflags, quick->cpu.eflags, raised, full->fault.vector,
                  stopped, quick->fault.vector);
    }
    cr_expect(done > ROUNDS / 8, "only %u instructions ran", done);
}
