/* SPDX-License-Identifier: MIT */
/*
 * lockstep_compare.c - see lockstep.h: what differs between the real guest and its shadow, and the
 * report.
 */
#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/memory/page.h"
#include "monitor/run/lockstep.h"
#include "shadow-mmu/mmu.h"

static const char *const gpr_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static uint64_t get64(const void *at)
{
    uint64_t val;

    memcpy(&val, at, sizeof val);
    return val;
}

/* Bits that differ between two things of `size` bytes, a multiple of 8; without a branch for each,
 * because they are compared after every block. */
static inline uint64_t bits_apart(const void *a, const void *b, size_t size)
{
    uint64_t apart = 0;

#pragma GCC unroll 8
    for (size_t n = 0; n < size; n += 8)
        apart |= get64((const uint8_t *)a + n) ^ get64((const uint8_t *)b + n);
    return apart;
}

/* sel to room: no padding in between. */
#define SEG_COMPARED offsetof(struct seg, acc)
_Static_assert(SEG_COMPARED == 24, "a multiple of 8");

static inline uint64_t seg_apart(const struct seg *a, const struct seg *b)
{
    return bits_apart(a, b, SEG_COMPARED) | (a->acc ^ b->acc);
}

static bool seg_equal(const struct seg *a, const struct seg *b)
{
    return !seg_apart(a, b);
}

static uint64_t table_apart(const struct table_reg *a, const struct table_reg *b)
{
    return (a->base ^ b->base) | (a->limit ^ b->limit);
}

/* The same as lockstep_difference(), in one go. */
static bool all_equal(const struct vcpu *a, const struct vcpu *b)
{
    uint64_t apart = 0;

    /* One by one: they were just written so, and a wider load would wait for the stores. */
#pragma GCC unroll 8
    for (unsigned n = 0; n < GPR_COUNT; n++)
        apart |= a->gpr[n] ^ b->gpr[n];
    apart |= (a->eip ^ b->eip) | (a->eflags ^ b->eflags);
    apart |= (a->cpl ^ b->cpl) | (a->shadow_next ^ b->shadow_next);
    apart |= (a->halted ^ b->halted) | (a->nmi_blocked ^ b->nmi_blocked);
#pragma GCC unroll 8
    for (unsigned n = 0; n < SEG_COUNT; n++)
        apart |= seg_apart(&a->seg[n], &b->seg[n]);
    apart |= seg_apart(&a->ldtr, &b->ldtr) | seg_apart(&a->tr, &b->tr);
    apart |= table_apart(&a->gdtr, &b->gdtr) | table_apart(&a->idtr, &b->idtr);
    apart |= (a->cr0 ^ b->cr0) | (a->cr2 ^ b->cr2) | (a->cr3 ^ b->cr3) | (a->cr4 ^ b->cr4);
    apart |= bits_apart(a->pdpte, b->pdpte, sizeof a->pdpte);
    apart |= bits_apart(a->dr, b->dr, sizeof a->dr);
    apart |= a->dr6_pending ^ b->dr6_pending;
    return !apart;
}

static const char *system_difference(const struct vcpu *a, const struct vcpu *b)
{
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (!seg_equal(&a->seg[n], &b->seg[n]))
            return seg_names[n];
    if (!seg_equal(&a->ldtr, &b->ldtr))
        return "ldtr";
    if (!seg_equal(&a->tr, &b->tr))
        return "tr";
    if (a->gdtr.base != b->gdtr.base || a->gdtr.limit != b->gdtr.limit)
        return "gdtr";
    if (a->idtr.base != b->idtr.base || a->idtr.limit != b->idtr.limit)
        return "idtr";
    if (a->cr0 != b->cr0)
        return "cr0";
    if (a->cr2 != b->cr2)
        return "cr2";
    if (a->cr3 != b->cr3)
        return "cr3";
    if (a->cr4 != b->cr4)
        return "cr4";
    if (memcmp(a->pdpte, b->pdpte, sizeof a->pdpte) != 0)
        return "a PDPTE";
    if (memcmp(a->dr, b->dr, sizeof a->dr) != 0)
        return "a debug register";
    if (a->dr6_pending != b->dr6_pending)
        return "pending debug traps";
    return NULL;
}

