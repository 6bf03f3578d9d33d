/* SPDX-License-Identifier: MIT */
/* block.c - see block.h: fill, look up, invalidate. */
#include "monitor/interp/block.h"

#include "include/ring1/mem.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/trace.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"

static unsigned hash_gpa(gpa_t gpa)
{
    uint32_t x = (uint32_t)gpa * 2654435761u;
    return (x >> 7) & (CACHE_HASH - 1);
}

void block_flush(struct vcpu *v)
{
    struct interp *in = v->interp;

    code_map_forget(&in->code, v->vm);
    memset(in->hash, 0, sizeof in->hash);
    memset(in->shortcut, 0, sizeof in->shortcut);
    in->insn_count = in->block_count = 0;
    v->stats.cache_flush_full++;
    vcpu_attend(v, ATT_SMC);
}

/* Enters the block's bytes first..last on the page as its range n. */
static void range_add(struct vcpu *v, struct block *b, unsigned n, gpa_t page, unsigned first,
                      unsigned last)
{
    struct code_map *m = &v->interp->code;
    struct code_page *p = code_map_find(m, page);

    if (!p) {
        p = code_map_page_add(m, page);
        if (trace_wants(v->vm, TRACE_BIT(TRACE_FETCH)))
            trace_line(v->vm, TRACE_FETCH, "page 0x%08llx at 0x%04x:0x%08x",
                       (unsigned long long)page, v->seg[SEG_CS].sel, v->eip);
    }
    b->range[n] = (struct code_range){.owner = b, .first = (uint16_t)first, .last = (uint16_t)last};
    code_map_add(m, v->vm, p, &b->range[n]);
}

static void i_decode_gp(struct vcpu *v, const struct insn *i)
{
    (void)i;
    fault_gp0(v);
}

/* The handler of an instruction that other CPU models have: notes that and raises #UD. */
static void i_lacking(struct vcpu *v, const struct insn *i)
{
    cpu_note_lack(v, insn_op_name(i->imm));
    fault_ud(v);
}

/* Decodes one instruction into *x; DECODE_MORE when the bytes do not suffice. */
static enum decode_status decode_one(struct vcpu *v, const uint8_t *bytes, unsigned len,
                                     uint8_t mode, struct xinsn *x)
{
    struct decode_mode m = {.code32 = mode & BLOCK_CODE32, .stack32 = mode & BLOCK_STACK32};
    enum decode_status st = interp_decode(v, m, bytes, len, &x->insn);

    if (st == DECODE_OK) {
        x->fn = interp_select(&x->insn);
    } else if (st != DECODE_MORE) {
        decoder_undefined(&v->vm->decoder, bytes, len, &x->insn);
        x->fn = st == DECODE_UD ? i_ud : i_decode_gp;
        if (x->insn.imm != OP_INVALID)
            x->fn = i_lacking;
    }
    return st;
}

static struct block *block_new(struct vcpu *v, gpa_t gpa, uint8_t mode)
{
    struct interp *in = v->interp;

    if (in->block_count == CACHE_BLOCKS || in->insn_count + BLOCK_MAX_INSNS > CACHE_INSNS ||
        !code_map_has_room(&in->code, 2))
        block_flush(v);
    struct block *b = &in->blocks[in->block_count];
    *b = (struct block){.gpa = gpa, .page2 = NO_PAGE, .mode = mode};
    b->insns = &in->insns[in->insn_count];
    b->quick = &in->quick[in->insn_count];
    return b;
}

/* Makes the compact records, once all instructions of the block are known. */
static void block_finish(struct block *b)
{
    unsigned end = 0;

    for (unsigned n = 0; n < b->count; n++) {
        struct xinsn *x = &b->insns[n];

        x->left = (uint8_t)(b->count - 1 - n);
        end += x->insn.len;
        quick_make(&b->quick[n], x, end, x->left == 0);
    }
}

