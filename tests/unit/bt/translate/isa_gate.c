/* SPDX-License-Identifier: MIT */
/* uses: decoder/ monitor/cpu/cpuid.c monitor/interp/ bt/ zydis */
/*
 * isa_gate.c - every row of isa.def on every CPU model, decoded, interpreted and translated: #UD or
 * not, as CPUID says.
 *
 * How        Zydis knows the extension that an encoding belongs to; `bits` below says which bit of
 *            CPUID announces that extension. The bit is asked of cpuid_leaf(), as a guest does. So
 *            neither isa.def's feature column nor feature.def has a part in what is expected.
 * Source     SDM vol. 2, "CPUID feature flag" of each page; CPUID, tables 3-8, 3-10, 3-11.
 */
#include "tests/rig/bt_rig.h"

#include <Zydis/Zydis.h>
#include <criterion/criterion.h>

#include "monitor/arch/msr.h"
#include "monitor/cpu/cpuid.h"

#define ANY 0xff
enum { PFX_ANY, PFX_NP, PFX_NF, PFX_P66, PFX_PF3, PFX_PF2 };
enum { MOD_ANY, MOD_MEM, MOD_REG };

static const struct row {
    unsigned op, map, first, last, prefix, mod, reg, rm;
    const char *name;
} rows[] = {
#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note)                 \
    {OP_##op, map, first, last, PFX_##prefix, MOD_##mod, reg, rm, #op},
#include "decoder/isa.def"
#undef INSN
};

enum where { ALL, P6, EDX_1, ECX_1, EBX_7 };

/* The first line that fits counts. Mnemonics narrow a set where Zydis has one for several bits, and
 * where it is wrong: SSE's additions to MMX are no part of the Pentium MMX. */
static const struct bit {
    ZydisISASet set;
    ZydisMnemonic mnemonic; /* INVALID: any */
    enum where where;
    unsigned bit;
} bits[] = {
#define S(set, where, bit)           {ZYDIS_ISA_SET_##set, ZYDIS_MNEMONIC_INVALID, where, bit},
#define M(set, mnemonic, where, bit) {ZYDIS_ISA_SET_##set, ZYDIS_MNEMONIC_##mnemonic, where, bit},
    /* clang-format off */
    S(I86, ALL, 0) S(I186, ALL, 0) S(I286REAL, ALL, 0) S(I286PROTECTED, ALL, 0) S(I386, ALL, 0)
    S(I486REAL, ALL, 0) S(I486, ALL, 0) S(LAHF, ALL, 0) S(X87, ALL, 0)
    S(PAUSE, ALL, 0) /* a NOP to those who do not know it */
    M(PPRO, UD0, ALL, 0) M(PPRO, UD1, ALL, 0) M(PPRO, UD2, ALL, 0)
    M(PPRO, NOP, P6, 0) S(FAT_NOP, P6, 0) S(PREFETCH_NOP, P6, 0) S(SSE_PREFETCH, P6, 0)
    M(PENTIUMREAL, RDTSC, EDX_1, 4) M(PENTIUMREAL, CMPXCHG8B, EDX_1, 8)
    M(PENTIUMREAL, RDMSR, EDX_1, 5) M(PENTIUMREAL, WRMSR, EDX_1, 5)
    M(PPRO, SYSENTER, EDX_1, 11) M(PPRO, SYSEXIT, EDX_1, 11)
    S(CMOV, EDX_1, 15) S(FCMOV, EDX_1, 15) M(PPRO, FCOMI, EDX_1, 15) M(PPRO, FCOMIP, EDX_1, 15)
    M(PPRO, FUCOMI, EDX_1, 15) M(PPRO, FUCOMIP, EDX_1, 15)
    S(RDPMC, EDX_1, 23) /* came with the Pentium MMX */
    S(CLFSH, EDX_1, 19) S(FXSAVE, EDX_1, 24) S(SSEMXCSR, EDX_1, 25) S(SSE, EDX_1, 25)
    M(PENTIUMMMX, MASKMOVQ, EDX_1, 25) M(PENTIUMMMX, MOVNTQ, EDX_1, 25)
    M(PENTIUMMMX, PAVGB, EDX_1, 25) M(PENTIUMMMX, PAVGW, EDX_1, 25)
    M(PENTIUMMMX, PEXTRW, EDX_1, 25) M(PENTIUMMMX, PINSRW, EDX_1, 25)
    M(PENTIUMMMX, PMAXSW, EDX_1, 25) M(PENTIUMMMX, PMAXUB, EDX_1, 25)
    M(PENTIUMMMX, PMINSW, EDX_1, 25) M(PENTIUMMMX, PMINUB, EDX_1, 25)
    M(PENTIUMMMX, PMOVMSKB, EDX_1, 25) M(PENTIUMMMX, PMULHUW, EDX_1, 25)
    M(PENTIUMMMX, PSADBW, EDX_1, 25) M(PENTIUMMMX, PSHUFW, EDX_1, 25)
    S(PENTIUMMMX, EDX_1, 23) S(SSE2MMX, EDX_1, 26) S(SSE2, EDX_1, 26)
    S(SSE3, ECX_1, 0) S(SSE3X87, ECX_1, 0) S(PCLMULQDQ, ECX_1, 1) S(SSSE3, ECX_1, 9)
    S(SSSE3MMX, ECX_1, 9) S(SSE4, ECX_1, 19) S(SSE42, ECX_1, 20) S(MOVBE, ECX_1, 22)
    S(POPCNT, ECX_1, 23) S(AES, ECX_1, 25) S(RDRAND, ECX_1, 30) S(SMAP, EBX_7, 20)
/* clang-format on */
#undef S
#undef M
};

struct form {
    const struct row *row;
    uint8_t bytes[16];
    unsigned len;
    const struct bit *bit;
};
static struct form forms[4000];
static unsigned form_count;

/* The bit that announces the instruction, or NULL: one that `bits` knows nothing of. */
static const struct bit *bit_of(const ZydisDecodedInstruction *zi)
{
    for (unsigned n = 0; n < ARRAY_LEN(bits); n++)
        if (bits[n].set == zi->meta.isa_set &&
            (bits[n].mnemonic == ZYDIS_MNEMONIC_INVALID || bits[n].mnemonic == zi->mnemonic))
            return &bits[n];
    return NULL;
}

static void form_add(const ZydisDecoder *z, const struct row *r, unsigned opcode, bool reg)
{
    static const uint8_t prefix[] = {[PFX_P66] = 0x66, [PFX_PF3] = 0xf3, [PFX_PF2] = 0xf2};
    struct form *f = &forms[form_count++];
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
    unsigned n = 0;

    cr_assert(form_count < ARRAY_LEN(forms));
    f->row = r;
    if (r->prefix < sizeof prefix && prefix[r->prefix])
        f->bytes[n++] = prefix[r->prefix];
    if (r->map)
        f->bytes[n++] = 0x0f;
    if (r->map > 1)
        f->bytes[n++] = r->map == 2 ? 0x38 : 0x3a;
    f->bytes[n++] = (uint8_t)opcode;
    f->bytes[n] = (uint8_t)((reg ? 0xc0 : 0) | (r->reg == ANY ? 1 : r->reg) << 3 |
                            (r->rm == ANY ? 3 : r->rm)); /* ebx or [ebx] */
    cr_assert(ZYAN_SUCCESS(ZydisDecoderDecodeFull(z, f->bytes, 15, &zi, zo)), "%s", r->name);
    if (!(zi.attributes & ZYDIS_ATTRIB_HAS_MODRM))
        f->bytes[n] = 0; /* displacements are 0: jumps go to the next instruction */
    f->len = zi.length;
    f->bit = bit_of(&zi);
    cr_assert(f->bit, "%s is of %s: which bit of CPUID is that?", r->name,
              ZydisISASetGetString(zi.meta.isa_set));
}

static void forms_make(void)
{
    static const ZydisDecoderMode off[] = {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
                                           ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT};
    ZydisDecoder z;

    ZydisDecoderInit(&z, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    for (unsigned n = 0; n < ARRAY_LEN(off); n++)
        ZydisDecoderEnableMode(&z, off[n], ZYAN_FALSE);
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        for (unsigned op = rows[n].first; op <= rows[n].last; op++)
            for (unsigned reg = 0; reg < 2; reg++)
                if (rows[n].mod == MOD_ANY || (rows[n].mod == MOD_REG) == reg)
                    form_add(&z, &rows[n], op, reg);
}

/* Does CPUID, as the guest reads it, offer what the bit stands for? */
static bool offered(const struct vcpu *v, const struct bit *b)
{
    uint32_t max = cpuid_leaf(v, 0, 0).eax;

    switch (b->where) {
    case P6:
        return (cpuid_leaf(v, 1, 0).eax >> 8 & 15) >= 6;
    case EDX_1:
        return cpuid_leaf(v, 1, 0).edx >> b->bit & 1;
    case ECX_1:
        return cpuid_leaf(v, 1, 0).ecx >> b->bit & 1;
    case EBX_7:
        return max >= 7 && cpuid_leaf(v, 7, 0).ebx >> b->bit & 1;
    default:
        return true;
    }
}

/* ---- running them ---- */

#define RAM      (1u << 20)
#define HALTS    0x2000u /* HLT, where every word of data and stack points to */
#define DATA     0x4000u
#define STACK    0x6000u
#define IDT      0x8000u
#define GDT      0x8800u
#define HANDLERS 0x9000u /* 16 bytes for each vector */
#define CODE     0x10000u
#define NONE     0xffffu

static void words_set(uint8_t *at, unsigned bytes, uint32_t word)
{
    for (unsigned n = 0; n < bytes; n += 4)
        memcpy(at + n, &word, 4);
}

static void memory_make(struct bt_rig *r)
{
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
    uint8_t *ram = r->ram.base;

    memset(ram, 0xf4, RAM);
    memcpy(ram + GDT, gdt, sizeof gdt);
    for (unsigned n = 0; n < 256; n++) {
        uint64_t gate = 0x00008e0000080000 | (HANDLERS + n * 16);
        memcpy(ram + IDT + n * 8, &gate, 8);
    }
    for (unsigned n = 0; n < form_count; n++)
        memcpy(ram + CODE + n * 16, forms[n].bytes, forms[n].len);
    bt_rig_wrote(r, 0, RAM);
}

/* Runs form n; the vector that it raised, or NONE. */
static unsigned form_run(struct bt_rig *r, unsigned n)
{
    struct vcpu *v = r->cpu;
    unsigned reason;

    words_set(r->ram.base + DATA, STACK + 0x100 - DATA, HALTS);
    bt_rig_wrote(r, DATA, STACK + 0x100 - DATA);
    bt_rig_flat(r, 0);
    v->gdtr = (struct table_reg){.base = GDT, .limit = 23};
    v->idtr = (struct table_reg){.base = IDT, .limit = 0x7ff};
    v->gpr[EBX] = v->gpr[ESI] = v->gpr[EDI] = DATA;
    v->gpr[ESP] = v->gpr[EBP] = STACK;
    v->eip = CODE + n * 16;
    reason = bt_rig_run(r);
    cr_expect(reason == EXIT_HALT || reason == EXIT_SHUTDOWN_HALT, "%s ends with %u",
              forms[n].row->name, reason);
    return v->eip > HANDLERS && v->eip < HANDLERS + 256 * 16 ? (v->eip - HANDLERS) / 16 : NONE;
}

static struct bt_rig *rig_new(bool translated)
{
    struct bt_rig *r = bt_rig_zeroed(sizeof *r);

    bt_rig_create(r, RAM, translated);
    return r;
}

static void rig_model(struct bt_rig *r, const struct cpu_model *m)
{
    vm_set_model(&r->vm, m);
    msr_reset(r->cpu);
    bt_rig_options(r, NULL);
    memory_make(r);
}

static void check_form(struct bt_rig *const rig[2], const char *model, unsigned n)
{
    static const char *const way[] = {"interpreted", "translated"};
    const struct form *f = &forms[n];
    bool have = offered(rig[0]->cpu, f->bit);
    bool ud = !have || f->row->op == OP_ud || f->row->op == OP_rsm; /* no SMM to return from */
    struct insn i;
    enum decode_status status = decoder_decode(
        &rig[0]->vm.decoder, (struct decode_mode){true, true}, f->bytes, INSN_MAX_LEN, &i);

    cr_expect(have ? status == DECODE_OK && i.op == f->row->op : status == DECODE_UD,
              "%s: %s (%02x %02x %02x) is %soffered, decodes as %u", model, f->row->name,
              f->bytes[0], f->bytes[1], f->bytes[2], have ? "" : "not ", status);
    for (unsigned w = 0; w < 2; w++) {
        unsigned vector = form_run(rig[w], n);
        cr_expect((vector == VEC_UD) == ud, "%s: %s (%02x %02x %02x) %s: vector %x", model,
                  f->row->name, f->bytes[0], f->bytes[1], f->bytes[2], way[w], vector);
    }
}

Test(isa_gate, every_row_on_every_model)
{
    struct bt_rig *const rig[2] = {rig_new(false), rig_new(true)};
    const struct cpu_model *m;
    unsigned refused = 0;

    bt_rig_signals();
    forms_make();
    for (unsigned at = 0; (m = cpu_model_at(at)); at++) {
        for (unsigned w = 0; w < 2; w++)
            rig_model(rig[w], m);
        for (unsigned n = 0; n < form_count; n++) {
            check_form(rig, m->name, n);
            refused += !offered(rig[0]->cpu, forms[n].bit);
        }
    }
    cr_expect(rig[1]->cpu->stats.bt_insns > form_count, "translated code ran");
    cr_expect(refused > form_count / 2, "%u", refused);
}

/* What the host's units lack the guest has not either, whatever the model says. */
Test(isa_gate, host_features)
{
    struct bt_rig *r = rig_new(false);
    struct insn i;

    forms_make();
    r->host.host_feat_1_ecx = 0;
    vm_set_model(&r->vm, cpu_model_at(0));
    for (unsigned n = 0; n < form_count; n++) {
        bool ok = decoder_decode(&r->vm.decoder, (struct decode_mode){true, true}, forms[n].bytes,
                                 INSN_MAX_LEN, &i) == DECODE_OK;
        cr_expect(ok == offered(r->cpu, forms[n].bit), "%s", forms[n].row->name);
    }
}
