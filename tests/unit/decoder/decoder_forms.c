/* SPDX-License-Identifier: MIT */
/* uses: decoder/ zydis */
/*
 * decoder_forms.c - hand-written vectors: bytes in, the record's fields out, written as one line of
 * text.
 *
 * A line reads: op opsize/addr_size CLASS operands [address] extras. An operand is kind, register
 * or value, size and access (r w): "g0.4rw" is eax read and written. The address is [seg
 * base+index<<scale disp]. Extras: c condition, p prefixes, m mandatory prefix, @ the offsets of
 * opcode, ModRM, displacement+len, immediate+len.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "decoder/insn.h"

struct record_vector {
    const char *bytes; /* hex; "16:" before them means a 16-bit code segment */
    const char *text;
};

static const struct record_vector records[] = {
#include "tests/unit/decoder/decoder_forms.def"
};

/* "16:8b 00" to bytes; answers their number. */
static unsigned parse(const char *hex, bool *code32, uint8_t *bytes)
{
    unsigned n = 0, value;
    int used;
    *code32 = strncmp(hex, "16:", 3) != 0;
    hex += *code32 ? 0 : 3;
    while (n < INSN_MAX_LEN + 1u && sscanf(hex, "%2x%n", &value, &used) == 1) {
        bytes[n++] = (uint8_t)value;
        hex += used;
    }
    return n;
}

static int put_operand(char *at, size_t cap, const struct insn *i, unsigned n, unsigned imms)
{
    static const char kinds[] = "-gmijfscdxMX";
    const struct operand *o = &i->operand[n];
    const char *act = o->act == (ACT_R | ACT_W) ? "rw"
                      : o->act == ACT_R         ? "r"
                      : o->act == ACT_W         ? "w"
                                                : "";
    switch (o->kind) {
    case OPK_MEM:
        return snprintf(at, cap, " m.%u%s", o->size, act);
    case OPK_IMM:
    case OPK_REL:
        return snprintf(at, cap, " %c%x.%u%s", kinds[o->kind], imms ? i->imm2 : i->imm, o->size,
                        act);
    case OPK_FAR:
        return snprintf(at, cap, " f%x:%x.%u%s", i->imm2, i->imm, o->size, act);
    default:
        return snprintf(at, cap, " %c%u.%u%s", kinds[o->kind], o->reg, o->size, act);
    }
}

