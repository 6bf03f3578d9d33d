/* SPDX-License-Identifier: MIT */
/* cpu_state.c - descriptor tables, task states, page tables and registers: right in the main, wrong
 * in places. */
#include "tests/fuzz/cpu_fuzz.h"

#include "include/ring1/bytes.h"
#include "monitor/arch/control.h"
#include "monitor/arch/exception.h"
#include "monitor/arch/msr.h"
#include "monitor/arch/segment.h"
#include "shadow-mmu/mmu.h"
#include "tests/fuzz/fuzz_random.h"

/* ---- tables ---- */

static uint64_t segment(uint32_t base, uint32_t limit, unsigned attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(attr >> 12 & 0xf) << 52 |
           (uint64_t)(base >> 24) << 56;
}

static uint64_t gate(uint16_t sel, uint32_t offset, unsigned type, unsigned dpl, unsigned count)
{
    return (offset & 0xffff) | (uint64_t)sel << 16 | (uint64_t)count << 32 |
           (uint64_t)(0x80 | dpl << 5 | type) << 40 | (uint64_t)(offset >> 16) << 48;
}

static uint64_t random_gate(bool idt)
{
    static const uint8_t idt_types[] = {14, 14, 14, 15, 15, 6, 7, 5}, gdt_types[] = {12, 12, 4, 5};
    unsigned type = idt ? PICK(idt_types) : PICK(gdt_types);
    static const uint16_t code[] = {SEL_CODE32, SEL_CODE32, SEL_CODE32, SEL_CODE16, SEL_CONF};
    uint16_t sel = chance(90) ? PICK(code) : some_selector();

    if (type == 5)
        sel =
            chance(80) ? PICK(((const uint16_t[]){SEL_TSS, SEL_TSS2, SEL_TSS16})) : some_selector();
    return gate(sel, some_code(), type, chance(50) ? 3 : rnd(4), chance(80) ? rnd(4) : rnd(32));
}

static uint64_t random_descriptor(void)
{
    switch (rnd(6)) {
    case 0:
        return rnd64();
    case 1:
        return random_gate(false);
    case 2: /* a small segment, perhaps expand-down, perhaps absent */
        return segment(some_address(), rnd(0x20000),
                       0x10 | rnd(16) | rnd(4) << 5 | (chance(90) ? 0x80 : 0) | (rnd32() & 0xd000));
    case 3: /* system */
        return segment(TSS_AT + 0x100 * rnd(8), 0x67 + rnd(0x100), rnd(16) | 0x80 | rnd(4) << 5);
    default:
        return segment(chance(50) ? 0 : rnd(0x10000), 0xfffff,
                       0xc090 | rnd(16) | rnd(4) << 5 | (chance(20) ? 0 : 0x80));
    }
}

static void put_tss(uint8_t *t)
{
    for (unsigned i = 0; i < 0x100; i += 4)
        put_le32(t + i, chance(10) ? rnd32() : 0);
    put_le32(t, chance(80) ? 0 : some_selector()); /* back link */
    for (unsigned ring = 0; ring < 3; ring++) {
        put_le32(t + 4 + 8 * ring, STACK_AT - rnd(0x100));
        put_le32(t + 8 + 8 * ring, chance(90) ? SEL_DATA32 | ring : some_selector());
    }
    put_le32(t + 0x1c, chance(80) ? PD_AT : rnd32());
    put_le32(t + 0x20, some_code());
    put_le32(t + 0x24, chance(70) ? 0x202 : rnd32() & 0x3ffff);
    for (unsigned r = 0; r < 8; r++)
        put_le32(t + 0x28 + 4 * r, r == ESP ? STACK_AT : some_address());
    for (unsigned s = 0; s < 6; s++)
        put_le32(t + 0x48 + 4 * s,
                 chance(70) ? (s == SEG_CS ? SEL_CODE32 : SEL_DATA32) : some_selector());
    put_le32(t + 0x60, chance(70) ? SEL_LDT : some_selector());
    put_le32(t + 0x64, (chance(80) ? 0x68u : rnd(0x10000)) << 16 | (chance(5) ? 1 : 0));
}

static uint32_t page_flags(void)
{
    static const uint16_t flags[] = {0x067, 0x067, 0x067, 0x007, 0x027, 0x063,
                                     0x065, 0x061, 0x167, 0x163, 0x060, 0x005};

    return PICK(flags);
}

static void put_tables_32(uint8_t *ram)
{
    for (unsigned i = 0; i < 1024; i++) {
        uint32_t e = chance(97) ? i << 12 | page_flags() : rnd32();
        put_le32(ram + PT_AT + 4 * i, e);
        uint32_t d = 0;
        if (i == 0 || chance(10))
            d = PT_AT | 0x67;
        else if (chance(20))
            d = chance(50) ? 0xe7 : rnd32();
        put_le32(ram + PD_AT + 4 * i, d);
    }
    if (chance(20))
        put_le32(ram + PD_AT, 0xe7); /* 4 MiB, at their own place */
    put_le32(ram + PD_AT + 4 * 1023, PD_AT | 0x67);
    put_le32(ram + PD_AT + 4 * (0xfee00000u >> 22), 0xfec000e7u);
}

