/* SPDX-License-Identifier: MIT */
/*
 * access.c - the slow paths of guest memory access: misses, devices, ROM, code pages, page
 * crossings, #AC, breakpoints.
 *
 * Promises   Both pages of a crossing access are checked before anything is read or written, and
 *            before A or D changes in either; a write to a device happens once. A page with a data
 *            breakpoint never gets a tag.
 * Not here   The inline hits (access_inline.h), the walk (walk.c), kinds of pages (phys.c).
 * Source     SDM vol. 3A, sections 5.3 (limits), 6.15 (#AC, #PF), table 6-7 (alignment),
 *            table 6-8 (priority).
 */
#include "shadow-mmu/access.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/fault.h"
#include "shadow-mmu/mmu_priv.h"

/* Where [gla, gla+size) is, in at most two pages. */
struct span {
    gpa_t gpa[2];
    unsigned first, size; /* bytes on the first page, in all */
};

/* Returns the physical address of gla if its page may be accessed, else raises #PF. */
static gpa_t locate(struct vcpu *v, gla_t gla, unsigned how)
{
    struct tlb_entry *e = tlb_find(v, gla, how);
    struct mmu_walk w;

    if (e) {
        if (how & MMU_WRITE)
            tlb_upgrade(v, e);
        return e->gpa + (gla & GUEST_PAGE_MASK);
    }
    if (!mmu_walk(v, gla, how, &w))
        fault_pf(v, gla, w.error);
    tlb_fill(v, gla, how, &w);
    return w.gpa;
}

/* Raises #PF if locate() would, without setting A or D. */
static void locate_probe(struct vcpu *v, gla_t gla, unsigned how)
{
    struct mmu_walk w;

    if (!tlb_find(v, gla, how) && !mmu_walk(v, gla, how | MMU_PROBE, &w))
        fault_pf(v, gla, w.error);
}

static void span_open(struct vcpu *v, gla_t gla, unsigned size, unsigned how, struct span *s)
{
    unsigned room = GUEST_PAGE_SIZE - (gla & GUEST_PAGE_MASK);

    s->size = size;
    if (likely(size <= room)) {
        s->first = size;
        s->gpa[0] = s->gpa[1] = locate(v, gla, how);
        return;
    }
    s->first = room;
    locate_probe(v, gla, how);
    locate_probe(v, gla + room, how);
    s->gpa[0] = locate(v, gla, how);
    s->gpa[1] = locate(v, gla + room, how);
}

static void span_load(struct vcpu *v, const struct span *s, void *out)
{
    if (unlikely(phys_kind(v->vm, s->gpa[0]) & PAGE_MMIO)) {
        v->stats.mmio_reads++;
        v->stats.costly_events++;
    }
    phys_load(v->vm, s->gpa[0], out, s->first);
    if (s->first < s->size)
        phys_load(v->vm, s->gpa[1], (uint8_t *)out + s->first, s->size - s->first);
}

static void span_store(struct vcpu *v, const struct span *s, const void *in)
{
    if (unlikely(phys_kind(v->vm, s->gpa[0]) & PAGE_MMIO)) {
        v->stats.mmio_writes++;
        v->stats.costly_events++;
    }
    phys_store(v->vm, s->gpa[0], in, s->first);
    if (s->first < s->size)
        phys_store(v->vm, s->gpa[1], (const uint8_t *)in + s->first, s->size - s->first);
}

/* Breakpoints see a write as kind 1 and a read as kind 3. */
static void note(struct vcpu *v, gla_t gla, unsigned size, unsigned how)
{
    if (unlikely(v->dr_armed))
        breakpoint_note_access(v, gla, size, how & MMU_WRITE ? BREAK_WRITE : BREAK_ACCESS);
}

/* ---- linear ---- */

void lin_read_bytes(struct vcpu *v, gla_t gla, void *out, unsigned len, unsigned how)
{
    struct span s;

    VMM_CHECK(len - 1 < 512);
    span_open(v, gla, len, how & ~MMU_WRITE, &s);
    span_load(v, &s, out);
    note(v, gla, len, MMU_READ);
}

