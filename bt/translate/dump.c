/* SPDX-License-Identifier: MIT */
/*
 * dump.c - see dump.h.
 *
 * How        The sites of a block say which host code belongs to which guest instruction. Host
 *            addresses are offsets in the arena, so that the same run gives the same trace.
 */
#include "bt/translate/dump.h"

#include "bt/translate/tu.h"
#include "include/ring1/fmt.h"
#include "monitor/cpu/fpu.h"

#define HOST_INSN_MAX 15u

/* The host code [at, end). */
static void dump_host(struct vcpu *v, const struct code_cache *c, uint32_t at, uint32_t end)
{
    char text[128], hex[2 * HOST_INSN_MAX + 1];

    while (at < end) {
        const uint8_t *bytes = c->arena->rw + at;
        uint32_t left = end - at;
        unsigned len = decoder_format_host(bytes, left < HOST_INSN_MAX ? left : HOST_INSN_MAX, at,
                                           text, sizeof text);
        size_t used = 0;

        len += !len;
        for (unsigned n = 0; n < len; n++)
            used += fmt_line(hex + used, sizeof hex - used, "%02x", bytes[n]);
        trace_line(v->vm, TRACE_EMIT, "    0x%08x %22s %s", at, hex, text);
        at += len;
    }
}

static void dump_code(struct vcpu *v, const struct code_cache *c, const struct bt_block *b)
{
    char text[96];

    for (unsigned n = 0; n < b->insns; n++) {
        const struct bt_site *s = &c->sites[b->first_site + n];

        decoder_format(&v->vm->decoder, &s->x->insn, s->eip, true, text, sizeof text);
        trace_line(v->vm, TRACE_EMIT, "0x%08x %s", s->eip, text);
        dump_host(v, c, s->host, n + 1u < b->insns ? s[1].host : b->hot_end);
    }
    if (b->hot_end == b->end)
        return;
    trace_line(v->vm, TRACE_EMIT, "cold part of 0x%08x", b->gla);
    dump_host(v, c, b->hot_end, b->end);
}

void bt_dump_block(struct vcpu *v, const struct bt_block *b)
{
    fpu_park(v);
    trace_line(v->vm, TRACE_BT,
               "0x%08x gpa 0x%08llx ctx 0x%08x guest %u bytes %u insns host 0x%08x %u bytes %u "
               "cold",
               b->gla, (unsigned long long)b->gpa, b->ctx, b->bytes, b->insns, b->entry,
               b->hot_end - b->entry, b->end - b->hot_end);
    if (trace_wants(v->vm, TRACE_BIT(TRACE_EMIT)))
        dump_code(v, &v->translator->cache, b);
}