static void put_tables_pae(uint8_t *ram)
{
    for (unsigned i = 0; i < 4; i++)
        put_le64(ram + PDPT_AT + 8 * i, chance(90) ? PD_AT | 1 : chance(50) ? 0 : rnd64());
    for (unsigned i = 0; i < 512; i++) {
        uint64_t d = 0;
        if (i < 2)
            d = (PT_AT + i * 0x1000) | 0x67;
        else if (chance(20))
            d = chance(50) ? (uint64_t)rnd(2) << 21 | 0xe7 : rnd64();
        put_le64(ram + PD_AT + 8 * i, d);
    }
    for (unsigned i = 0; i < 1024; i++) {
        uint64_t e = (uint64_t)i << 12 | page_flags() | (chance(10) ? 1ull << 63 : 0);
        put_le64(ram + PT_AT + 8 * i, chance(97) ? e : rnd64());
    }
}

static bool pae;

void tables_make(uint8_t *ram)
{
    static const struct {
        uint16_t sel;
        uint32_t base, limit, attr;
    } known[] = {
        {SEL_CODE32, 0, 0xfffff, 0xc09b},        {SEL_DATA32, 0, 0xfffff, 0xc093},
        {SEL_CODE32_3, 0, 0xfffff, 0xc0fb},      {SEL_DATA32_3, 0, 0xfffff, 0xc0f3},
        {SEL_TSS, TSS_AT, 0x2067, 0x89},         {SEL_LDT, LDT_AT, 0xff, 0x82},
        {SEL_CODE16, 0, 0x3ffff, 0x009b},        {SEL_DATA16, 0, 0x3ffff, 0x0093},
        {SEL_CODE16_3, 0, 0x3ffff, 0x00fb},      {SEL_DATA16_3, 0, 0x3ffff, 0x00f3},
        {SEL_CONF, 0, 0xfffff, 0xc09f},          {SEL_TSS2, TSS_AT + 0x100, 0x67, 0x89},
        {SEL_TSS16, TSS_AT + 0x200, 0x2b, 0x81},
    };

    for (unsigned i = 0; i < 128; i++)
        put_le64(ram + GDT_AT + 8 * i, random_descriptor());
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        put_le64(ram + GDT_AT + (known[i].sel & ~7u),
                 segment(known[i].base, known[i].limit, known[i].attr));
    put_le64(ram + GDT_AT + (SEL_GATE & ~7u), random_gate(false));
    put_le64(ram + GDT_AT + (SEL_TASK & ~7u), gate(SEL_TSS2, 0, 5, 3, 0));
    for (unsigned i = 0; i < 32; i++)
        put_le64(ram + LDT_AT + 8 * i, random_descriptor());
    for (unsigned i = 0; i < 256; i++)
        put_le64(ram + IDT_AT + 8 * i, chance(95) ? random_gate(true) : rnd64());
    for (unsigned i = 0; i < 8; i++)
        put_tss(ram + TSS_AT + 0x100 * i);
    for (unsigned i = 0; i < 256; i++) /* the real-mode table */
        put_le32(ram + 4 * i, chance(90) ? rnd(CODE_LEN) | (CODE_AT >> 4) << 16 : rnd32());
    pae = chance(40);
    if (pae)
        put_tables_pae(ram);
    else
        put_tables_32(ram);
}

/* ---- registers ---- */

enum mode { REAL, BIG_REAL, PROT32, PROT16, USER32, USER16, V86, MODES };

static void set_seg(struct vcpu *v, unsigned n, uint16_t sel, uint32_t limit, uint16_t attr)
{
    v->seg[n] = (struct seg){.sel = sel, .attr = attr, .limit = limit};
    seg_derive(&v->seg[n], true);
}

static void set_segments(struct vcpu *v, enum mode m)
{
    static const struct {
        uint16_t code, data, code_attr, data_attr;
        uint32_t limit;
    } of[MODES] = {
        [PROT32] = {SEL_CODE32, SEL_DATA32, 0xc09b, 0xc093, 0xffffffff},
        [PROT16] = {SEL_CODE16, SEL_DATA16, 0x009b, 0x0093, 0x3ffff},
        [USER32] = {SEL_CODE32_3, SEL_DATA32_3, 0xc0fb, 0xc0f3, 0xffffffff},
        [USER16] = {SEL_CODE16_3, SEL_DATA16_3, 0x00fb, 0x00f3, 0x3ffff},
    };

    v->cpl = m >= USER32 ? 3 : 0;
    if (m == V86) {
        v->eflags |= EFL_VM;
        for (unsigned n = 0; n < SEG_COUNT; n++)
            seg_load_v86(v, n, n == SEG_CS ? CODE_AT >> 4 : n == SEG_SS ? 0x2000 : DATA_AT >> 4);
        return;
    }
    if (m <= BIG_REAL) {
        for (unsigned n = 0; n < SEG_COUNT; n++) {
            if (m == BIG_REAL && n != SEG_CS)
                set_seg(v, n, 0, 0xffffffff, 0x8093 | (n == SEG_SS && chance(50) ? 0x4000 : 0));
            seg_load_real(v, n, n == SEG_CS ? CODE_AT >> 4 : n == SEG_SS ? 0x2000 : DATA_AT >> 4);
        }
        return;
    }
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (n == SEG_CS)
            set_seg(v, n, of[m].code, of[m].limit, of[m].code_attr);
        else
            set_seg(v, n, of[m].data, of[m].limit, of[m].data_attr);
}