static void describe(const struct insn *i, char *out, size_t cap)
{
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    static const char *const regs[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    int n = snprintf(out, cap, "%s %u/%u %s", insn_op_name(i->op), i->opsize, i->addr_size,
                     insn_class_name(i->cls));
    unsigned imms = 0;
    for (unsigned op = 0; op < i->nops; op++) {
        n += put_operand(out + n, cap - (size_t)n, i, op, imms);
        imms += i->operand[op].kind == OPK_IMM;
    }
    n += snprintf(out + n, cap - (size_t)n, " [%s", segs[i->seg]);
    if (i->base != INSN_NO_REG)
        n += snprintf(out + n, cap - (size_t)n, " %s", regs[i->base]);
    if (i->index != INSN_NO_REG)
        n += snprintf(out + n, cap - (size_t)n, "+%s<<%u", regs[i->index], i->scale);
    if (i->disp)
        n += snprintf(out + n, cap - (size_t)n, " %d", (int)i->disp);
    n += snprintf(out + n, cap - (size_t)n, "]");
    if (i->cond)
        n += snprintf(out + n, cap - (size_t)n, " c%u", i->cond);
    if (i->prefixes)
        n += snprintf(out + n, cap - (size_t)n, " p%02x", i->prefixes);
    if (i->mandatory)
        n += snprintf(out + n, cap - (size_t)n, " m%02x", i->mandatory);
    snprintf(out + n, cap - (size_t)n, " @%u,%u,%u+%u,%u+%u", i->off_opcode, i->off_modrm,
             i->off_disp, i->disp_len, i->off_imm, i->imm_len);
}

Test(decoder_forms, records)
{
    static struct decoder d;
    decoder_init(&d, ISA_EVERY);
    for (unsigned n = 0; n < ARRAY_LEN(records); n++) {
        uint8_t bytes[16];
        char text[256] = "";
        bool code32;
        struct insn i;
        unsigned len = parse(records[n].bytes, &code32, bytes);
        enum decode_status s =
            decoder_decode(&d, (struct decode_mode){code32, code32}, bytes, len, &i);
        if (s == DECODE_OK)
            describe(&i, text, sizeof text);
        else
            snprintf(text, sizeof text, "status %u", (unsigned)s);
        cr_expect_str_eq(text, records[n].text, "%s\n  is   %s\n  want %s", records[n].bytes, text,
                         records[n].text);
        cr_expect(s != DECODE_OK || i.len == len, "%s: length %u", records[n].bytes, i.len);
        cr_expect(s != DECODE_OK || memcmp(i.bytes, bytes, len) == 0, "%s: bytes[]",
                  records[n].bytes);
    }
}

struct status_vector {
    enum decode_status status;
    const char *bytes;
};

static const struct status_vector statuses[] = {
    /* LOCK: memory destinations of the listed instructions only */
    {DECODE_OK, "f0 01 00"},
    {DECODE_OK, "f0 83 20 01"},
    {DECODE_OK, "f0 ff 00"},
    {DECODE_OK, "f0 f7 10"},
    {DECODE_OK, "f0 87 00"},
    {DECODE_OK, "f0 0f b1 08"},
    {DECODE_OK, "f0 0f c7 08"},
    {DECODE_OK, "f0 0f ba 28 01"},
    {DECODE_OK, "f0 0f c1 00"},
    {DECODE_OK, "66 f0 0f ab 00"},
    {DECODE_OK, "f0 82 00 01"},
    {DECODE_UD, "f0 01 c0"},
    {DECODE_UD, "f0 03 00"},
    {DECODE_UD, "f0 90"},
    {DECODE_UD, "f0 38 00"},
    {DECODE_UD, "f0 83 38 01"},
    {DECODE_UD, "f0 87 c0"},
    {DECODE_UD, "f0 0f ba 20 01"},
    {DECODE_UD, "f0 8b 00"},
    {DECODE_UD, "f0 0f 20 c0"},
    {DECODE_UD, "f0 0f 22 c0"},
    {DECODE_UD, "f0 c3"},
    {DECODE_UD, "f0 a4"},
    {DECODE_UD, "f0 0f 0b"},
    {DECODE_UD, "f0 f7 00 00 00 00 00"},
    {DECODE_UD, "f0 d1 00"},
    {DECODE_UD, "f0 ff 30"},
    /* fifteen bytes and no more; without an end in sight it is #GP, never a request for a
     * sixteenth */
    {DECODE_OK, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"},
    {DECODE_OK, "66 66 66 66 66 66 66 66 66 66 66 66 66 00 00"},
    {DECODE_GP, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66"},
    {DECODE_GP, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 00"},
    {DECODE_GP, "66 66 66 66 66 66 66 66 66 66 66 66 66 00 45"},
    {DECODE_GP, "26 26 26 26 26 26 26 26 26 26 26 c7 05 00 00"},
    {DECODE_GP, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 0f"},
    {DECODE_MORE, "66 66 66 66 66 66 66 66 66 66 66 66 66 66"},
    {DECODE_MORE, ""},
    {DECODE_MORE, "0f"},
    {DECODE_MORE, "0f 38"},
    {DECODE_MORE, "80"},
    {DECODE_MORE, "8b 44"},
    {DECODE_MORE, "8b 44 24"},
    {DECODE_MORE, "b8 00 00 00"},
    {DECODE_MORE, "9a 00 00 00 00 00"},
    {DECODE_MORE, "c4"},
    {DECODE_MORE, "16:b8 00"},
    {DECODE_MORE, "16:66 b8 00 00"},
    {DECODE_MORE, "c8 00 00"},
    {DECODE_MORE, "62"},
    /* not this CPU's */
    {DECODE_UD, "c4 e2"},
    {DECODE_UD, "c5 f8 77"},
    {DECODE_UD, "62 f1 7c 48 58 c0"},
    {DECODE_UD, "8f e9 78 e1 c0"},
    {DECODE_UD, "16:c4 c0"},
    {DECODE_UD, "16:c5 c0"},
    {DECODE_UD, "16:62 c0"},
    {DECODE_UD, "8f c8"},
    {DECODE_UD, "8f 08"},
    {DECODE_UD, "0f 0e"},
    {DECODE_UD, "0f 0f c0 9e"},
    {DECODE_UD, "66 0f 79 c1"},
    {DECODE_UD, "f2 0f 2b 00"},
    {DECODE_UD, "0f 01 c1"},
    {DECODE_UD, "0f 01 d8"},
    {DECODE_UD, "0f 78 c0"},
    {DECODE_UD, "0f 05"},
    {DECODE_UD, "0f 07"},
    {DECODE_UD, "0f 01 f9"},
    {DECODE_UD, "0f 01 d0"},
    {DECODE_UD, "0f 01 c8"},
    {DECODE_UD, "0f ae 20"},
    {DECODE_UD, "f3 0f ae c0"},
    {DECODE_UD, "66 0f ae 38"},
    {DECODE_UD, "0f c7 f8"},
    {DECODE_UD, "f3 0f c7 f8"},
    {DECODE_UD, "0f 38 c8 c1"},
    {DECODE_UD, "66 0f 38 f6 c1"},
    {DECODE_UD, "66 0f 38 82 00"},
    {DECODE_UD, "0f 37"},
    {DECODE_UD, "c6 f8 00"},
    {DECODE_UD, "c7 f8 00 00 00 00"},
    {DECODE_UD, "0f 01 d5"},
    {DECODE_UD, "0f a7 c0"},
    {DECODE_UD, "f3 0f 01 e8"},
    {DECODE_UD, "0f 04"},
    {DECODE_UD, "0f 0a"},
    {DECODE_UD, "0f 24 c0"},
    {DECODE_UD, "0f 36"},
    /* reserved forms */
    {DECODE_UD, "8e c8"},
    {DECODE_UD, "8e f0"},
    {DECODE_UD, "8c f0"},
    {DECODE_UD, "8d c0"},
    {DECODE_UD, "fe d0"},
    {DECODE_UD, "ff f8"},
    {DECODE_UD, "ff d8"},
    {DECODE_UD, "ff e8"},
    {DECODE_UD, "c6 c8 00"},
    {DECODE_UD, "0f ba c0 00"},
    {DECODE_UD, "0f 00 f0"},
    {DECODE_UD, "0f 20 c8"},
    {DECODE_UD, "0f 22 e8"},
    {DECODE_UD, "d9 d1"},
    {DECODE_UD, "d9 08"},
    {DECODE_UD, "db e5"},
    {DECODE_UD, "dd f0"},
    {DECODE_UD, "df e1"},
    {DECODE_UD, "0f b2 c0"},
    {DECODE_UD, "0f c7 c8"},
    {DECODE_UD, "66 0f 77"},
    {DECODE_UD, "f3 0f fc c1"},
    {DECODE_UD, "66 0f 01 cb"},
    {DECODE_UD, "f3 0f 38 f0 01"},
    {DECODE_UD, "f3 0f c7 f0"},
    {DECODE_UD, "0f b8 c0"},
    {DECODE_UD, "66 0f c3 00"},
    {DECODE_UD, "66 f3 0f fc c1"},
    /* protected-mode instructions decode in 16-bit code: that real mode lacks them is the
       interpreter's business */
    {DECODE_OK, "16:0f 02 c0"},
    {DECODE_OK, "16:0f 03 c0"},
    {DECODE_OK, "16:0f 00 e0"},
    {DECODE_OK, "16:63 c0"},
    {DECODE_OK, "16:0f 00 d8"},
    {DECODE_OK, "16:0f 34"},
    {DECODE_OK, "16:0f 01 ca"},
};

Test(decoder_forms, statuses)
{
    static struct decoder d;
    decoder_init(&d, ISA_EVERY);
    for (unsigned n = 0; n < ARRAY_LEN(statuses); n++) {
        uint8_t bytes[16];
        bool code32;
        struct insn i;
        unsigned len = parse(statuses[n].bytes, &code32, bytes);
        enum decode_status s =
            decoder_decode(&d, (struct decode_mode){code32, code32}, bytes, len, &i);
        cr_expect(s == statuses[n].status, "%s: status %u, want %u", statuses[n].bytes, (unsigned)s,
                  (unsigned)statuses[n].status);
    }
}

struct flag_vector {
    const char *bytes;
    uint32_t read, written;
};

static const struct flag_vector flags[] = {
    {"01 c0", 0, EFL_ARITH},
    {"11 c0", EFL_CF, EFL_ARITH},
    {"40", 0, EFL_ARITH & ~EFL_CF},
    {"d1 e0", 0, EFL_ARITH},
    {"d3 e0", EFL_ARITH, EFL_ARITH}, /* a count of 0 keeps them */
    {"c1 e0 20", 0, 0},
    {"c1 e0 21", 0, EFL_ARITH},
    {"0f a4 c0 00", 0, 0},
    {"d1 d0", EFL_CF, EFL_CF | EFL_OF},
    {"f3 a6", EFL_ARITH | EFL_DF, EFL_ARITH},
    {"a6", EFL_DF, EFL_ARITH},
    {"a4", EFL_DF, 0},
    {"74 00", EFL_ZF, 0},
    {"0f 97 c0", EFL_CF | EFL_ZF, 0},
    {"7f 00", EFL_ZF | EFL_SF | EFL_OF, 0},
    {"0f 4a c0", EFL_PF, 0},
    {"fc", 0, EFL_DF},
    {"f5", EFL_CF, EFL_CF},
    {"9c", EFL_ARITH | EFL_DF, 0},
    {"9d", 0, EFL_ARITH | EFL_DF},
    {"cd 80", EFL_ARITH | EFL_DF, 0},
    {"0f c7 08", 0, EFL_ZF},
    {"89 c0", 0, 0},
    {"27", EFL_CF | EFL_AF, EFL_ARITH},
    {"db f1", 0, EFL_ARITH},
    {"d6", EFL_CF, 0},
    {"ce", EFL_ARITH | EFL_DF, 0},
};

Test(decoder_forms, flags)
{
    static struct decoder d;
    decoder_init(&d, ISA_EVERY);
    for (unsigned n = 0; n < ARRAY_LEN(flags); n++) {
        uint8_t bytes[16];
        bool code32;
        struct insn i;
        unsigned len = parse(flags[n].bytes, &code32, bytes);
        cr_assert(decoder_decode(&d, (struct decode_mode){true, true}, bytes, len, &i) ==
                  DECODE_OK);
        cr_expect(i.flags_read == flags[n].read, "%s reads %x, want %x", flags[n].bytes,
                  i.flags_read, flags[n].read);
        cr_expect(i.flags_written == flags[n].written, "%s writes %x, want %x", flags[n].bytes,
                  i.flags_written, flags[n].written);
    }
}

Test(decoder_forms, text)
{
    static struct decoder d;
    static const uint8_t jump[] = {0xeb, 0xfe};
    struct insn i;
    char text[64];
    decoder_init(&d, ISA_EVERY);
    cr_assert(decoder_decode(&d, (struct decode_mode){true, false}, jump, 2, &i) == DECODE_OK);
    cr_expect(i.stack_size == 2);
    decoder_format(&d, &i, 0x1000, true, text, sizeof text);
    cr_expect_str_eq(text, "jmp 0x00001000");
    decoder_format(&d, &i, 0x1000, true, text, 4);
    cr_expect(strlen(text) < 4);
}
