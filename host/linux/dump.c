/* SPDX-License-Identifier: MIT */
/* dump.c - see dump.h. */
#include "host/linux/dump.h"

#include <stdarg.h>
#include <stdio.h>

#include "monitor/cpu/cpu_state.h"

struct text {
    char *out;
    size_t cap, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;

    if (t->len + 1 >= t->cap)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(t->out + t->len, t->cap - t->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len += (size_t)n < t->cap - t->len ? (size_t)n : t->cap - t->len - 1;
}

/* Adds the CPU's mode, after the flags. */
static void add_mode(struct text *t, const struct vcpu *v)
{
    add(t, "%s", vcpu_v86(v) ? " virtual-8086" : vcpu_real_mode(v) ? " real mode" : "");
}

static void add_element(struct text *t, const struct cpu_state_row *r, const char *name,
                        const void *at)
{
    const struct seg *s = at;
    const struct table_reg *table = at;

    switch ((enum cpu_state_kind)r->kind) {
    case STATE_SEG:
        add(t, "%-4s 0x%04x base 0x%08x limit 0x%08x attr 0x%04x", name, s->sel, s->base, s->limit,
            s->attr);
        break;
    case STATE_TABLE:
        add(t, "%s base 0x%08x limit 0x%04x", name, table->base, table->limit);
        break;
    case STATE_U32:
        add(t, "%s 0x%08x", name, *(const uint32_t *)at);
        break;
    case STATE_U64:
        add(t, "%s 0x%llx", name, (unsigned long long)*(const uint64_t *)at);
        break;
    case STATE_BOOL:
        add(t, "%s", *(const bool *)at ? name : "");
        break;
    case STATE_U8:
        add(t, "%s %u", name, *(const uint8_t *)at);
        break;
    case STATE_U16:
    case STATE_BYTES:
        break; /* none is shown */
    }
}

/* What comes between an element and the one before it, of which `last` is the row. */
static const char *gap(const struct cpu_state_row *last, const struct cpu_state_row *r, unsigned n,
                       const void *at)
{
    if (!last)
        return "";
    if (last->line != r->line || r->kind == STATE_SEG || (r->line == 1 && n == 4))
        return "\r\n";
    if (r->kind == STATE_BOOL && !*(const bool *)at)
        return "";
    return r->kind == STATE_TABLE ? "  " : " ";
}

size_t dump_registers(const struct vcpu *v, char *out, size_t cap)
{
    const struct cpu_state_row *last = NULL;
    struct text t = {out, cap, 0};

    if (cap)
        out[0] = 0;
    for (unsigned line = 1; line <= CPU_STATE_LINES; line++)
        for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++)
            for (unsigned n = 0; r->line == line && n < r->count; n++) {
                const char *name = cpu_state_label(r, n);
                const void *at = cpu_state_get(v, r, n);

                if (!name[0])
                    continue;
                if (last && last->line == CPU_STATE_FLAGS && line != CPU_STATE_FLAGS)
                    add_mode(&t, v);
                add(&t, "%s", gap(last, r, n, at));
                add_element(&t, r, name, at);
                last = r;
            }
    add(&t, "\r\ninstructions so far: %llu\r\n", (unsigned long long)v->stats.insns);
    return t.len;
}

size_t dump_bytes(const unsigned char *bytes, size_t n, char *out, size_t cap)
{
    struct text t = {out, cap, 0};

    if (cap)
        out[0] = 0;
    for (size_t i = 0; i < n; i++)
        add(&t, "%s%02x", i ? " " : "", bytes[i]);
    return t.len;
}