void lin_write_bytes(struct vcpu *v, gla_t gla, const void *in, unsigned len, unsigned how)
{
    struct span s;

    VMM_CHECK(len - 1 < 512);
    span_open(v, gla, len, how | MMU_WRITE, &s);
    span_store(v, &s, in);
    note(v, gla, len, MMU_WRITE);
}

static inline uint64_t lin_read(struct vcpu *v, gla_t gla, unsigned size, unsigned how)
{
    const struct tlb_entry *e = &v->tlb.entry[how & MMU_USER ? 1 : 0][tlb_index(gla)];
    uint64_t val = 0;

    if (likely(tlb_hit(e->tag_r, gla, size)))
        memcpy(&val, tlb_host(e, gla), size);
    else
        lin_read_bytes(v, gla, &val, size, how);
    return val;
}

static inline void lin_write(struct vcpu *v, gla_t gla, unsigned size, uint64_t val, unsigned how)
{
    const struct tlb_entry *e = &v->tlb.entry[how & MMU_USER ? 1 : 0][tlb_index(gla)];

    if (likely(tlb_hit(e->tag_w, gla, size)))
        memcpy(tlb_host(e, gla), &val, size);
    else
        lin_write_bytes(v, gla, &val, size, how);
}

uint8_t lin_read8(struct vcpu *v, gla_t gla, unsigned how)
{
    return (uint8_t)lin_read(v, gla, 1, how);
}

uint16_t lin_read16(struct vcpu *v, gla_t gla, unsigned how)
{
    return (uint16_t)lin_read(v, gla, 2, how);
}

uint32_t lin_read32(struct vcpu *v, gla_t gla, unsigned how)
{
    return (uint32_t)lin_read(v, gla, 4, how);
}

uint64_t lin_read64(struct vcpu *v, gla_t gla, unsigned how)
{
    return lin_read(v, gla, 8, how);
}

void lin_write8(struct vcpu *v, gla_t gla, uint8_t val, unsigned how)
{
    lin_write(v, gla, 1, val, how);
}

void lin_write16(struct vcpu *v, gla_t gla, uint16_t val, unsigned how)
{
    lin_write(v, gla, 2, val, how);
}

void lin_write32(struct vcpu *v, gla_t gla, uint32_t val, unsigned how)
{
    lin_write(v, gla, 4, val, how);
}

void lin_write64(struct vcpu *v, gla_t gla, uint64_t val, unsigned how)
{
    lin_write(v, gla, 8, val, how);
}

void lin_probe(struct vcpu *v, gla_t gla, unsigned len, unsigned how)
{
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned done = 0; done < len;) {
            gla_t at = gla + done;

            if (pass == 0)
                locate_probe(v, at, how);
            else
                locate(v, at, how);
            done += GUEST_PAGE_SIZE - (at & GUEST_PAGE_MASK);
        }
}

/* ---- segmented ---- */

gla_t seg_linear(struct vcpu *v, unsigned seg, uint32_t off, unsigned size, unsigned acc)
{
    const struct seg *s = &v->seg[seg];

    if (unlikely((s->acc & acc) != acc || !access_seg_ok(s, off, size, acc)))
        fault_raise(v, seg == SEG_SS ? VEC_SS : VEC_GP, 0);
    return s->base + off;
}

/* Alignment that CPL 3 must keep under AM and AC, by size of the access (SDM vol. 3A, table 6-7).
 * 0: any. */
static unsigned alignment_of(unsigned size)
{
    switch (size) {
    case 2:
    case 4:
    case 8:
        return size;
    case 6: /* a 48-bit pointer */
        return 4;
    case 10: /* extended precision, packed BCD */
        return 8;
    case 14: /* FPU environment and state, 16-bit form; then 32-bit form */
    case 94:
        return 2;
    case 28:
    case 108:
        return 4;
    default:
        return 0;
    }
}

static void align_check(struct vcpu *v, gla_t gla, unsigned size)
{
    unsigned align;

    if (likely(!(v->eflags & EFL_AC)) || v->cpl != 3 || !(v->cr0 & CR0_AM))
        return;
    align = alignment_of(size);
    if (align && (gla & (align - 1)))
        fault_raise(v, VEC_AC, 0);
}

