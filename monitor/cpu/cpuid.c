/* SPDX-License-Identifier: MIT */
/*
 * cpuid.c - CPUID: a named model (cpu_model.def), minus what the host's execution units lack, plus
 * what changes at run time.
 *
 * Promises   A leaf beyond the model's last one answers like the last basic leaf, as Intel CPUs do.
 *            Nothing here depends on the host beyond the feature words in struct vmm_host.
 * Not here   What the features do: control.c (CR4), msr.c; which instructions need them:
 *            decoder/feature.def.
 * Source     SDM vol. 2A, CPUID; vol. 3A, 9.9 (topology).
 */
#include "monitor/cpu/cpuid.h"
#include "devices/lapic.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/vm.h"

#define EDX_BASE                                                                                   \
    (CPUID_1_EDX_FPU | CPUID_1_EDX_VME | CPUID_1_EDX_DE | CPUID_1_EDX_PSE | CPUID_1_EDX_TSC |      \
     CPUID_1_EDX_MSR | CPUID_1_EDX_MCE | CPUID_1_EDX_CX8 | CPUID_1_EDX_APIC)
#define EDX_P6                                                                                     \
    (CPUID_1_EDX_PAE | CPUID_1_EDX_SEP | CPUID_1_EDX_MTRR | CPUID_1_EDX_PGE | CPUID_1_EDX_MCA |    \
     CPUID_1_EDX_CMOV | CPUID_1_EDX_PAT | CPUID_1_EDX_PSE36 | CPUID_1_EDX_MMX | CPUID_1_EDX_FXSR)
#define EDX_SSE2 (CPUID_1_EDX_SSE | CPUID_1_EDX_SSE2 | CPUID_1_EDX_CLFSH | CPUID_1_EDX_SS)
#define ECX_HOST_UNITS                                                                             \
    (CPUID_1_ECX_SSE3 | CPUID_1_ECX_PCLMUL | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_SSE41 |               \
     CPUID_1_ECX_SSE42 | CPUID_1_ECX_POPCNT | CPUID_1_ECX_AES)
#define ECX_RING1                                                                                  \
    (ECX_HOST_UNITS | CPUID_1_ECX_MOVBE | CPUID_1_ECX_TSCDL | CPUID_1_ECX_RDRAND |                 \
     CPUID_1_ECX_HYPERVISOR)

/* RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO (SDM vol. 4, table 2-2, register 10AH). Not RSBA, not
 * IBRS_ALL: there is no IBRS. */
#define ARCH_CAP_UNAFFECTED                                                                        \
    (1ull << 0 | 1ull << 3 | 1ull << 4 | 1ull << 5 | 1ull << 6 | 1ull << 8 | 1ull << 13 |          \
     1ull << 14 | 1ull << 15 | 1ull << 20 | 1ull << 24 | 1ull << 26 | 1ull << 27)

#define MAX_EXT_LEAF    0x80000008u
#define HV_BASE         0x40000000u
#define LEAF4_SELF_INIT (1u << 8)

static const struct cpu_model models[] = {
#define CPU_MODEL(name, text, brand, vendor, fam, mod, step, edx1, ecx1, ebx7, ecx7, edx7,         \
                  ext_edx, ext_ecx, cap, max)                                                      \
    {name, text, brand, vendor, fam,     mod,     step, edx1,                                      \
     ecx1, ebx7, ecx7,  edx7,   ext_edx, ext_ecx, cap,  max},
#include "monitor/cpu/cpu_model.def"
#undef CPU_MODEL
};

static bool text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

const struct cpu_model *cpu_model_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++)
        if (text_equal(models[i].name, name))
            return &models[i];
    return NULL;
}

const struct cpu_model *cpu_model_at(unsigned i)
{
    return i < ARRAY_LEN(models) ? &models[i] : NULL;
}

/* ---- features ---- */

static const struct cpu_model *model_of(const struct vcpu *v)
{
    return v->vm->cpu_model ? v->vm->cpu_model : &models[0];
}

static uint32_t features_1_edx(const struct vcpu *v)
{
    uint32_t f = model_of(v)->feat_1_edx;

    if (!(v->msr.apic_base & APIC_BASE_ENABLE))
        f &= ~CPUID_1_EDX_APIC;
    if (v->vm->cpu_count > 1 && (f & CPUID_1_EDX_APIC))
        f |= CPUID_1_EDX_HTT;
    return f;
}

static uint32_t features_1_ecx(const struct vcpu *v)
{
    const struct vmm_host *h = v->vm->host;
    uint32_t f = model_of(v)->feat_1_ecx;

    f &= ~ECX_HOST_UNITS | h->host_feat_1_ecx;
    if (!h->random32)
        f &= ~CPUID_1_ECX_RDRAND;
    if (!(v->msr.apic_base & APIC_BASE_ENABLE))
        f &= ~CPUID_1_ECX_TSCDL;
    return f;
}

