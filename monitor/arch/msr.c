/* SPDX-License-Identifier: MIT */
/*
 * msr.c - RDMSR and WRMSR: finds the row of msr.def and applies its gate, mask and accessor.
 *
 * Promises   A refused access changes nothing. Memory types (PAT, MTRR) are kept and checked, and
 *            have no effect: all of guest memory is coherent whatever they say.
 * Not here   The APIC's own registers (devices/lapic.c).
 * Source     SDM vol. 4, chapter 2; vol. 3A, 12.11 (MTRR), 12.12 (PAT), 11.4.4 (APIC_BASE),
 *            11.5.4.1 (TSC_DEADLINE).
 */
#include "monitor/arch/msr.h"
#include "include/ring1/mem.h"
#include "monitor/arch/control.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/fault.h"
#include "monitor/cpu/trace.h"
#include "monitor/cpu/vm.h"
#include "shadow-mmu/mmu.h"

#define NO_WRITE              0ull
#define MISC_FAST_STRINGS     (1ull << 0)
#define MISC_BTS_UNAVAILABLE  (1ull << 11)
#define MISC_PEBS_UNAVAILABLE (1ull << 12)
#define MISC_LIMIT_CPUID      (1ull << 22)
#define MISC_XD_DISABLE       (1ull << 34)
#define MISC_KEPT             (MISC_FAST_STRINGS | MISC_LIMIT_CPUID | MISC_XD_DISABLE)
#define APIC_BASE_RESET       0xfee00000ull
#define PAT_RESET             0x0007040600070406ull
#define MTRR_CAP              0x508ull /* write-combining, fixed ranges, 8 variable ranges */
#define MICROCODE_REVISION    0x218u

static const struct cpu_model *model_of(const struct vcpu *v)
{
    return v->vm->cpu_model ? v->vm->cpu_model : cpu_model_at(0);
}

/* ---- gates ---- */

static bool needs_p5(const struct vcpu *v)
{
    return model_of(v)->family == 5;
}
static bool needs_p6(const struct vcpu *v)
{
    return model_of(v)->family == 6;
}
static bool needs_atom(const struct vcpu *v)
{
    return needs_p6(v) && model_of(v)->model >= 0x1c;
}
static bool needs_tsc(const struct vcpu *v)
{
    return cpu_has_1_edx(v, CPUID_1_EDX_TSC);
}
static bool needs_apic(const struct vcpu *v)
{
    return cpu_has_1_edx(v, CPUID_1_EDX_APIC) && needs_p6(v);
}
static bool needs_tsc_adjust(const struct vcpu *v)
{
    return cpu_has_7_ebx(v, CPUID_7_EBX_TSC_ADJUST);
}
static bool needs_spec_ctrl(const struct vcpu *v)
{
    return cpu_has_7_edx(v, CPUID_7_EDX_SPEC_CTRL);
}
static bool needs_mtrr(const struct vcpu *v)
{
    return cpu_has_1_edx(v, CPUID_1_EDX_MTRR);
}
static bool needs_arch_cap(const struct vcpu *v)
{
    return cpu_has_7_edx(v, CPUID_7_EDX_ARCH_CAP);
}
static bool needs_sep(const struct vcpu *v)
{
    return cpu_has_1_edx(v, CPUID_1_EDX_SEP);
}
static bool needs_mca(const struct vcpu *v)
{
    return cpu_has_1_edx(v, CPUID_1_EDX_MCA);
}
static bool needs_pat(const struct vcpu *v)
{
    return cpu_has_1_edx(v, CPUID_1_EDX_PAT);
}
static bool needs_tsc_deadline(const struct vcpu *v)
{
    return cpu_has_1_ecx(v, CPUID_1_ECX_TSCDL);
}
static bool needs_efer(const struct vcpu *v)
{
    return cpu_has_nx(v);
}

/* ---- plain registers ---- */

static uint64_t get_zero(struct vcpu *v, uint32_t index)
{
    (void)v, (void)index;
    return 0;
}

static _Noreturn uint64_t get_refuse(struct vcpu *v, uint32_t index)
{
    (void)index;
    fault_gp0(v);
}

static bool set_ignore(struct vcpu *v, uint32_t index, uint64_t val)
{
    (void)v, (void)index, (void)val;
    return true;
}

#define PLAIN_GET(name)                                                                            \
    static uint64_t get_##name(struct vcpu *v, uint32_t index)                                     \
    {                                                                                              \
        (void)index;                                                                               \
        return v->msr.name;                                                                        \
    }
#define PLAIN(name)                                                                                \
    PLAIN_GET(name)                                                                                \
    static bool set_##name(struct vcpu *v, uint32_t index, uint64_t val)                           \
    {                                                                                              \
        (void)index;                                                                               \
        v->msr.name = val;                                                                         \
        return true;                                                                               \
    }
