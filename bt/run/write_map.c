/* SPDX-License-Identifier: MIT */
/* write_map.c - see write_map.h. */
#include "bt/run/write_map.h"

#include "bt/run/run_priv.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/memory/page.h"

/* So many harmless writes to the same page, each a callout, pay for making its map. */
#define WRITES_WORTH 8u

static unsigned tag_index(gla_t gla)
{
    return gla >> GUEST_PAGE_SHIFT & (BT_WRITE_TAGS - 1);
}

static void tag_clear(struct bt_write_tag *t, unsigned n)
{
    t->tag = -((n ^ 1u) << GUEST_PAGE_SHIFT); /* of a page that has another index */
}

void write_map_forget(struct vcpu *v)
{
    struct bt_cpu *b = &v->bt;

    for (unsigned n = 0; n < b->write_map_count; n++) {
        const struct bt_write_map *p = &b->write_map[n];

        tag_clear(&b->write_tag[p->user][tag_index(p->gla)], tag_index(p->gla));
    }
    b->write_map_count = 0;
    b->code_writes = 0;
}

void write_map_forget_page(struct vcpu *v, gpa_t page)
{
    for (unsigned n = 0; n < v->bt.write_map_count; n++)
        if (v->bt.write_map[n].page == page) {
            write_map_forget(v);
            break;
        }
}

static void entry_make(struct vcpu *v, unsigned user, const struct tlb_entry *e, gla_t gla)
{
    struct bt_cpu *b = &v->bt;
    unsigned n = tag_index(gla);

    if (b->write_map_count == BT_WRITE_MAPS)
        write_map_forget(v);
    struct bt_write_map *p = &b->write_map[b->write_map_count++];
    p->page = e->gpa;
    p->gla = gla;
    p->user = (uint8_t)user;
    memset(p->bits, 0, GUEST_PAGE_SIZE / 8);
    memset(p->bits + GUEST_PAGE_SIZE / 8, 0xff, sizeof p->bits - GUEST_PAGE_SIZE / 8);
    page_code_bits(v->vm, e->gpa, p->bits);
    b->write_tag[user][n] = (struct bt_write_tag){
        .tag = -(gla & ~(gla_t)GUEST_PAGE_MASK), .addend = e->addend, .bits = p->bits};
}

/* May the page be written at will, but for its code? What tlb_upgrade() asks. */
static bool is_writable(const struct vcpu *v, const struct tlb_entry *e, gla_t gla)
{
    if (((e->flags ^ gla) & ~(uint32_t)GUEST_PAGE_MASK) || !(e->flags & TLB_F_W) ||
        breakpoint_on_page(v, gla))
        return false;
    uint8_t kind = phys_kind(v->vm, e->gpa);
    return !page_takes_writes(kind) &&
           page_takes_writes(kind & (uint8_t) ~(PAGE_CODE | PAGE_TRANSLATED));
}

void write_map_note(struct vcpu *v)
{
    struct bt_cpu *b = &v->bt;
    gla_t gla = b->write_gla;
    unsigned user = ctx_user(b->context);
    const struct tlb_entry *e = &v->tlb.entry[user][tlb_index(gla)];

    if (!is_writable(v, e, gla))
        return;
    if (b->code_writes_gla >> GUEST_PAGE_SHIFT != gla >> GUEST_PAGE_SHIFT)
        b->code_writes = 0;
    b->code_writes_gla = gla;
    if (b->write_tag[user][tag_index(gla)].tag + (gla & ~(gla_t)GUEST_PAGE_MASK) == 0)
        return; /* has one: the write came too near to code */
    if (++b->code_writes >= WRITES_WORTH) {
        b->code_writes = 0;
        entry_make(v, user, e, gla);
    }
}

void write_map_init(struct vcpu *v)
{
    for (unsigned user = 0; user < 2; user++)
        for (unsigned n = 0; n < BT_WRITE_TAGS; n++)
            tag_clear(&v->bt.write_tag[user][n], n);
}