bool cpu_has_1_edx(const struct vcpu *v, uint32_t mask)
{
    return (model_of(v)->feat_1_edx & mask) == mask;
}

bool cpu_has_1_ecx(const struct vcpu *v, uint32_t mask)
{
    return (features_1_ecx(v) & mask) == mask;
}

bool cpu_has_7_ebx(const struct vcpu *v, uint32_t mask)
{
    return (model_of(v)->feat_7_ebx & mask) == mask;
}

bool cpu_has_7_ecx(const struct vcpu *v, uint32_t mask)
{
    return (model_of(v)->feat_7_ecx & mask) == mask;
}

bool cpu_has_7_edx(const struct vcpu *v, uint32_t mask)
{
    return (model_of(v)->feat_7_edx & mask) == mask;
}

uint32_t cpu_instructions(const struct vcpu *v)
{
    const struct cpu_model *m = model_of(v);
    const uint32_t word_ALL = 0, word_P6 = m->family >= 6, word_1_EDX = m->feat_1_edx,
                   word_1_ECX = features_1_ecx(v), word_7_EBX = m->feat_7_ebx;
    uint32_t set = 0;

#define FEATURE(name, word, mask, text)                                                            \
    if ((word_##word & (mask)) == (mask))                                                          \
        set |= 1u << ISA_##name;
#include "decoder/feature.def"
#undef FEATURE
    return set;
}

void cpu_note_lack(struct vcpu *v, const char *what)
{
    v->lacked = what;
    v->lacked_eip = v->eip;
    v->lacked_cs = v->seg[SEG_CS].sel;
}

bool cpu_has_nx(const struct vcpu *v)
{
    return (model_of(v)->feat_80000001_edx & CPUID_EXT1_EDX_NX) &&
           !(v->msr.misc_enable & MISC_ENABLE_XD_DISABLE);
}

/* ---- leaves ---- */

static uint32_t text_word(const char *text, unsigned at)
{
    uint32_t w = 0;
    unsigned len = 0;

    while (text[len])
        len++;
    for (unsigned i = 0; i < 4; i++)
        if (at + i < len)
            w |= (uint32_t)(uint8_t)text[at + i] << (i * 8);
    return w;
}

static struct cpuid_result leaf_0(const struct cpu_model *m, uint32_t max)
{
    return (struct cpuid_result){max, text_word(m->vendor, 0), text_word(m->vendor, 8),
                                 text_word(m->vendor, 4)};
}

static struct cpuid_result leaf_1(const struct vcpu *v)
{
    const struct cpu_model *m = model_of(v);
    struct cpuid_result r = {0};

    /* Families up to 15 and no extended family; extended model in bits 19:16. */
    r.eax = (uint32_t)m->stepping | (m->model & 0xfu) << 4 | (uint32_t)m->family << 8 |
            (m->model & 0xf0u) << 12;
    r.ebx = v->id << 24;
    if (m->feat_1_edx & CPUID_1_EDX_CLFSH)
        r.ebx |= 8 << 8; /* CLFLUSH line size in 8-byte units */
    if (v->vm->cpu_count > 1)
        r.ebx |= (v->vm->cpu_count & 0xff) << 16;
    r.ecx = features_1_ecx(v);
    r.edx = features_1_edx(v);
    return r;
}

/* Cache and TLB descriptor bytes (table 3-12). Models with leaf 4 point to it. */
static struct cpuid_result leaf_2(const struct cpu_model *m)
{
    if (m->max_leaf >= 4) /* 0xff: see leaf 4; 0x03, 0x02: TLBs; 0xf0: 64-byte prefetch */
        return (struct cpuid_result){0x02ff0301u, 0x000000f0u, 0, 0};
    /* TLBs, 16+16 KiB first level; 256 or 512 KiB second level, 32-byte lines */
    return (struct cpuid_result){0x03020101u, 0, 0,
                                 m->feat_1_edx & CPUID_1_EDX_SSE ? 0x0c040882u : 0x0c040843u};
}

/* Deterministic cache parameters: 32 KiB of data and of code, 1 MiB second level, 64-byte lines. */
static struct cpuid_result leaf_4(const struct vcpu *v, uint32_t subleaf)
{
    static const struct {
        uint8_t type, level;
        uint16_t ways, sets;
    } cache[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 1024}};
    struct cpuid_result r = {0};

    if (subleaf >= ARRAY_LEN(cache))
        return r;
    r.eax = cache[subleaf].type | (uint32_t)cache[subleaf].level << 5 | LEAF4_SELF_INIT;
    r.eax |= (v->vm->cpu_count - 1) << 26; /* cores in the package */
    r.ebx = 63 | (uint32_t)(cache[subleaf].ways - 1) << 22;
    r.ecx = cache[subleaf].sets - 1u;
    return r;
}

static struct cpuid_result leaf_7(const struct vcpu *v, uint32_t subleaf)
{
    const struct cpu_model *m = model_of(v);

    if (subleaf)
        return (struct cpuid_result){0};
    return (struct cpuid_result){0, m->feat_7_ebx, m->feat_7_ecx, m->feat_7_edx};
}

/* Extended topology: one thread per core, all cores in one package. */
static struct cpuid_result leaf_b(const struct vcpu *v, uint32_t subleaf)
{
    struct cpuid_result r = {0, 0, subleaf & 0xff, v->id};

    if (subleaf == 0) {
        r.ebx = 1;
        r.ecx |= 1 << 8; /* level type SMT */
    } else if (subleaf == 1) {
        while (1u << r.eax < v->vm->cpu_count)
            r.eax++;
        r.ebx = v->vm->cpu_count;
        r.ecx |= 2 << 8; /* level type core */
    }
    return r;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* TSC = crystal * EBX / EAX, where the crystal also clocks the APIC timer. Guests multiply in 32
 * bits with kHz: a ratio that would overflow there is not reported (they measure then). */
static struct cpuid_result leaf_15(const struct vcpu *v)
{
    uint32_t crystal = LAPIC_BUS_HZ / 1000, khz = v->vm->host->guest_tsc_khz, d;

    if (!khz)
        return (struct cpuid_result){0};
    d = gcd(crystal, khz);
    if ((uint64_t)crystal * (khz / d) > UINT32_MAX)
        return (struct cpuid_result){0};
    return (struct cpuid_result){crystal / d, khz / d, LAPIC_BUS_HZ, 0};
}

static struct cpuid_result leaf_16(const struct vcpu *v)
{
    uint32_t mhz = v->vm->host->guest_tsc_khz / 1000;

    return (struct cpuid_result){mhz & 0xffff, mhz & 0xffff, 100, 0};
}

static struct cpuid_result basic_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf,
                                      uint32_t max)
{
    const struct cpu_model *m = model_of(v);

    switch (leaf) {
    case 0:
        return leaf_0(m, max);
    case 1:
        return leaf_1(v);
    case 2:
        return leaf_2(m);
    case 4:
        return leaf_4(v, subleaf);
    case 6:
        return (struct cpuid_result){1u << 2, 0, 0, 0}; /* ARAT: the APIC timer never stops */
    case 7:
        return leaf_7(v, subleaf);
    case 0xb:
        return leaf_b(v, subleaf);
    case 0x15:
        return leaf_15(v);
    case 0x16:
        return leaf_16(v);
    default: /* 3 serial number, 5 MONITOR, 9 DCA, 0xa PMU, 0xd XSAVE, 0x14 trace: none of them */
        return (struct cpuid_result){0};
    }
}

static struct cpuid_result extended_leaf(const struct vcpu *v, uint32_t leaf)
{
    const struct cpu_model *m = model_of(v);
    struct cpuid_result r = {0};
    unsigned at = (leaf - 0x80000002u) * 16;

    switch (leaf) {
    case 0x80000000u:
        r.eax = MAX_EXT_LEAF;
        break;
    case 0x80000001u:
        r.ecx = m->feat_80000001_ecx;
        r.edx = m->feat_80000001_edx & (cpu_has_nx(v) ? ~0u : ~CPUID_EXT1_EDX_NX);
        break;
    case 0x80000002u:
    case 0x80000003u:
    case 0x80000004u:
        r = (struct cpuid_result){text_word(m->brand, at), text_word(m->brand, at + 4),
                                  text_word(m->brand, at + 8), text_word(m->brand, at + 12)};
        break;
    case 0x80000006u:
        r.ecx = 1024u << 16 | 8u << 12 | 64; /* 1 MiB, 16 ways, 64-byte lines */
        break;
    case 0x80000007u:
        r.edx = 1u << 8; /* invariant TSC */
        break;
    case 0x80000008u:
        r.eax = 32u << 8 | 36; /* linear and physical address bits */
        break;
    default:
        break;
    }
    return r;
}

struct cpuid_result cpuid_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const struct cpu_model *m = model_of(v);
    uint32_t max = m->max_leaf;

    if ((v->msr.misc_enable & MISC_ENABLE_LIMIT_CPUID) && max > 3)
        max = 3;
    if (leaf >= 0x80000000u && leaf <= MAX_EXT_LEAF && m->brand)
        return extended_leaf(v, leaf);
    if (leaf >= HV_BASE && leaf <= HV_BASE + 0xff && (m->feat_1_ecx & CPUID_1_ECX_HYPERVISOR)) {
        if (leaf != HV_BASE)
            return (struct cpuid_result){0};
        return (struct cpuid_result){HV_BASE, text_word("ring1ring1  ", 0),
                                     text_word("ring1ring1  ", 4), text_word("ring1ring1  ", 8)};
    }
    return basic_leaf(v, leaf <= max ? leaf : max, subleaf, max);
}