static void block_insert(struct vcpu *v, struct block *b)
{
    struct interp *in = v->interp;
    unsigned h = hash_gpa(b->gpa);
    gpa_t page = b->gpa & ~(gpa_t)GUEST_PAGE_MASK;
    unsigned first = (unsigned)b->gpa & GUEST_PAGE_MASK;
    unsigned last = first + b->bytes - 1;

    in->block_count++;
    in->insn_count += b->count;
    b->hash_next = in->hash[h];
    in->hash[h] = b;
    range_add(v, b, 0, page, first, last > GUEST_PAGE_MASK ? GUEST_PAGE_MASK : last);
    if (b->page2 != NO_PAGE)
        range_add(v, b, 1, b->page2, 0, last - GUEST_PAGE_SIZE);
    b->cached = true;
    v->stats.blocks_decoded++;
}

/* Byte `n` of the instruction at linear `gla`, whatever kind of page it is on. */
static uint8_t fetch_byte(struct vcpu *v, gla_t gla)
{
    gpa_t page;
    const uint8_t *p = lin_fetch_page(v, gla, &page);

    if (p)
        return p[gla & GUEST_PAGE_MASK];
    return (uint8_t)phys_read_implicit(v->vm, page | (gla & GUEST_PAGE_MASK), 1);
}

/* The one instruction at `gla`, which crosses a page or lies outside RAM: fetched byte by byte,
 * because the
 * second page is touched (and may fault) only if the instruction needs it. CS limit: SDM vol. 3A,
 * 5.3. */
static struct block *fill_bytewise(struct vcpu *v, gla_t gla, gpa_t gpa, uint8_t mode,
                                   bool cacheable)
{
    struct block *b = block_new(v, gpa, mode);
    uint8_t bytes[INSN_MAX_LEN + 1];
    enum decode_status st = DECODE_MORE;
    unsigned n = 0;

    while (st == DECODE_MORE && n < INSN_MAX_LEN) {
        if (v->eip + n > v->seg[SEG_CS].hi)
            fault_gp0(v);
        bytes[n] = fetch_byte(v, gla + n);
        n++;
        st = decode_one(v, bytes, n, mode, &b->insns[0]);
    }
    if (st == DECODE_MORE) /* 15 bytes and still not complete */
        fault_gp0(v);
    b->count = 1;
    b->bytes = st == DECODE_OK ? b->insns[0].insn.len : (uint16_t)n;
    block_finish(b);
    if (st != DECODE_OK || !cacheable)
        return b;
    if (((unsigned)gpa & GUEST_PAGE_MASK) + b->bytes > GUEST_PAGE_SIZE) {
        gpa_t page2;
        if (!lin_fetch_page(v, (gla | GUEST_PAGE_MASK) + 1u, &page2))
            return b;
        b->page2 = page2;
    }
    block_insert(v, b);
    return b;
}

static struct block *fill(struct vcpu *v, gla_t gla, const uint8_t *page_bytes, gpa_t page,
                          uint8_t mode, unsigned max)
{
    unsigned off = gla & GUEST_PAGE_MASK;
    gpa_t gpa = page | off;

    if (!page_bytes)
        return fill_bytewise(v, gla, gpa, mode, false);
    struct block *b = block_new(v, gpa, mode);
    while (b->count < max && off < GUEST_PAGE_SIZE) {
        unsigned left = GUEST_PAGE_SIZE - off;
        struct xinsn *x = &b->insns[b->count];
        enum decode_status st =
            decode_one(v, page_bytes + off, left < INSN_MAX_LEN ? left : INSN_MAX_LEN, mode, x);
        if (st == DECODE_MORE || (st != DECODE_OK && left < INSN_MAX_LEN))
            break; /* the next page decides */
        if (st != DECODE_OK && b->count)
            break; /* a block of its own, so that the fault is raised at its address */
        b->count++;
        /* What is no instruction depends on all bytes that were looked at. */
        b->bytes += st == DECODE_OK ? x->insn.len : INSN_MAX_LEN;
        off += x->insn.len;
        if (insn_ends_run(&x->insn))
            break;
    }
    if (!b->count)
        return fill_bytewise(v, gla, gpa, mode, true);
    block_finish(b);
    block_insert(v, b);
    return b;
}

