/* SPDX-License-Identifier: MIT */
/*
 * compare.c - the differences between two rigs that ran the same case, and a case in words.
 */
#include "tests/bt/bt_random.h"

#include "monitor/cpu/cpu_state.h"
#include "monitor/cpu/fpu_image.h"

struct diff {
    FILE *out;
    unsigned count;
};

static void check(struct diff *d, const char *what, uint64_t a, uint64_t b)
{
    if (a == b)
        return;
    d->count++;
    if (d->out)
        fprintf(d->out, "  %-14s interpreted 0x%08llx   translated 0x%08llx\n", what,
                (unsigned long long)a, (unsigned long long)b);
}

static void check_n(struct diff *d, const char *what, unsigned n, uint64_t a, uint64_t b)
{
    char name[32];

    if (a == b)
        return;
    snprintf(name, sizeof name, what, n);
    check(d, name, a, b);
}

static void compare_seg(struct diff *d, const char *name, const struct seg *a, const struct seg *b)
{
    char what[32];

    check(d, name, a->sel, b->sel);
    snprintf(what, sizeof what, "%s base", name);
    check(d, what, a->base, b->base);
    snprintf(what, sizeof what, "%s limit", name);
    check(d, what, a->limit, b->limit);
    snprintf(what, sizeof what, "%s attr", name);
    check(d, what, (uint32_t)a->attr << 16 | a->acc, (uint32_t)b->attr << 16 | b->acc);
}

static void compare_table(struct diff *d, const char *name, const struct table_reg *a,
                          const struct table_reg *b)
{
    char what[32];

    check(d, name, a->base, b->base);
    snprintf(what, sizeof what, "%s limit", name);
    check(d, what, a->limit, b->limit);
}

static uint64_t element(const struct vcpu *v, const struct cpu_state_row *r, unsigned n)
{
    uint64_t val = 0;

    memcpy(&val, cpu_state_get(v, r, n), cpu_state_width(r));
    return val;
}

/* What monitor/cpu/cpu_state.def says is compared. */
static void compare_state(struct diff *d, const struct vcpu *a, const struct vcpu *b)
{
    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++)
        for (unsigned n = 0; n < r->count; n++) {
            const char *name = cpu_state_label(r, n)[0] ? cpu_state_label(r, n) : r->what;
            const void *x = cpu_state_get(a, r, n), *y = cpu_state_get(b, r, n);

            if (!(r->uses & (STATE_COMPARED | STATE_PARKED | STATE_CHECKED)))
                break;
            if (r->kind == STATE_SEG)
                compare_seg(d, name, x, y);
            else if (r->kind == STATE_TABLE)
                compare_table(d, name, x, y);
            else
                check(d, name, element(a, r, n), element(b, r, n));
        }
}

static void compare_fpu(struct diff *d, const struct vcpu_fpu *a, const struct vcpu_fpu *b)
{
    const uint8_t *x = a->area, *y = b->area;

    check(d, "fcw", image_get16(x, FX_FCW), image_get16(y, FX_FCW));
    check(d, "fsw", image_get16(x, FX_FSW), image_get16(y, FX_FSW));
    check(d, "ftw", x[FX_FTW], y[FX_FTW]);
    check(d, "mxcsr", image_get32(x, FX_MXCSR), image_get32(y, FX_MXCSR));
    for (unsigned n = 0; n < 8; n++)
        for (unsigned k = 0; k < 10; k += 2)
            check_n(d, "st(n) word %u", 5 * n + k / 2, image_get16(x, FX_ST + 16 * n + k),
                    image_get16(y, FX_ST + 16 * n + k));
    for (unsigned n = 0; n < 32; n++)
        check_n(d, "xmm dword %u", n, image_get32(x, FX_XMM + 4 * n),
                image_get32(y, FX_XMM + 4 * n));
}

static void compare_ram(struct diff *d, const uint8_t *a, const uint8_t *b)
{
    unsigned shown = 0;

    if (!memcmp(a, b, RAM_BYTES))
        return;
    for (uint32_t at = 0; at < RAM_BYTES && shown < 12; at += 4)
        if (memcmp(a + at, b + at, 4)) {
            char what[32];
            snprintf(what, sizeof what, "ram 0x%05x", at);
            check(d, what, image_get32(a, at), image_get32(b, at));
            shown++;
        }
}

unsigned compare(struct bt_rig *a, struct bt_rig *b, FILE *out)
{
    struct diff d = {.out = out};

    compare_state(&d, a->cpu, b->cpu);
    compare_fpu(&d, &a->cpu->fpu, &b->cpu->fpu);
    check(&d, "FERR#", a->world.ferr, b->world.ferr);
    check(&d, "random", a->world.random, b->world.random);
    compare_ram(&d, a->vm.ram, b->vm.ram);
    return d.count;
}

/* ---- in words ---- */

static const char *const gpr_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void print_insn(const struct bt_case *c, unsigned n, const struct decoder *d, FILE *out)
{
    const struct case_insn *k = &c->insn[n];
    struct decode_mode mode = {.code32 = !k->code16, .stack32 = !c->stack16};
    char text[128] = "?";
    struct insn i;

    if (k->dropped)
        return;
    if (decoder_decode(d, mode, k->bytes, k->len, &i) == DECODE_OK)
        decoder_format(d, &i, c->where[n], mode.code32, text, sizeof text);
    fprintf(out, "  %2u %05x ", n, c->where[n]);
    for (unsigned b = 0; b < k->len; b++)
        fprintf(out, " %02x", k->bytes[b]);
    fprintf(out, "%*s %s\n", 3 * (12 - (int)(k->len < 12 ? k->len : 12)), "", text);
}

void case_print(const struct bt_case *c, const struct decoder *d, FILE *out)
{
    const struct bt_options *o = &c->options;

    fprintf(out, "cpl %u%s%s%s%s%s cr0 %08x cr4 %08x eflags %08x loops %u\n", c->cpl,
            c->paging ? " paging" : "", c->pae ? " PAE" : "", c->nx ? " NX" : "",
            c->kernel_pages ? " supervisor pages" : "", c->stack16 ? " 16-bit stack" : "", c->cr0,
            c->cr4, c->eflags, c->loops);
    fprintf(out, "options:%s%s%s%s%s%s%s max_insns %u heat %u\n", o->no_chain ? " no_chain" : "",
            o->no_return_stack ? " no_return_stack" : "",
            o->split_at_branches ? " split_at_branches" : "", o->count_exits ? " count_exits" : "",
            o->soft_only ? " soft_only" : "", o->no_bmi2 ? " no_bmi2" : "",
            o->no_gs ? " no_gs" : "", o->max_insns, o->heat);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        fprintf(out, "%s %08x%s", gpr_names[n], c->gpr[n], n % 4 == 3 ? "\n" : "  ");
    for (unsigned n = 0; n < SEG_COUNT; n++)
        fprintf(out, "%s %02x  ", seg_names[n], c->sel[n]);
    fprintf(out, "fcw %04x fsw %04x ftw %02x mxcsr %04x\n", image_get16(c->fpu, FX_FCW),
            image_get16(c->fpu, FX_FSW), c->fpu[FX_FTW], image_get32(c->fpu, FX_MXCSR));
    for (unsigned n = 0; n < c->count; n++)
        print_insn(c, n, d, out);
}
