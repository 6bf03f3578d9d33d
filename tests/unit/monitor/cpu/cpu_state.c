/* SPDX-License-Identifier: MIT */
/*
 * cpu_state.c - what is made from the list of a CPU's state (monitor/cpu/cpu_state.def)
 * does what the rows say.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/linux/dump.h"
#include "monitor/cpu/cpu_state.h"

static struct vcpu *cpu_new(uint8_t fill)
{
    struct vcpu *v = aligned_alloc(64, sizeof *v);

    cr_assert(v);
    memset(v, fill, sizeof *v);
    return v;
}

/* A difference in any element of any row is found by whoever compares that row, and copied by
 * whoever copies it. */
Test(cpu_state, rows_are_compared_and_copied)
{
    struct vcpu *a = cpu_new(0), *b = cpu_new(0);

    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++)
        for (unsigned n = 0; n < r->count; n++) {
            unsigned compared = r->uses & (STATE_COMPARED | STATE_PARKED | STATE_CHECKED);

            *((uint8_t *)a + r->at + n * cpu_state_width(r)) ^= 1;
            cr_expect(!cpu_state_same(a, b, r, n), "%s", cpu_state_label(r, n));
            cr_expect((cpu_state_difference(a, b, compared) != NULL) == (compared != 0), "%s",
                      cpu_state_label(r, n));
            bool saved = r->uses & STATE_SAVED;
            cr_expect(!cpu_state_difference(a, b, STATE_SAVED) == !saved && (saved || !compared),
                      "%s is not saved", cpu_state_label(r, n));
            cpu_state_copy(b, a, r->uses);
            cr_expect(!cpu_state_difference(a, b, 0xff), "%s", cpu_state_label(r, n));
        }
    free(a);
    free(b);
}

Test(cpu_state, dump_is_laid_out)
{
    static const char expected[] =
        "eax 0x00000000 ecx 0x00000001 edx 0x00000002 ebx 0x00000003\r\n"
        "esp 0x00000004 ebp 0x00000005 esi 0x00000006 edi 0x00000007\r\n"
        "eip 0x00001000 eflags 0x00000002 cpl 3 halted real mode\r\n"
        "es   0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "cs   0x001b base 0x00000000 limit 0xffffffff attr 0xc0fb\r\n"
        "ss   0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "ds   0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "fs   0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "gs   0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "ldtr 0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "tr   0x0000 base 0x00000000 limit 0x00000000 attr 0x0000\r\n"
        "gdt  base 0x00002000 limit 0x00ff  idt base 0x00003000 limit 0x07ff\r\n"
        "cr0 0x00000000 cr2 0x00000000 cr3 0x00004000 cr4 0x00000000 efer 0x800\r\n"
        "dr0 0x00000000 dr1 0x00000000 dr2 0x00000000 dr3 0x00000000 dr6 0xffff0ff0 dr7 "
        "0x00000400\r\n"
        "instructions so far: 0\r\n";
    struct vcpu *v = cpu_new(0);
    char text[2048], part[64];

    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = n;
    v->eip = 0x1000;
    v->eflags = EFL_FIXED1;
    v->cpl = 3;
    v->halted = true;
    v->seg[SEG_CS] = (struct seg){.sel = 0x1b, .attr = 0xc0fb, .limit = ~0u};
    v->gdtr = (struct table_reg){0x2000, 0xff};
    v->idtr = (struct table_reg){0x3000, 0x7ff};
    v->cr3 = 0x4000;
    v->msr.efer = 0x800;
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    size_t len = dump_registers(v, text, sizeof text);
    cr_expect_str_eq(text, expected);
    cr_expect_eq(len, strlen(expected));
    len = dump_registers(v, part, sizeof part);
    cr_expect(len == sizeof part - 1 && !memcmp(part, expected, len), "cut off at the end");
    free(v);
}