static void trace_block(struct vcpu *v, const struct block *b, gla_t gla)
{
    for (unsigned n = 0; n < b->count; gla += b->insns[n++].insn.len)
        trace_decode(v, &b->insns[n].insn, gla);
}

static struct block *get(struct vcpu *v, unsigned max)
{
    struct interp *in = v->interp;
    gla_t gla = v->seg[SEG_CS].base + v->eip;
    uint8_t mode = block_mode(v);
    gpa_t page;

    if (unlikely(v->eip > v->seg[SEG_CS].hi))
        fault_gp0(v);
    const uint8_t *bytes = lin_fetch_page(v, gla, &page);
    gpa_t gpa = page | (gla & GUEST_PAGE_MASK);
    v->stats.block_lookups++;
    for (struct block *b = in->hash[hash_gpa(gpa)]; b; b = b->hash_next) {
        if (b->gpa != gpa || b->mode != mode)
            continue;
        if (unlikely(b->page2 != NO_PAGE)) {
            gpa_t page2;
            lin_fetch_page(v, (gla | GUEST_PAGE_MASK) + 1u, &page2);
            if (page2 != b->page2)
                continue;
        }
        return b;
    }
    struct block *b = fill(v, gla, bytes, page, mode, max);
    if (trace_wants(v->vm, TRACE_BIT(TRACE_DECODE)))
        trace_block(v, b, gla);
    return b;
}

struct block *block_get(struct vcpu *v)
{
    return get(v, BLOCK_MAX_INSNS);
}

const struct xinsn *block_get_insn(struct vcpu *v)
{
    return get(v, 1)->insns;
}

static void block_unhash(struct interp *in, struct block *b)
{
    struct block **at = &in->hash[hash_gpa(b->gpa)];

    while (*at && *at != b)
        at = &(*at)->hash_next;
    if (*at)
        *at = b->hash_next;
    b->dead = true;
    b->quick->run = quick_dead; /* shortcuts may still lead here */
}

/* Marks the block dead: whatever still leads to it sees that. A block that crosses a page's end is
 * also taken off the other page. */
static void block_kill(struct vcpu *v, struct block *b)
{
    struct code_map *m = &v->interp->code;

    if (b->dead)
        return;
    block_unhash(v->interp, b);
    if (b->page2 != NO_PAGE) {
        code_map_remove(m, v->vm, b->gpa & ~(gpa_t)GUEST_PAGE_MASK, &b->range[0]);
        code_map_remove(m, v->vm, b->page2, &b->range[1]);
    }
    vcpu_attend(v, ATT_SMC);
    v->stats.code_invalidations++;
    v->stats.costly_events++;
}

/* Drops the blocks made of bytes first..last of the page. */
static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    struct vcpu *v = self;
    struct code_range *next, *r = code_map_take(&v->interp->code, v->vm, page, first, last);

    for (; r; r = next) {
        next = r->next;
        block_kill(v, r->owner);
    }
}

static bool holds(void *self, gpa_t page)
{
    const struct vcpu *v = self;

    return code_map_holds(&v->interp->code, page);
}

static void code_bits(void *self, gpa_t page, uint8_t *bits)
{
    const struct vcpu *v = self;

    code_map_bits(&v->interp->code, page, bits);
}

void block_init(struct vcpu *v)
{
    static const struct page_watcher watcher = {
        .mark = PAGE_CODE, .written = written, .holds = holds, .code_bits = code_bits};
    struct interp *in = v->interp;

    code_map_init(&in->code, PAGE_CODE, in->pages, sizeof *in->pages, CACHE_PAGES, in->page_hash,
                  CACHE_PAGES - 1);
    page_watch(v->vm, &watcher, v);
}
