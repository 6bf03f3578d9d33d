/* SPDX-License-Identifier: MIT */
/*
 * state.c - the machine around a case: descriptor tables, page tables, handlers, data; the mode it
 * runs in; and how all that gets into a rig.
 */
#include "tests/bt/bt_random.h"

#include "host/linux/load.h" /* put_le32(), put_le64() */
#include "monitor/interp/fpu_image.h"

#define HLT  0xf4
#define IRET 0xcf

#define PTE_P 1u
#define PTE_W 2u
#define PTE_U 4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_G 0x100u
#define USUAL (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* ---- the mode ---- */

static uint32_t some_flags(void)
{
    uint32_t f = EFL_FIXED1 | (rnd32() & EFL_ARITH);

    f |= chance(15) ? EFL_DF : 0;
    f |= chance(15) ? EFL_AC : 0;
    f |= chance(40) ? EFL_IF : 0;
    f |= chance(1) ? EFL_TF : 0;
    f |= chance(2) ? EFL_NT : 0;
    f |= chance(2) ? EFL_RF : 0;
    f |= chance(30) ? EFL_ID : 0;
    return f | rnd(4) << EFL_IOPL_SHIFT;
}

static uint16_t some_data_selector(const struct bt_case *c, unsigned seg)
{
    static const uint16_t odd[2][6] = {
        {SEL_BASED0, SEL_SMALL0, SEL_BASED3, SEL_SMALL3, SEL_LOW0, 0},
        {SEL_BASED3, SEL_SMALL3, SEL_DOWN3, SEL_READ3, SEL_LOW3, 0},
    };
    unsigned odds = seg == SEG_FS || seg == SEG_GS ? 50 : c->tame ? 3 : 12;

    if (!chance(odds))
        return c->cpl ? SEL_DATA3 : SEL_DATA0;
    return PICK(odd[c->cpl != 0]);
}

/* CPL, paging, control registers, flags, segments; ESP. */
void state_mode(struct bt_case *c)
{
    c->cpl = chance(50) ? 3 : 0;
    c->paging = chance(88);
    c->stack16 = chance(7);
    c->cr0 = CR0_PE | CR0_ET | (c->paging ? CR0_PG : 0) | (chance(70) ? CR0_WP : 0) |
             (chance(40) ? CR0_AM : 0) | (chance(95) ? CR0_NE : 0) | (chance(60) ? CR0_MP : 0) |
             (chance(4) ? CR0_TS : 0) | (chance(2) ? CR0_EM : 0);
    c->cr4 = (chance(96) ? CR4_OSFXSR : 0) | (chance(90) ? CR4_OSXMMEXCPT : 0) |
             (chance(15) ? CR4_TSD : 0) | (chance(15) ? CR4_UMIP : 0) | (chance(50) ? CR4_PGE : 0) |
             (chance(10) ? CR4_PVI : 0) | (chance(30) ? CR4_DE : 0);
    c->eflags = some_flags();
    for (unsigned n = 0; n < SEG_COUNT; n++)
        c->sel[n] = some_data_selector(c, n);
    c->sel[SEG_CS] = c->cpl ? SEL_CODE3 : SEL_CODE0;
    c->sel[SEG_SS] = c->stack16 ? (c->cpl ? SEL_STACK16_3 : SEL_STACK16_0)
                     : c->cpl   ? SEL_DATA3
                                : SEL_DATA0;
    if (!c->stack16 && chance(4))
        c->sel[SEG_SS] = c->cpl ? SEL_LOW3 : SEL_LOW0;
    uint32_t esp = STACK_AT + 0x1000 + 4 * rnd(0x800) + (chance(5) ? rnd(4) : 0);
    if (chance(15))
        esp = STACK_AT + 0x1000 * (1 + rnd(3)) + 4 * rnd(8) - 16;
    c->gpr[ESP] = c->stack16 ? (esp - STACK_AT) | (chance(30) ? rnd(0x10000) << 16 : 0) : esp;
    if (chance(2))
        c->gpr[ESP] = rnd(16); /* pushes wrap around */
}

/* ---- tables ---- */

static uint64_t segment(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)((attr & 0xf0ff) | (limit >> 8 & 0xf00)) << 40 | (uint64_t)(base >> 24) << 56;
}

static uint64_t gate(uint16_t sel, uint32_t off, unsigned type, unsigned dpl)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)(0x80 | dpl << 5 | type) << 40 |
           (uint64_t)(off >> 16) << 48;
}

