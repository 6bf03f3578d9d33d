/* SPDX-License-Identifier: MIT */
/*
 * access_inline.h - the fast path of access.h: segment check, software-TLB hit, load or store.
 *
 * Page test  tlb_hit() looks at the access's *last* byte, in the entry chosen by its *first* byte.
 *            An access that leaves its page can then never hit: the entry of one page cannot hold
 *            the tag of the next one.
 * #AC        Only a misaligned access while EFLAGS.AC is set needs a closer look: slow path.
 * Use        Include shadow-mmu/access.h instead of this file.
 */
#ifndef RING1_SHADOW_MMU_ACCESS_INLINE_H
#define RING1_SHADOW_MMU_ACCESS_INLINE_H

#include "include/ring1/mem.h"

/* Slow paths (access.c): every check again, then the access; size 1, 2, 4 or 8. */
uint64_t access_read_slow(struct vcpu *v, unsigned seg, uint32_t off, unsigned size);
void access_write_slow(struct vcpu *v, unsigned seg, uint32_t off, unsigned size, uint64_t val);
uint64_t access_rmw_slow(struct vcpu *v, unsigned seg, uint32_t off, unsigned size,
                         struct mem_rmw *m);
void access_commit_slow(struct vcpu *v, const struct mem_rmw *m, uint64_t val);

static inline bool access_seg_ok(const struct seg *s, uint32_t off, unsigned size, unsigned acc)
{
    return (s->acc & acc) && off >= s->lo && (uint64_t)off + (size - 1) <= s->hi;
}

static inline bool access_hits(const struct vcpu *v, gla_t gla, unsigned size, uint32_t tag)
{
    return tlb_hit(tag, gla, size) &&
           (likely(!(gla & (size - 1))) || likely(!(v->eflags & EFL_AC)));
}

/* Host address for reading [off, off+size), or NULL: take the slow path. */
static inline const uint8_t *access_fast_read(const struct vcpu *v, unsigned seg, uint32_t off,
                                              unsigned size)
{
    const struct seg *s = &v->seg[seg];
    gla_t gla = s->base + off;
    const struct tlb_entry *e = &v->tlb.entry[v->cpl == 3][tlb_index(gla)];

    if (likely(access_seg_ok(s, off, size, SEG_ACC_R)) &&
        likely(access_hits(v, gla, size, e->tag_r)))
        return tlb_host(e, gla);
    return NULL;
}

static inline uint8_t *access_fast_write(struct vcpu *v, unsigned seg, uint32_t off, unsigned size)
{
    const struct seg *s = &v->seg[seg];
    gla_t gla = s->base + off;
    const struct tlb_entry *e = &v->tlb.entry[v->cpl == 3][tlb_index(gla)];

    if (likely(access_seg_ok(s, off, size, SEG_ACC_W)) &&
        likely(access_hits(v, gla, size, e->tag_w)))
        return tlb_host(e, gla);
    return NULL;
}

#define ACCESS_PAIR(bits)                                                                          \
    static inline uint##bits##_t mem_read##bits(struct vcpu *v, unsigned seg, uint32_t off)        \
    {                                                                                              \
        const uint8_t *p = access_fast_read(v, seg, off, bits / 8);                                \
        uint##bits##_t val;                                                                        \
                                                                                                   \
        if (unlikely(!p))                                                                          \
            return (uint##bits##_t)access_read_slow(v, seg, off, bits / 8);                        \
        memcpy(&val, p, sizeof(val));                                                              \
        return val;                                                                                \
    }                                                                                              \
    static inline void mem_write##bits(struct vcpu *v, unsigned seg, uint32_t off,                 \
                                       uint##bits##_t val)                                         \
    {                                                                                              \
        uint8_t *p = access_fast_write(v, seg, off, bits / 8);                                     \
                                                                                                   \
        if (unlikely(!p))                                                                          \
            access_write_slow(v, seg, off, bits / 8, val);                                         \
        else                                                                                       \
            memcpy(p, &val, sizeof(val));                                                          \
    }
ACCESS_PAIR(8)
ACCESS_PAIR(16)
ACCESS_PAIR(32)
ACCESS_PAIR(64)
#undef ACCESS_PAIR

/* size is 1, 2 or 4. The result is zero-extended. */
static inline uint32_t mem_rmw_begin(struct vcpu *v, unsigned seg, uint32_t off, unsigned size,
                                     struct mem_rmw *m)
{
    uint8_t *p = access_fast_write(v, seg, off, size);
    uint32_t dword;
    uint16_t word;

    if (unlikely(!p))
        return (uint32_t)access_rmw_slow(v, seg, off, size, m);
    m->host = p;
    m->size = (uint8_t)size;
    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&word, p, 2);
        return word;
    default:
        memcpy(&dword, p, 4);
        return dword;
    }
}

static inline void mem_rmw_commit(struct vcpu *v, const struct mem_rmw *m, uint32_t val)
{
    if (unlikely(!m->host)) {
        access_commit_slow(v, m, val);
        return;
    }
    switch (m->size) {
    case 1:
        memcpy(m->host, &val, 1);
        break;
    case 2:
        memcpy(m->host, &val, 2);
        break;
    default:
        memcpy(m->host, &val, 4);
    }
}

static inline uint64_t mem_rmw_begin64(struct vcpu *v, unsigned seg, uint32_t off,
                                       struct mem_rmw *m)
{
    uint8_t *p = access_fast_write(v, seg, off, 8);
    uint64_t val;

    if (unlikely(!p))
        return access_rmw_slow(v, seg, off, 8, m);
    m->host = p;
    m->size = 8;
    memcpy(&val, p, 8);
    return val;
}

static inline void mem_rmw_commit64(struct vcpu *v, const struct mem_rmw *m, uint64_t val)
{
    if (likely(m->host))
        memcpy(m->host, &val, 8);
    else
        access_commit_slow(v, m, val);
}

#endif
