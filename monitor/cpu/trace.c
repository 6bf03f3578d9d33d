/* SPDX-License-Identifier: MIT */
/* trace.c - see trace.h: the lines that more than one place emits, or that need tables. */
#include "monitor/cpu/trace.h"

#include "include/ring1/fmt.h"
#include "monitor/cpu/fpu.h"

void trace_line(const struct vm *vm, enum trace_stage stage, const char *fmt, ...)
{
    char line[TRACE_LINE_MAX];
    va_list ap;

    if (!trace_wants(vm, TRACE_BIT(stage)))
        return;
    va_start(ap, fmt);
    fmt_vline(line, sizeof line, fmt, ap);
    va_end(ap);
    vm->host->trace(vm->host->opaque, stage, line);
}

void trace_decode(struct vcpu *v, const struct insn *i, gla_t gla)
{
    char text[96], bytes[2 * INSN_MAX_LEN + 1];
    size_t at = 0;

    if (!trace_wants(v->vm, TRACE_BIT(TRACE_DECODE)))
        return;
    fpu_park(v);
    for (unsigned n = 0; n < i->len; n++)
        at += fmt_line(bytes + at, sizeof bytes - at, "%02x", i->bytes[n]);
    if (insn_is_undefined(i)) /* also what the library refused to decode */
        fmt_line(text, sizeof text, "(#UD or #GP)");
    else
        decoder_format(&v->vm->decoder, i, gla - v->seg[SEG_CS].base, v->seg[SEG_CS].attr & SEGA_DB,
                       text, sizeof text);
    trace_line(v->vm, TRACE_DECODE, "0x%08x %22s %10s %s", gla, bytes, insn_class_name(i->cls),
               text);
}

void trace_exec(struct vcpu *v, const struct insn *i)
{
    char text[96];

    fpu_park(v);
    decoder_format(&v->vm->decoder, i, v->eip, v->seg[SEG_CS].attr & SEGA_DB, text, sizeof text);
    trace_line(v->vm, TRACE_EXEC,
               "0x%04x:0x%08x eax=0x%08x ecx=0x%08x edx=0x%08x ebx=0x%08x esp=0x%08x ebp=0x%08x "
               "esi=0x%08x edi=0x%08x eflags=0x%08x cpl=%u  %s",
               v->seg[SEG_CS].sel, v->eip, v->gpr[EAX], v->gpr[ECX], v->gpr[EDX], v->gpr[EBX],
               v->gpr[ESP], v->gpr[EBP], v->gpr[ESI], v->gpr[EDI], v->eflags, v->cpl, text);
}

/* Does nobody answer at some byte of [addr, addr+size)? */
static bool is_unclaimed(const struct bus *b, uint64_t addr, unsigned size)
{
    for (unsigned n = 0; n < size; n++)
        if (!bus_find(b, addr + n))
            return true;
    return false;
}

void trace_access(const struct vm *vm, const struct bus *b, bool write, uint64_t addr,
                  unsigned size, uint32_t val)
{
    const struct bus_range *r = bus_find(b, addr);
    const char *verb = write ? "write" : "read", *who = r ? r->ops->name : "nobody";
    bool ignored = r && (write ? !r->ops->write : !r->ops->read);
    char what[64];

    if (size < 4)
        val &= (1u << 8 * size) - 1;
    fmt_line(what, sizeof what,
             size == 1   ? "%s %s 0x%04llx size %u value 0x%02x"
             : size == 2 ? "%s %s 0x%04llx size %u value 0x%04x"
                         : "%s %s 0x%04llx size %u value 0x%08x",
             b->name, verb, (unsigned long long)addr, size, val);
    trace_line(vm, TRACE_IO, "%s %s", what, who);
    if (is_unclaimed(b, addr, size))
        trace_line(vm, TRACE_UNIMP, "%s: nobody is there", what);
    else if (ignored)
        trace_line(vm, TRACE_UNIMP, "%s: ignored by %s", what, who);
}

void trace_exit(const struct vcpu *v, unsigned reason)
{
    static const char *const names[EXIT_COUNT] = {
#define EXIT(id, text) #id,
#include "include/ring1/exit.def"
#undef EXIT
    };

    trace_line(v->vm, TRACE_EXIT, "%s at 0x%04x:0x%08x after %llu instructions",
               reason < EXIT_COUNT ? names[reason] : "?", v->seg[SEG_CS].sel, v->eip,
               (unsigned long long)v->stats.insns);
}

const char *trace_vector_name(unsigned vector)
{
    static const char *const names[] = {
        [VEC_DE] = "#DE", [VEC_DB] = "#DB", [VEC_NMI] = "NMI", [VEC_BP] = "#BP", [VEC_OF] = "#OF",
        [VEC_BR] = "#BR", [VEC_UD] = "#UD", [VEC_NM] = "#NM",  [VEC_DF] = "#DF", [VEC_TS] = "#TS",
        [VEC_NP] = "#NP", [VEC_SS] = "#SS", [VEC_GP] = "#GP",  [VEC_PF] = "#PF", [VEC_MF] = "#MF",
        [VEC_AC] = "#AC", [VEC_MC] = "#MC", [VEC_XM] = "#XM",
    };

    return vector < ARRAY_LEN(names) && names[vector] ? names[vector] : "?";
}