static void put_gdt(uint8_t *ram)
{
    static const struct {
        uint16_t sel;
        uint32_t base, limit, attr;
    } known[] = {
        {SEL_CODE0, 0, 0xfffff, 0xc09b},
        {SEL_DATA0, 0, 0xfffff, 0xc093},
        {SEL_CODE3, 0, 0xfffff, 0xc0fb},
        {SEL_DATA3, 0, 0xfffff, 0xc0f3},
        {SEL_TSS, TSS_AT, 0x87, 0x8b},
        {SEL_BASED0, DATA_AT, 0xfffff, 0xc092},
        {SEL_BASED3, DATA_AT, 0xfffff, 0xc0f2},
        {SEL_SMALL0, DATA_AT, 0x1fff, 0x4093},
        {SEL_SMALL3, DATA_AT, 0x1fff, 0x40f3},
        {SEL_STACK16_0, STACK_AT, 0xffff, 0x0093},
        {SEL_STACK16_3, STACK_AT, 0xffff, 0x00f3},
        {SEL_DOWN3, DATA_AT, 0x00fff, 0x40f7},
        {SEL_READ3, 0, 0xfffff, 0xc0f1},
        {SEL_EXEC3, 0, 0xfffff, 0xc0f9},
        {SEL_CONF, 0, 0xfffff, 0xc09f},
        {SEL_ABSENT, 0, 0xfffff, 0xc073},
        {SEL_LOW0, 0, 0x2ffff, 0x4093},
        {SEL_LOW3, 0, 0x2ffff, 0x40f3},
    };

    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        put_le64(ram + GDT_AT + (known[i].sel & ~7u),
                 segment(known[i].base, known[i].limit, known[i].attr));
    put_le64(ram + GDT_AT + (SEL_GATE3 & ~7u), gate(SEL_CODE0, HANDLER_AT + 0x910, 12, 3));
}

/* Exceptions end the case; INT3, INTO and INT 80-8F come back. */
static void put_idt(uint8_t *ram)
{
    for (unsigned n = 0; n < 256; n++) {
        bool back = n == VEC_BP || n == VEC_OF || (n & 0xf0) == 0x80;
        bool open = back || n == VEC_BR || n >= 0xc0;

        put_le64(ram + IDT_AT + 8 * n,
                 gate(SEL_CODE0, HANDLER_AT + 16 * n, n & 1 ? 15 : 14, open ? 3 : 0));
        memset(ram + HANDLER_AT + 16 * n, HLT, 16);
        if (back)
            ram[HANDLER_AT + 16 * n] = IRET;
    }
    put_le32(ram + TSS_AT + 4, STACK0_AT);
    put_le32(ram + TSS_AT + 8, SEL_DATA0);
    put_le32(ram + TSS_AT + 0x64, 0x68u << 16);
    memset(ram + TSS_AT + 0x68, 0x0f, 0x18); /* ports 0-191: some may be used */
    memset(ram + TSS_AT + 0x80, 0xff, 8);
}

static uint32_t page_entry(unsigned page)
{
    uint32_t at = page << GUEST_PAGE_SHIFT;

    switch (at) {
    case 0:
        return NULL_AT | USUAL;
    case PD_AT: /* Nobody writes there: what a change without INVLPG does depends on */
    case PT_AT: /* which entries were cached. */
    case PT_HIGH_AT:
        return 0;
    case ODD_AT: /* read-only */
        return at | (USUAL & ~PTE_W);
    case ODD_AT + 0x1000:
        return 0;
    case ODD_AT + 0x2000:
        return at | (USUAL & ~PTE_D);
    case ODD_AT + 0x3000:
        return at | (USUAL & ~PTE_U);
    case ODD_AT + 0x4000:
        return at | (USUAL & ~(PTE_U | PTE_W));
    case ODD_AT + 0x5000:
        return at | (USUAL & ~(PTE_A | PTE_D));
    case ODD_AT + 0x6000: /* aliases */
        return CODE_AT | USUAL;
    case ODD_AT + 0x7000:
        return DATA_AT | USUAL | PTE_G;
    case 0x36000: /* nothing there */
        return 0x10000000u | USUAL;
    default:
        return at < CODE_AT ? at | (USUAL & ~PTE_U) : at | USUAL;
    }
}

static void put_page_tables(uint8_t *ram)
{
    for (unsigned n = 0; n < 1024; n++) {
        put_le32(ram + PT_AT + 4 * n, n < RAM_BYTES >> 12 ? page_entry(n) : 0);
        put_le32(ram + PT_HIGH_AT + 4 * n, 0);
        put_le32(ram + PD_AT + 4 * n, 0);
    }
    put_le32(ram + PT_HIGH_AT + 4 * 1023, HIGH_AT | USUAL);
    put_le32(ram + PT_HIGH_AT + 4 * 1022, (HIGH_AT + 0x4000) | USUAL);
    put_le32(ram + PT_HIGH_AT, (HIGH_AT + 0x5000) | USUAL);
    put_le32(ram + PD_AT, PT_AT | USUAL);
    put_le32(ram + PD_AT + 4 * 512, PT_HIGH_AT | USUAL);
    put_le32(ram + PD_AT + 4 * 1023, PT_HIGH_AT | USUAL);
}