const char *lockstep_difference(const struct lockstep *ls)
{
    const struct vcpu *a = ls->a, *b = ls->b;

    if (likely(all_equal(a, b)))
        return NULL;
    for (unsigned n = 0; n < GPR_COUNT; n++)
        if (a->gpr[n] != b->gpr[n])
            return gpr_names[n];
    if (a->eip != b->eip)
        return "eip";
    if (a->eflags != b->eflags)
        return "eflags";
    if (a->cpl != b->cpl)
        return "cpl";
    if (a->shadow_next != b->shadow_next)
        return "the interrupt shadow";
    if (a->halted != b->halted)
        return "the halt state";
    if (a->nmi_blocked != b->nmi_blocked)
        return "the blocking of NMI";
    return system_difference(a, b);
}

const char *lockstep_fpu_difference(const struct lockstep *ls)
{
    const struct vcpu_fpu *a = &ls->a->fpu, *b = &ls->b->fpu;

    if (memcmp(a->area, b->area, FX_FOP) != 0)
        return "the x87 control, status or tag word";
    if (image_get32(a->area, FX_MXCSR) != image_get32(b->area, FX_MXCSR))
        return "mxcsr";
    for (unsigned n = 0; n < 8; n++)
        if (memcmp(a->area + FX_ST + 16 * n, b->area + FX_ST + 16 * n, 10) != 0)
            return "an x87 register";
    if (memcmp(a->area + FX_XMM, b->area + FX_XMM, FX_LEGACY_END - FX_XMM) != 0)
        return "an SSE register";
    if (a->fip != b->fip || a->fcs != b->fcs || a->fop != b->fop)
        return "the x87 instruction pointer or opcode";
    if (a->fdp != b->fdp || a->fds != b->fds)
        return "the x87 data pointer";
    return a->ferr != b->ferr ? "FERR#" : NULL;
}

bool lockstep_ram_difference(const struct lockstep *ls, gpa_t *at)
{
    const uint64_t chunk = 64 * GUEST_PAGE_SIZE;
    const uint8_t *a = ls->real->ram, *b = ls->shadow.ram;

    for (uint64_t p = 0; p < ls->real->ram_size; p += chunk) {
        uint64_t len = ls->real->ram_size - p < chunk ? ls->real->ram_size - p : chunk;
        if (!bits_apart(a + p, b + p, len))
            continue;
        while (a[p] == b[p])
            p++;
        *at = p;
        return true;
    }
    return false;
}

/* ---- the report ---- */

static void __attribute__((format(printf, 2, 3))) line(struct lockstep *ls, const char *fmt, ...)
{
    char text[240];
    va_list ap;

    va_start(ap, fmt);
    fmt_vline(text, sizeof text, fmt, ap);
    va_end(ap);
    ls->say(ls->opaque, text);
}

/* The byte at linear gla of the shadow; false: not in RAM. */
static bool peek(struct vcpu *b, gla_t gla, uint8_t *out)
{
    struct mmu_walk w;
    const uint8_t *p;

    if (!mmu_walk(b, gla, MMU_READ | MMU_PROBE, &w))
        return false;
    p = vm_ram_ptr(b->vm, w.gpa, 1);
    if (p)
        *out = *p;
    return p != NULL;
}

static void list_block(struct lockstep *ls)
{
    struct vcpu *b = ls->b;
    bool code32 = b->seg[SEG_CS].attr & SEGA_DB;
    struct decode_mode mode = {.code32 = code32, .stack32 = b->seg[SEG_SS].attr & SEGA_DB};
    gla_t at = b->seg[SEG_CS].base + ls->before.eip;

    line(ls, "the block, as memory has it now (%u instructions executed):", ls->count);
    for (unsigned n = 0; n < (ls->count < 64 ? ls->count + 2 : 64); n++) {
        uint8_t bytes[INSN_MAX_LEN];
        unsigned len = 0;
        char text[128];
        struct insn i;

        while (len < INSN_MAX_LEN && peek(b, at + len, &bytes[len]))
            len++;
        if (decoder_decode(&ls->shadow.decoder, mode, bytes, len, &i) != DECODE_OK)
            break;
        decoder_format(&ls->shadow.decoder, &i, at - b->seg[SEG_CS].base, code32, text,
                       sizeof text);
        line(ls, "  0x%08x  %s", at, text);
        at += i.len;
    }
}