uint64_t access_read_slow(struct vcpu *v, unsigned seg, uint32_t off, unsigned size)
{
    uint64_t val = 0;

    mem_read_bytes(v, seg, off, &val, size);
    return val;
}

void access_write_slow(struct vcpu *v, unsigned seg, uint32_t off, unsigned size, uint64_t val)
{
    mem_write_bytes(v, seg, off, &val, size);
}

void mem_read_bytes(struct vcpu *v, unsigned seg, uint32_t off, void *out, unsigned len)
{
    gla_t gla = seg_linear(v, seg, off, len, SEG_ACC_R);
    struct span s;

    VMM_CHECK(len - 1 < 512);
    span_open(v, gla, len, lin_how(v), &s);
    align_check(v, gla, len);
    span_load(v, &s, out);
    note(v, gla, len, MMU_READ);
}

void mem_write_bytes(struct vcpu *v, unsigned seg, uint32_t off, const void *in, unsigned len)
{
    gla_t gla = seg_linear(v, seg, off, len, SEG_ACC_W);
    struct span s;

    VMM_CHECK(len - 1 < 512);
    span_open(v, gla, len, lin_how(v) | MMU_WRITE, &s);
    align_check(v, gla, len);
    span_store(v, &s, in);
    note(v, gla, len, MMU_WRITE);
}

uint64_t access_rmw_slow(struct vcpu *v, unsigned seg, uint32_t off, unsigned size,
                         struct mem_rmw *m)
{
    gla_t gla = seg_linear(v, seg, off, size, SEG_ACC_W);
    uint64_t val = 0;
    struct span s;

    span_open(v, gla, size, lin_how(v) | MMU_WRITE, &s);
    align_check(v, gla, size);
    span_load(v, &s, &val);
    note(v, gla, size, MMU_WRITE);
    m->size = (uint8_t)size;
    m->first = (uint8_t)s.first;
    m->gpa[0] = s.gpa[0];
    m->gpa[1] = s.gpa[1];
    m->host = s.first == size && page_takes_writes(phys_kind(v->vm, s.gpa[0]))
                  ? phys_host(v->vm, s.gpa[0])
                  : NULL;
    return val;
}

void access_commit_slow(struct vcpu *v, const struct mem_rmw *m, uint64_t val)
{
    struct span s = {.gpa = {m->gpa[0], m->gpa[1]}, .first = m->first, .size = m->size};

    span_store(v, &s, &val);
}

/* ---- runs and fetches ---- */

uint8_t *lin_run(struct vcpu *v, gla_t gla, unsigned how, uint32_t *len)
{
    bool write = how & MMU_WRITE;
    struct tlb_entry *e = tlb_find(v, gla, how);
    struct mmu_walk w;

    /* An element may be misaligned, and only the caller knows its size: let the checked path see
     * it. */
    if (unlikely(v->eflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM))
        return NULL;
    if (!e) {
        if (!mmu_walk(v, gla, how, &w))
            return NULL;
        tlb_fill(v, gla, how, &w);
        e = tlb_find(v, gla, how);
        if (!e)
            return NULL;
    }
    if (write && !tlb_hit(e->tag_w, gla, 1))
        tlb_upgrade(v, e);
    if (!tlb_hit(write ? e->tag_w : e->tag_r, gla, 1))
        return NULL;
    *len = GUEST_PAGE_SIZE - (gla & GUEST_PAGE_MASK);
    return tlb_host(e, gla);
}

const uint8_t *lin_fetch_page(struct vcpu *v, gla_t gla, gpa_t *page)
{
    unsigned how = lin_how(v) | MMU_EXEC;
    struct tlb_entry *e = &v->tlb.entry[how & MMU_USER ? 1 : 0][tlb_index(gla)];
    struct mmu_walk w;

    if (likely(tlb_hit(e->tag_x, gla, 1))) {
        *page = e->gpa;
        return tlb_host(e, PAGE_BASE(gla));
    }
    if (!mmu_walk(v, gla, how, &w))
        fault_pf(v, gla, w.error);
    tlb_fill(v, gla, how, &w);
    *page = w.gpa & ~(gpa_t)GUEST_PAGE_MASK;
    return phys_kind(v->vm, w.gpa) & PAGE_MMIO ? NULL : phys_host(v->vm, *page);
}