/* What is the same for all cases. */
static const uint8_t *template_ram(void)
{
    static uint8_t ram[RAM_BYTES];
    static bool made;

    if (!made) {
        made = true;
        fuzz_state = 1;
        for (unsigned i = DATA_AT; i < RAM_BYTES; i += 8)
            put_le64(ram + i, rnd64());
        put_gdt(ram);
        put_idt(ram);
        put_page_tables(ram);
        memset(ram + CODE_AT, HLT, CODE_BYTES);
    }
    return ram;
}

/* ---- into RAM and registers ---- */

static void put_code(const struct bt_case *c, uint8_t *image)
{
    for (unsigned n = 0; n < c->count; n++)
        if (c->insn[n].dropped)
            memset(image + c->where[n], 0x90, c->insn[n].len);
        else
            memcpy(image + c->where[n], c->insn[n].bytes, c->insn[n].len);
}

void state_image(const struct bt_case *c, uint8_t *image)
{
    memcpy(image, template_ram(), RAM_BYTES);
    fuzz_state = c->ram_seed;
    for (unsigned n = 0; n < 200; n++) {
        uint32_t at = (chance(50) ? DATA_AT : ODD_AT) + (rnd(DATA_BYTES) & ~7u);
        /* Small integers, floats, pointers. */
        uint64_t val = chance(30) ? rnd(100) : rnd64();
        if (chance(20))
            val = DATA_AT + rnd(DATA_BYTES) + ((uint64_t)(DATA_AT + rnd(DATA_BYTES)) << 32);
        put_le64(image + at, val);
    }
    for (unsigned n = 0; n < POINTERS; n++)
        put_le32(image + POINTERS_AT + 4 * n, c->where[rnd(c->count + 1)]);
    put_le32(image + COUNTER_AT, c->loops);
    put_code(c, image);
}

/* Writes RAM where it differs; pages with decoded or translated code are told of it. */
static void load_ram(const uint8_t *image, struct bt_rig *r)
{
    for (uint32_t at = 0; at < RAM_BYTES; at += GUEST_PAGE_SIZE) {
        bool code = r->vm.page[at >> GUEST_PAGE_SHIFT] & (PAGE_CODE | PAGE_TRANSLATED);

        if (code && !memcmp(r->vm.ram + at, image + at, GUEST_PAGE_SIZE))
            continue;
        memcpy(r->vm.ram + at, image + at, GUEST_PAGE_SIZE);
        if (code)
            bt_rig_wrote(r, at, GUEST_PAGE_SIZE);
    }
}

static void load_segment(struct vcpu *v, unsigned n, uint16_t sel, const uint8_t *image)
{
    struct descriptor d;

    if (sel_is_null(sel)) {
        seg_set_null(&v->seg[n], sel);
        return;
    }
    memcpy(&d, image + GDT_AT + (sel & ~7u), sizeof d);
    seg_from_descriptor(&v->seg[n], sel, d);
    seg_derive(&v->seg[n], true);
}

static void load_fpu(const struct bt_case *c, struct vcpu *v)
{
    uint32_t mask = image_get32(v->fpu.area, FX_MXCSR_MASK);

    memcpy(v->fpu.area, c->fpu, FX_LEGACY_END);
    image_put32(v->fpu.area, FX_MXCSR_MASK, mask);
    image_put32(v->fpu.area, FX_MXCSR, image_get32(c->fpu, FX_MXCSR) & (mask ? mask : 0xffbfu));
}

void state_apply(const struct bt_case *c, const uint8_t *image, struct bt_rig *r)
{
    struct vcpu *v = r->cpu;

    load_ram(image, r);
    bt_rig_flat(r, c->cpl);
    load_fpu(c, v);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        load_segment(v, n, c->sel[n], image);
    memcpy(v->gpr, c->gpr, sizeof c->gpr);
    v->gdtr = (struct table_reg){GDT_AT, SEL_END - 1};
    v->idtr = (struct table_reg){IDT_AT, 0x7ff};
    v->tr = (struct seg){.sel = SEL_TSS, .attr = 0x8b, .base = TSS_AT, .limit = 0x87};
    seg_derive(&v->tr, true);
    seg_set_null(&v->ldtr, 0);
    memset(v->dr, 0, sizeof v->dr);
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    v->msr.sysenter_cs = SEL_CODE0;
    v->msr.sysenter_esp = STACK0_AT;
    v->msr.sysenter_eip = HANDLER_AT + 0x900;
    v->cr0 = c->cr0;
    v->cr3 = PD_AT;
    v->cr4 = c->cr4;
    v->eflags = c->eflags;
    v->eip = v->next_eip = c->at;
    mmu_flush_all(v);
    vcpu_attend(v, ATT_MODE);
}