PLAIN(sysenter_cs)
PLAIN(sysenter_esp)
PLAIN(sysenter_eip)
PLAIN(mcg_status)
PLAIN(spec_ctrl)
PLAIN_GET(apic_base)
PLAIN_GET(tsc_adjust)
PLAIN_GET(misc_enable)
PLAIN_GET(feature_control)
PLAIN_GET(pat)
PLAIN_GET(mtrr_def_type)
PLAIN_GET(efer)

#define CONSTANT_GET(name, value)                                                                  \
    static uint64_t get_##name(struct vcpu *v, uint32_t index)                                     \
    {                                                                                              \
        (void)v, (void)index;                                                                      \
        return value;                                                                              \
    }
CONSTANT_GET(mtrrcap, MTRR_CAP)
CONSTANT_GET(fsb_freq, 5)                     /* 100 MHz */
CONSTANT_GET(perf_status, 10ull << 40 | 1000) /* some ratio: no frequency changes here */
/* An enabled 256-KiB second-level cache that covers all of memory; Windows XP looks, and writes
 * back. */
CONSTANT_GET(l2_control, 0xbe702111)

static uint64_t get_bios_sign(struct vcpu *v, uint32_t index)
{
    (void)v, (void)index;
    return (uint64_t)MICROCODE_REVISION << 32;
}

static uint64_t get_arch_cap(struct vcpu *v, uint32_t index)
{
    (void)index;
    return model_of(v)->arch_capabilities;
}

/* ---- time ---- */

/* Hands the deadline to the board in ticks of the counter without this CPU's offsets. */
static void deadline_program(struct vcpu *v)
{
    uint64_t bias = (uint64_t)v->msr.tsc_offset + v->msr.tsc_adjust, at = v->msr.tsc_deadline;
    const struct board_ops *ops = v->vm->board_ops;

    if (at) {
        uint64_t raw_now = control_guest_tsc(v) - bias;
        int64_t ahead = (int64_t)(at - control_guest_tsc(v));
        at = ahead > 0 ? raw_now + (uint64_t)ahead : 1; /* already past: fire at once */
    }
    if (ops && ops->tsc_deadline_changed)
        ops->tsc_deadline_changed(v->vm->board, v->id, at);
}

static uint64_t get_tsc(struct vcpu *v, uint32_t index)
{
    (void)index;
    return control_guest_tsc(v);
}

static uint64_t get_tsc_deadline(struct vcpu *v, uint32_t index)
{
    (void)index;
    if (v->msr.tsc_deadline && control_guest_tsc(v) >= v->msr.tsc_deadline)
        v->msr.tsc_deadline = 0; /* it fired */
    return v->msr.tsc_deadline;
}

static bool set_tsc_adjust(struct vcpu *v, uint32_t index, uint64_t val)
{
    bool armed = get_tsc_deadline(v, index) != 0; /* a deadline that has fired stays fired */

    v->msr.tsc_adjust = val;
    if (armed)
        deadline_program(v);
    return true;
}

/* Writing the TSC moves IA32_TSC_ADJUST by the same amount. */
static bool set_tsc(struct vcpu *v, uint32_t index, uint64_t val)
{
    return set_tsc_adjust(v, index, v->msr.tsc_adjust + (val - control_guest_tsc(v)));
}

static bool set_tsc_deadline(struct vcpu *v, uint32_t index, uint64_t val)
{
    (void)index;
    v->msr.tsc_deadline = val;
    deadline_program(v);
    return true;
}

/* ---- APIC base, MISC_ENABLE, EFER ---- */

static bool set_apic_base(struct vcpu *v, uint32_t index, uint64_t val)
{
    const struct board_ops *ops = v->vm->board_ops;

    (void)index;
    val = (val & ~APIC_BASE_BSP) | (v->msr.apic_base & APIC_BASE_BSP);
    if (val == v->msr.apic_base)
        return true;
    v->msr.apic_base = val;
    if (ops && ops->apic_base_changed)
        ops->apic_base_changed(v->vm->board, v->id, val);
    return true;
}

static bool set_misc_enable(struct vcpu *v, uint32_t index, uint64_t val)
{
    (void)index;
    if ((val & MISC_XD_DISABLE) && !(model_of(v)->feat_80000001_edx & CPUID_EXT1_EDX_NX))
        return false;
    if ((val & MISC_XD_DISABLE) && (v->msr.efer & EFER_NXE)) {
        v->msr.efer &= ~EFER_NXE;
        mmu_flush_all(v);
    }
    v->msr.misc_enable = (v->msr.misc_enable & ~MISC_KEPT) | (val & MISC_KEPT);
    return true;
}

static bool set_efer(struct vcpu *v, uint32_t index, uint64_t val)
{
    (void)index;
    if (val != v->msr.efer) {
        v->msr.efer = val;
        mmu_flush_all(v);
        vcpu_attend(v, ATT_MODE);
    }
    return true;
}

/* ---- memory types ---- */

