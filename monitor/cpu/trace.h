/* SPDX-License-Identifier: MIT */
/*
 * trace.h - the lines of `-d STAGE` (include/ring1/trace.def, docs/tracing.md).
 *
 * Promises   Costs one predictable test off the hot path while a stage is off. A line is whole, of
 *            bounded length, and hexadecimal numbers carry 0x. Nothing of the guest changes.
 * Not here   Where lines go (host), which stages are wanted (cli).
 */
#ifndef RING1_MONITOR_CPU_TRACE_H
#define RING1_MONITOR_CPU_TRACE_H

#include "include/ring1/trace.h"
#include "monitor/cpu/vm.h"

#define TRACE_LINE_MAX 384u

/* Is one of the stages of `mask` (TRACE_BIT()s) wanted? */
static inline bool trace_wants(const struct vm *vm, uint32_t mask)
{
    const struct vmm_host *h = vm->host;

    return h && unlikely(h->trace_mask & mask) && h->trace;
}

/* Traces one line, if the stage is wanted. The FPU stays as it is (host.h). */
void trace_line(const struct vm *vm, enum trace_stage stage, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Traces an instruction that enters the decode cache, at linear address gla. Calls Zydis, so the
 * guest's FPU must be parked; so does trace_exec(). */
void trace_decode(struct vcpu *v, const struct insn *i, gla_t gla) __attribute__((cold));

/* Traces the registers before an instruction. The format is fixed: tests compare these lines with
 * those of other CPUs. */
void trace_exec(struct vcpu *v, const struct insn *i) __attribute__((cold));

/* Traces an access to a bus, for the stages io and unimp: a read after it was made, with its value,
 * a write before. */
void trace_access(const struct vm *vm, const struct bus *b, bool write, uint64_t addr,
                  unsigned size, uint32_t val) __attribute__((cold));
#define TRACE_ACCESSES (TRACE_BIT(TRACE_IO) | TRACE_BIT(TRACE_UNIMP))

/* Traces that vcpu_run() returns to the host with `reason` (enum exit_reason). */
void trace_exit(const struct vcpu *v, unsigned reason) __attribute__((cold));

/* "#PF", "#GP", ...; "?" for vectors that are no exception. */
const char *trace_vector_name(unsigned vector);

#endif
