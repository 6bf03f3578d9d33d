/* SPDX-License-Identifier: MIT */
/* dump.c - see dump.h. */
#include "host/linux/dump.h"

#include <stdarg.h>
#include <stdio.h>

#include "monitor/cpu/vcpu.h"

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

static void add_seg(struct text *t, const char *name, const struct seg *s)
{
    add(t, "%-4s 0x%04x base 0x%08x limit 0x%08x attr 0x%04x\r\n", name, s->sel, s->base, s->limit,
        s->attr);
}

size_t dump_registers(const struct vcpu *v, char *out, size_t cap)
{
    static const char *const names[SEG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};
    struct text t = {out, cap, 0};

    if (cap)
        out[0] = 0;
    add(&t, "eax 0x%08x ecx 0x%08x edx 0x%08x ebx 0x%08x\r\n", v->gpr[EAX], v->gpr[ECX],
        v->gpr[EDX], v->gpr[EBX]);
    add(&t, "esp 0x%08x ebp 0x%08x esi 0x%08x edi 0x%08x\r\n", v->gpr[ESP], v->gpr[EBP],
        v->gpr[ESI], v->gpr[EDI]);
    add(&t, "eip 0x%08x eflags 0x%08x cpl %u%s%s\r\n", v->eip, v->eflags, v->cpl,
        v->halted ? " halted" : "",
        vcpu_v86(v)         ? " virtual-8086"
        : vcpu_real_mode(v) ? " real mode"
                            : "");
    for (unsigned i = 0; i < SEG_COUNT; i++)
        add_seg(&t, names[i], &v->seg[i]);
    add_seg(&t, "ldtr", &v->ldtr);
    add_seg(&t, "tr", &v->tr);
    add(&t, "gdt  base 0x%08x limit 0x%04x  idt base 0x%08x limit 0x%04x\r\n", v->gdtr.base,
        v->gdtr.limit, v->idtr.base, v->idtr.limit);
    add(&t, "cr0 0x%08x cr2 0x%08x cr3 0x%08x cr4 0x%08x efer 0x%llx\r\n", v->cr0, v->cr2, v->cr3,
        v->cr4, (unsigned long long)v->msr.efer);
    add(&t, "dr0 0x%08x dr1 0x%08x dr2 0x%08x dr3 0x%08x dr6 0x%08x dr7 0x%08x\r\n", v->dr[0],
        v->dr[1], v->dr[2], v->dr[3], v->dr[6], v->dr[7]);
    add(&t, "instructions so far: %llu\r\n", (unsigned long long)v->stats.insns);
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