/* Writes by the CPU's own rules; what they refuse is left out. */
static void try_controls(struct vcpu *v, void *arg)
{
    bool paging = *(bool *)arg;
    uint32_t cr0 = v->cr0 & ~(CR0_CD | CR0_NW);

    if (chance(40))
        msr_write(v, 0xc0000080, (uint64_t)rnd(2) << 11);
    if (chance(60)) {
        msr_write(v, 0x174, some_selector());
        msr_write(v, 0x175, STACK_AT);
        msr_write(v, 0x176, some_code());
    }
    control_write_cr(v, 4, (rnd32() & 0x300657u) | CR4_OSFXSR | (pae ? CR4_PAE : CR4_PSE));
    control_write_cr(v, 3, pae ? PDPT_AT : PD_AT);
    if (chance(30))
        for (unsigned n = 0; n < 4; n++)
            control_write_dr(v, n, chance(50) ? some_code() : some_address());
    if (chance(20))
        control_write_dr(v, 7, rnd32());
    cr0 |= CR0_PE | (paging ? CR0_PG : 0);
    cr0 |= rnd32() & (CR0_WP | CR0_AM | CR0_NE | CR0_MP);
    if (chance(20))
        cr0 |= rnd32() & (CR0_EM | CR0_TS);
    control_write_cr(v, 0, cr0);
}

void state_make(struct vcpu *v)
{
    enum mode m = (enum mode)rnd(MODES);
    bool paging = m > BIG_REAL && chance(60);
    struct fault f;

    v->gdtr = (struct table_reg){GDT_AT, 0x3ff};
    v->idtr =
        (struct table_reg){m <= BIG_REAL ? 0 : IDT_AT, chance(90) ? 0x7ff : (uint16_t)rnd(0x800)};
    if (m > BIG_REAL) {
        fault_catch(v, try_controls, &paging, &f);
        v->cr0 |= CR0_PE; /* also when a write was refused */
        v->tr = (struct seg){.sel = SEL_TSS, .attr = 0x8b, .base = TSS_AT, .limit = 0x2067};
        seg_derive(&v->tr, true);
        v->ldtr = (struct seg){.sel = SEL_LDT, .attr = 0x82, .base = LDT_AT, .limit = 0xff};
        seg_derive(&v->ldtr, true);
    }
    v->eflags = EFL_FIXED1 | (rnd32() & (chance(20) ? 0x247dd5 : 0x200cd5));
    if (chance(60))
        v->eflags |= EFL_IF;
    if (chance(20))
        v->eflags |= rnd(4) << EFL_IOPL_SHIFT;
    set_segments(v, m);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = some_address();
    v->gpr[ESP] = m <= BIG_REAL || m == V86 ? 0x8000 : STACK_AT;
    v->eip = v->next_eip = m <= BIG_REAL || m == V86 ? rnd(CODE_LEN) : some_code();
    vcpu_attend(v, ATT_MODE);
}

static bool seg_derived(const struct vcpu *v, unsigned n)
{
    const struct seg *s = &v->seg[n];
    struct seg again = *s;

    seg_derive(&again, true);
    if (n == SEG_CS)
        again.acc = s->acc; /* real-mode code may be written */
    return s->acc == 0 || (s->lo == again.lo && s->hi == again.hi && s->acc == again.acc);
}

const char *state_wrong(const struct vcpu *v)
{
    if (!(v->eflags & EFL_FIXED1) || (v->eflags & ~0x3f7fd7u))
        return "reserved bits of EFLAGS";
    if (v->cpl > 3 || (vcpu_v86(v) && v->cpl != 3) || (vcpu_real_mode(v) && v->cpl != 0))
        return "cpl does not go with the mode";
    if (vcpu_real_mode(v) && (v->eflags & EFL_VM))
        return "EFLAGS.VM in real mode";
    if ((v->cr0 & CR0_PG) && !(v->cr0 & CR0_PE))
        return "paging without protection";
    if (v->delivering != 0xff)
        return "a delivery is still under way";
    if (v->dr_armed != !!(v->dr[7] & 0xff))
        return "dr_armed differs from DR7";
    if ((v->dr[6] & ~0xe00fu) != 0xffff0ff0 || (v->dr[7] & ~0xffff23ffu) != 0x400)
        return "reserved bits of DR6 or DR7";
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (!seg_derived(v, n))
            return "the derived part of a segment is stale";
    return NULL;
}
