/* SPDX-License-Identifier: MIT */
/*
 * lockstep_compare.c - see lockstep.h: what differs between the real guest and its shadow, and the
 * report.
 */
#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/cpu_state.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/memory/page.h"
#include "monitor/memory/phys.h"
#include "monitor/run/lockstep.h"
#include "shadow-mmu/mmu.h"

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

static inline uint64_t table_apart(const struct table_reg *a, const struct table_reg *b)
{
    return (a->base ^ b->base) | (a->limit ^ b->limit);
}

/* For each kind of cpu_state.def: bits that differ in n elements, one by one. Most were just
 * written so, and a wider load would wait for the stores. */
#define APART(kind, type, expr)                                                                    \
    static inline __attribute__((always_inline))                                                   \
    uint64_t kind##_apart(const void *va, const void *vb, unsigned count)                          \
    {                                                                                              \
        const type *a = va, *b = vb;                                                               \
        uint64_t apart = 0;                                                                        \
        _Pragma("GCC unroll 8") for (unsigned n = 0; n < count; n++) apart |= (expr);              \
        return apart;                                                                              \
    }
APART(U8, uint8_t, (uint64_t)(a[n] ^ b[n]))
APART(BOOL, bool, (uint64_t)(a[n] ^ b[n]))
APART(U16, uint16_t, (uint64_t)(a[n] ^ b[n]))
APART(U32, uint32_t, a[n] ^ b[n])
APART(U64, uint64_t, a[n] ^ b[n])
APART(SEG, struct seg, seg_apart(&a[n], &b[n]))
APART(TABLE, struct table_reg, table_apart(&a[n], &b[n]))
APART(BYTES, uint8_t, (uint64_t)(a[n] ^ b[n]))

#define SAVED    0u
#define COPIED   0u
#define COMPARED 1u
#define PARKED   0u
#define CHECKED  0u

/* Does cpu_state_difference() find nothing? Answers in one go, which is faster. */
static bool all_equal(const struct vcpu *a, const struct vcpu *b)
{
    uint64_t apart = 0;

#define CPU_STATE(field, kind, n, uses, line, labels, what)                                        \
    if (uses)                                                                                      \
        apart |= kind##_apart(&a->field, &b->field, n);
#include "monitor/cpu/cpu_state.def"
#undef CPU_STATE
    return !apart;
}

const char *lockstep_difference(const struct lockstep *ls)
{
    if (likely(all_equal(ls->a, ls->b)))
        return NULL;
    return cpu_state_difference(ls->a, ls->b, STATE_COMPARED);
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
    return cpu_state_difference(ls->a, ls->b, STATE_PARKED);
}

/* A region that is nowhere cannot be told by an address: it is compared when it is placed again. */
static bool region_difference(const struct lockstep *ls, gpa_t *at)
{
    for (unsigned n = 0; n < ls->real->region_count; n++) {
        const struct region *a = ls->real->region[n], *b = ls->shadow.region[n];

        if (a->of || a->base == REGION_NOWHERE || !memcmp(a->host, b->host, a->size))
            continue;
        *at = a->base;
        while (a->host[*at - a->base] == b->host[*at - a->base])
            ++*at;
        return true;
    }
    return false;
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
    return region_difference(ls, at);
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

/* Reads the byte at linear gla of the shadow; false: it is not in RAM. */
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

/* What a register of the dump's first lines was when the block began. */
static uint32_t value_before(const struct lockstep *ls, const struct cpu_state_row *r, unsigned n)
{
    if (r->at == offsetof(struct vcpu, gpr))
        return ls->before.gpr[n];
    return r->at == offsetof(struct vcpu, eip) ? ls->before.eip : ls->before.eflags;
}

static void list_seg(struct lockstep *ls, const char *name, const struct seg *a,
                     const struct seg *b)
{
    show(ls, name, 0, a->sel, b->sel);
    if (!seg_equal(a, b))
        line(ls, "         base 0x%x / 0x%x, limit 0x%x / 0x%x, attr 0x%x / 0x%x", a->base, b->base,
             a->limit, b->limit, a->attr, b->attr);
}

/* The registers of `kind` that a dump shows in lines first to last. */
static void list_rows(struct lockstep *ls, unsigned kind, unsigned first, unsigned last)
{
    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++)
        for (unsigned n = 0; n < r->count && r->kind == kind; n++) {
            const void *a = cpu_state_get(ls->a, r, n), *b = cpu_state_get(ls->b, r, n);
            const char *name = cpu_state_label(r, n);

            if (r->line < first || r->line > last)
                break;
            if (kind == STATE_SEG)
                list_seg(ls, name, a, b);
            else
                show(ls, name, first == 1 ? value_before(ls, r, n) : 0, *(const uint32_t *)a,
                     *(const uint32_t *)b);
        }
}

static void list_registers(struct lockstep *ls)
{
    line(ls, "         before       translated   interpreted");
    list_rows(ls, STATE_U32, 1, 2);
    line(ls, "now only:");
    list_rows(ls, STATE_U32, 5, 5);
    list_rows(ls, STATE_SEG, 3, 3);
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
    const uint8_t *a = phys_host(ls->real, at), *b = phys_host(&ls->shadow, at);
    for (unsigned n = 0; a && b && n < 32 && (at & GUEST_PAGE_MASK) + n < GUEST_PAGE_SIZE; n += 4)
        show(ls, "", (uint32_t)at + n, image_get32(a, n), image_get32(b, n));
}