/* Types UC, WC, WT, WP, WB; PAT also knows UC- (7). */
static bool memory_type_ok(unsigned type, bool pat)
{
    return type <= 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

static bool eight_types_ok(uint64_t val, bool pat)
{
    for (unsigned i = 0; i < 64; i += 8)
        if (!memory_type_ok(val >> i & 0xff, pat))
            return false;
    return true;
}

static bool set_pat(struct vcpu *v, uint32_t index, uint64_t val)
{
    (void)index;
    if (!eight_types_ok(val, true))
        return false;
    v->msr.pat = val;
    return true;
}

static bool set_mtrr_def_type(struct vcpu *v, uint32_t index, uint64_t val)
{
    (void)index;
    if (!memory_type_ok(val & 0xff, false))
        return false;
    v->msr.mtrr_def_type = val;
    return true;
}

static uint64_t get_mtrr_phys(struct vcpu *v, uint32_t index)
{
    return v->msr.mtrr_phys[index - 0x200];
}

static bool set_mtrr_phys(struct vcpu *v, uint32_t index, uint64_t val)
{
    if (index & 1) {
        if (val & 0x7ff)
            return false;
    } else if ((val & 0xf00) || !memory_type_ok(val & 0xff, false)) {
        return false;
    }
    v->msr.mtrr_phys[index - 0x200] = val;
    return true;
}

static unsigned mtrr_fix_slot(uint32_t index)
{
    return index == 0x250 ? 0 : index <= 0x259 ? 1 + (index - 0x258) : 3 + (index - 0x268);
}

static uint64_t get_mtrr_fix(struct vcpu *v, uint32_t index)
{
    return v->msr.mtrr_fix[mtrr_fix_slot(index)];
}

static bool set_mtrr_fix(struct vcpu *v, uint32_t index, uint64_t val)
{
    if (!eight_types_ok(val, false))
        return false;
    v->msr.mtrr_fix[mtrr_fix_slot(index)] = val;
    return true;
}

/* ---- the table ---- */

struct msr_row {
    uint32_t first, last;
    const char *name;
    bool (*gate)(const struct vcpu *v);
    uint64_t writable;
    uint64_t (*get)(struct vcpu *v, uint32_t index);
    bool (*set)(struct vcpu *v, uint32_t index, uint64_t val); /* false: #GP(0) */
};

static const struct msr_row rows[] = {
#define MSR(first, last, name, gate, writable, get, set)                                           \
    {first, last, name, gate, writable, get, set},
#include "monitor/arch/msr.def"
#undef MSR
};

static const struct msr_row *row_find(const struct vcpu *v, uint32_t index)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (index >= rows[i].first && index <= rows[i].last)
            return rows[i].gate(v) ? &rows[i] : NULL;
    return NULL;
}

static void trace_unknown(struct vcpu *v, const char *what, uint32_t index, uint64_t val)
{
    v->stats.unknown_msrs++;
    trace_line(v->vm, TRACE_UNIMP, "msr %s 0x%08x value 0x%016llx at 0x%04x:0x%08x: #GP(0)", what,
               index, (unsigned long long)val, v->seg[SEG_CS].sel, v->eip);
}

static void trace_ignored(const struct vcpu *v, const char *name, uint32_t index, uint64_t val)
{
    trace_line(v->vm, TRACE_UNIMP,
               "msr write 0x%08x value 0x%016llx at 0x%04x:0x%08x: %s ignores it", index,
               (unsigned long long)val, v->seg[SEG_CS].sel, v->eip, name);
}

static void check_may_access(struct vcpu *v)
{
    if (v->cpl != 0)
        fault_gp0(v);
}

uint64_t msr_read(struct vcpu *v, uint32_t index)
{
    const struct msr_row *row;

    check_may_access(v);
    row = row_find(v, index);
    if (!row) {
        trace_unknown(v, "read", index, 0);
        fault_gp0(v);
    }
    return row->get(v, index);
}

void msr_write(struct vcpu *v, uint32_t index, uint64_t val)
{
    const struct msr_row *row;

    check_may_access(v);
    row = row_find(v, index);
    if (!row) {
        trace_unknown(v, "write", index, val);
        fault_gp0(v);
    }
    if (row->writable == NO_WRITE || (val & ~row->writable) || !row->set(v, index, val))
        fault_gp0(v);
    if (row->set == set_ignore)
        trace_ignored(v, row->name, index, val);
}

void msr_reset(struct vcpu *v)
{
    struct vcpu_msrs *m = &v->msr;

    memset(m, 0, sizeof(*m)); /* also tsc_offset: the TSC counts from the VM's creation */
    m->apic_base = cpu_has_1_edx(v, CPUID_1_EDX_APIC) ? APIC_BASE_RESET | APIC_BASE_ENABLE : 0;
    if (m->apic_base && v->id == 0)
        m->apic_base |= APIC_BASE_BSP;
    m->pat = PAT_RESET;
    m->misc_enable = MISC_FAST_STRINGS | MISC_BTS_UNAVAILABLE | MISC_PEBS_UNAVAILABLE;
    m->feature_control = 1; /* locked, nothing enabled */
}
