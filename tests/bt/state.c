/* SPDX-License-Identifier: MIT */
/*
 * state.c - the machine around a case: descriptor tables, handlers, data; the mode it runs in; and
 * how all that gets into a rig.
 */
#include "tests/bt/bt_random.h"

#include "include/ring1/bytes.h"
#include "monitor/cpu/fpu_image.h"
#include "tests/bt/native.h"

#define HLT  0xf4
#define IRET 0xcf

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

/* What a Linux process has. */
static void native_mode(struct bt_case *c)
{
    static const uint16_t odd[] = {NATIVE_BASED, NATIVE_SMALL, NATIVE_DOWN, 0};

    c->cpl = 3;
    c->paging = true;
    c->stack16 = c->kernel_pages = false;
    c->cr0 = CR0_PE | CR0_ET | CR0_PG | CR0_WP | CR0_AM | CR0_NE | CR0_MP;
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_TSD | (c->cr4 & (CR4_PAE | CR4_PGE));
    c->eflags = (c->eflags & ~(EFL_IOPL | EFL_NT)) | EFL_IF;
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        bool often = n == SEG_FS || n == SEG_GS;
        c->sel[n] = chance(often ? 50 : c->tame ? 3 : 12) ? PICK(odd) : NATIVE_DATA;
    }
    c->sel[SEG_CS] = NATIVE_CODE;
    c->sel[SEG_SS] = NATIVE_DATA;
}

static void paging_mode(struct bt_case *c)
{
    c->pae = c->paging && chance(40);
    c->nx = c->pae && chance(60);
    c->kernel_pages = c->paging && c->cpl == 0 && chance(25);
    c->cr4 |= c->pae ? CR4_PAE : 0;
    if (c->kernel_pages)
        c->cr4 |= (chance(60) ? CR4_SMAP : 0) | (chance(60) ? CR4_SMEP : 0);
}

/* CPL, paging, control registers, flags, segments; ESP. */
void state_mode(struct bt_case *c)
{
    c->native = chance(40);
    c->cpl = chance(40) ? 3 : 0;
    c->paging = c->native || chance(88);
    c->stack16 = chance(7);
    c->cr0 = CR0_PE | CR0_ET | (c->paging ? CR0_PG : 0) | (chance(70) ? CR0_WP : 0) |
             (chance(40) ? CR0_AM : 0) | (chance(95) ? CR0_NE : 0) | (chance(60) ? CR0_MP : 0) |
             (chance(4) ? CR0_TS : 0) | (chance(2) ? CR0_EM : 0);
    c->cr4 = (chance(96) ? CR4_OSFXSR : 0) | (chance(90) ? CR4_OSXMMEXCPT : 0) |
             (chance(15) ? CR4_TSD : 0) | (chance(15) ? CR4_UMIP : 0) | (chance(50) ? CR4_PGE : 0) |
             (chance(10) ? CR4_PVI : 0) | (chance(30) ? CR4_DE : 0);
    c->eflags = some_flags();
    paging_mode(c);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        c->sel[n] = some_data_selector(c, n);
    c->sel[SEG_CS] = c->cpl ? SEL_CODE3 : SEL_CODE0;
    c->sel[SEG_SS] = c->stack16 ? (c->cpl ? SEL_STACK16_3 : SEL_STACK16_0)
                     : c->cpl   ? SEL_DATA3
                                : SEL_DATA0;
    if (!c->stack16 && chance(4))
        c->sel[SEG_SS] = c->cpl ? SEL_LOW3 : SEL_LOW0;
    if (c->native)
        native_mode(c);
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

struct known_segment {
    uint16_t sel;
    uint32_t base, limit, attr;
};

static void put_segments(uint8_t *ram, const struct known_segment *s, unsigned n)
{
    for (; n--; s++)
        put_le64(ram + GDT_AT + (s->sel & ~7u), segment(s->base, s->limit, s->attr));
}

static void put_gdt(uint8_t *ram)
{
    static const struct known_segment known[] = {
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
        {SEL_CODE16_0, CODE_AT, 0xffff, 0x009b},
        {SEL_CODE16_3, CODE_AT, 0xffff, 0x00fb},
    };

    put_segments(ram, known, ARRAY_LEN(known));
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

/* The tables of Linux, as far as CPL 3 can tell: no gates for INT but 3, 4 and 80h, no ports, and
 * every exception ends the case. */
#define NATIVE_GDT_END 0x80u
#define NATIVE_TSS     0x40u

static void put_native_tables(uint8_t *ram)
{
    static const struct known_segment known[] = {
        {0x08, 0, 0xfffff, 0xc09b},
        {0x10, 0, 0xfffff, 0xa09b}, /* 64-bit code */
        {0x18, 0, 0xfffff, 0xc093},
        {NATIVE_CODE, 0, 0xfffff, 0xc0fb},
        {NATIVE_DATA, 0, 0xfffff, 0xc0f3},
        {0x33, 0, 0xfffff, 0xa0fb}, /* 64-bit code */
        {NATIVE_TSS, TSS_AT, 0x87, 0x8b},
        {NATIVE_BASED, NATIVE_BASE, 0xfffff, 0xd0f3},
        {NATIVE_SMALL, NATIVE_BASE, 0x1fff, 0x50f3},
        {NATIVE_DOWN, NATIVE_BASE, 0x0fff, 0x50f7},
        {0x7b, 0, 0, 0x40f5},
    };

    memset(ram + GDT_AT, 0, SEL_END);
    put_segments(ram, known, ARRAY_LEN(known));
    for (unsigned n = 0; n < 256; n++) {
        bool open = n == VEC_BP || n == VEC_OF || n == 0x80;
        put_le64(ram + IDT_AT + 8 * n, gate(0x08, HANDLER_AT + 16 * n, 14, open ? 3 : 0));
        ram[HANDLER_AT + 16 * n] = HLT;
    }
    put_le32(ram + TSS_AT + 8, 0x18);
    put_le32(ram + TSS_AT + 0x64, 0xffffu << 16);
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
    paging_image(c, image);
    if (c->native)
        put_native_tables(image);
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

/* As after reset: what a case wrote, the next one must not read, since endless ones only run
 * interpreted. */
static void load_msrs(const struct bt_case *c, struct vcpu *v)
{
    static struct vcpu_msrs reset;
    static bool known;

    if (!known)
        reset = v->msr;
    known = true;
    v->msr = reset;
    v->msr.sysenter_cs = SEL_CODE0;
    v->msr.sysenter_esp = STACK0_AT;
    v->msr.sysenter_eip = HANDLER_AT + 0x900;
    v->msr.efer = c->nx ? EFER_NXE : 0;
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
    v->gdtr = (struct table_reg){GDT_AT, (c->native ? NATIVE_GDT_END : SEL_END) - 1};
    v->idtr = (struct table_reg){IDT_AT, 0x7ff};
    v->tr = (struct seg){
        .sel = c->native ? NATIVE_TSS : SEL_TSS, .attr = 0x8b, .base = TSS_AT, .limit = 0x87};
    seg_derive(&v->tr, true);
    seg_set_null(&v->ldtr, 0);
    memset(v->dr, 0, sizeof v->dr);
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    load_msrs(c, v);
    v->cr0 = c->cr0;
    v->cr3 = PD_AT;
    v->cr4 = c->cr4;
    memset(v->pdpte, 0, sizeof v->pdpte); /* not the last case's, which are compared */
    if (c->pae)
        mmu_load_pdptes(v, v->cr3);
    v->eflags = c->eflags;
    v->eip = v->next_eip = c->at;
    mmu_flush_all(v);
    vcpu_attend(v, ATT_MODE);
}
