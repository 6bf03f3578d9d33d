/* SPDX-License-Identifier: MIT */
/* uses: lab/ decoder/ */
/* lab_holes.c - the laboratory's table covers the decoder's sensitivity table, and nothing else. */
#include <criterion/criterion.h>
#include <string.h>

#include "lab/programs.h"
#include "lab/run.h"

#define ANY 0xff
static const struct {
    unsigned op, cls;
    const char *note;
} rows[] = {
#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note)                 \
    {OP_##op, CLS_##cls, note},
#include "decoder/isa.def"
#undef INSN
};

static bool traps_or_should(unsigned cls)
{
    return cls == CLS_SENSITIVE || cls == CLS_IOPL || cls == CLS_PRIVILEGED;
}

Test(lab_holes, covers_the_table)
{
    unsigned seen = 0;

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        unsigned have = 0, robin = 0;
        if (!traps_or_should(rows[n].cls))
            continue;
        seen++;
        for (unsigned h = 0; h < HOLE_COUNT; h++)
            if (holes[h].op == rows[n].op) {
                have++;
                robin += holes[h].list == LIST_ROBIN;
            }
        cr_expect(have, "%s has no row", insn_op_name(rows[n].op));
        cr_expect((strcmp(rows[n].note, "Robin and Irvine") == 0) == (robin > 0),
                  "%s: is it of Robin and Irvine?", insn_op_name(rows[n].op));
    }
    cr_expect(seen > 80);
}

Test(lab_holes, and_nothing_else)
{
    for (unsigned h = 0; h < HOLE_COUNT; h++) {
        char text[160];
        bool known = false;
        for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
            known |= rows[n].op == holes[h].op && traps_or_should(rows[n].cls);
        cr_expect(known, "%s is in no such row of isa.def", holes[h].name);
        hole_encodings(holes[h].op, text, sizeof text);
        cr_expect(strlen(text) >= 2, "%s", holes[h].name);
    }
}

/* What traps is privileged in the theorem's sense, and a hole is not. */
Test(lab_holes, agrees_with_itself)
{
    for (unsigned h = 0; h < HOLE_COUNT; h++) {
        cr_expect_eq(holes[h].list == LIST_TRAPS, holes[h].theorem == IS_PRIVILEGED, "%s",
                     holes[h].name);
        if (hole_class(holes[h].op) == CLS_SENSITIVE)
            cr_expect_neq(holes[h].list, LIST_TRAPS, "%s", holes[h].name);
        cr_expect(holes[h].manual[0] && holes[h].shows[0], "%s", holes[h].name);
    }
}

/* Each micro-guest executes the instruction that its row is about, and wants something. */
Test(lab_holes, programs)
{
    static struct decoder d;

    decoder_init(&d, ISA_EVERY);
    for (unsigned h = 0; h < HOLE_COUNT; h++) {
        const struct program *p = &programs[h];
        struct insn i;
        cr_assert(p->code && p->code <= p->at && p->at < p->end, "%s", holes[h].name);
        enum decode_status status = decoder_decode(
            &d, (struct decode_mode){true, true}, p->at,
            p->end - p->at < INSN_MAX_LEN ? (unsigned)(p->end - p->at) : INSN_MAX_LEN, &i);
        cr_expect(status == DECODE_OK && i.op == holes[h].op, "%s executes %s", holes[h].name,
                  insn_op_name(i.op));
        cr_expect(p->end[-1] == 0xf4 && p->mask, "%s", holes[h].name);
    }
}

/* What a cell's verdict hangs on. */
Test(lab_holes, truth)
{
    const struct program *popf = &programs[HOLE_popf];
    struct seen s = {.ended = true, .eax = 0x600d};

    cr_expect(way_is_true(popf, &s));
    s.iflag = true;
    cr_expect_not(way_is_true(popf, &s));
    s = (struct seen){.ended = true, .eax = 0x600e};
    cr_expect_not(way_is_true(popf, &s));
    s = (struct seen){.ended = false, .eax = 0x600d};
    cr_expect_not(way_is_true(popf, &s));
    s = (struct seen){.ended = true, .eax = 0xffffcdff};
    cr_expect(way_is_true(&programs[HOLE_pushf], &s)); /* its mask is IF and IOPL */
}