static void show(struct lockstep *ls, const char *name, uint32_t before, uint32_t a, uint32_t b)
{
    line(ls, "  %6s 0x%08x   0x%08x   0x%08x%s", name, before, a, b, a == b ? "" : "   <");
}

static void list_registers(struct lockstep *ls)
{
    const struct vcpu *a = ls->a, *b = ls->b;

    line(ls, "         before       translated   interpreted");
    for (unsigned n = 0; n < GPR_COUNT; n++)
        show(ls, gpr_names[n], ls->before.gpr[n], a->gpr[n], b->gpr[n]);
    show(ls, "eip", ls->before.eip, a->eip, b->eip);
    show(ls, "eflags", ls->before.eflags, a->eflags, b->eflags);
    line(ls, "now only:");
    show(ls, "cr0", 0, a->cr0, b->cr0);
    show(ls, "cr2", 0, a->cr2, b->cr2);
    show(ls, "cr3", 0, a->cr3, b->cr3);
    show(ls, "cr4", 0, a->cr4, b->cr4);
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        show(ls, seg_names[n], 0, a->seg[n].sel, b->seg[n].sel);
        if (!seg_equal(&a->seg[n], &b->seg[n]))
            line(ls, "         base 0x%x / 0x%x, limit 0x%x / 0x%x, attr 0x%x / 0x%x",
                 a->seg[n].base, b->seg[n].base, a->seg[n].limit, b->seg[n].limit, a->seg[n].attr,
                 b->seg[n].attr);
    }
}

static void list_fpu(struct lockstep *ls)
{
    const struct vcpu_fpu *a = &ls->a->fpu, *b = &ls->b->fpu;

    if (!lockstep_fpu_difference(ls))
        return;
    line(ls, "%s differs; image offsets:", lockstep_fpu_difference(ls));
    for (unsigned n = 0; n < FX_LEGACY_END; n += 4) {
        uint32_t x = image_get32(a->area, n), y = image_get32(b->area, n);
        if (x != y)
            line(ls, "  +%u     0x%08x   0x%08x", n, x, y);
    }
    line(ls, "  fip 0x%x / 0x%x, fdp 0x%x / 0x%x, fop 0x%x / 0x%x", a->fip, b->fip, a->fdp, b->fdp,
         a->fop, b->fop);
}

void lockstep_report(struct lockstep *ls, const char *what)
{
    gpa_t at;

    line(ls, "lockstep: translator and interpreter differ after %llu blocks, %llu instructions: %s",
         (unsigned long long)ls->blocks, (unsigned long long)ls->insns, what);
    if (ls->faulted)
        line(ls,
             "the translated guest raised vector 0x%02x, error 0x%x; the interpreted one last "
             "raised "
             "0x%02x, 0x%x",
             ls->fault.vector, ls->fault.error, ls->shadow_fault.vector, ls->shadow_fault.error);
    list_registers(ls);
    list_fpu(ls);
    if (ls->single)
        line(ls, "run as a single instruction");
    list_block(ls);
    if (!lockstep_ram_difference(ls, &at)) {
        line(ls, "RAM is the same");
        return;
    }
    line(ls, "RAM differs, first at 0x%llx:", (unsigned long long)at);
    at &= ~(gpa_t)15;
    for (unsigned n = 0; n < 32 && at + n < ls->real->ram_size; n += 4)
        show(ls, "", (uint32_t)at + n, image_get32(ls->real->ram + at, n),
             image_get32(ls->shadow.ram + at, n));
}
