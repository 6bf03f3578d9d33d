/* SPDX-License-Identifier: MIT */
/* holes.c - see holes.h. */
#include "lab/holes.h"

#include <string.h>

const struct hole holes[HOLE_COUNT] = {
#define HOLE(id, op, list, theorem, shows, ring0, ring1, ring3, umip, manual)                      \
    {#id, OP_##op, LIST_##list, IS_##theorem, shows, ring0, ring1, ring3, umip, manual},
#include "lab/holes.def"
#undef HOLE
};

/* The rows of decoder/isa.def that may be holes. */
static const struct encoding {
    uint16_t op;
    uint8_t map, first, last, reg, cls;
} encodings[] = {
#define ANY 0xff
#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note)                 \
    {OP_##op, map, first, last, reg, CLS_##cls},
#include "decoder/isa.def"
#undef INSN
#undef ANY
};
#define NO_REG 0xff

const char *hole_list_name(unsigned list)
{
    static const char *const names[] = {"robin-irvine", "beyond", "traps"};

    return names[list];
}

const char *hole_theorem_name(unsigned theorem)
{
    static const char *const names[] = {"privileged", "control-sensitive", "behaviour-sensitive",
                                        "control- and behaviour-sensitive"};

    return names[theorem];
}

static bool concerns(const struct encoding *e, unsigned op)
{
    return e->op == op && e->cls >= CLS_PRIVILEGED;
}

unsigned hole_class(unsigned op)
{
    unsigned cls = CLS_IDENTICAL;

    for (unsigned n = 0; n < ARRAY_LEN(encodings); n++)
        if (concerns(&encodings[n], op) && encodings[n].cls > cls)
            cls = encodings[n].cls;
    return cls;
}

/* "0F 01 /4", without a reg "9D"; a range "6C-6D". */
static int put_encoding(const struct encoding *e, char *out, size_t cap)
{
    char range[8] = "", reg[8] = "";

    if (e->last != e->first)
        snprintf(range, sizeof range, "-%02X", e->last);
    if (e->reg != NO_REG)
        snprintf(reg, sizeof reg, " /%u", e->reg);
    return snprintf(out, cap, "%s%02X%s%s", e->map ? "0F " : "", e->first, range, reg);
}

void hole_encodings(unsigned op, char *out, size_t cap)
{
    const struct encoding *before = NULL;
    size_t used = 0;

    out[0] = 0;
    for (unsigned n = 0; n < ARRAY_LEN(encodings); n++) {
        const struct encoding *e = &encodings[n];
        bool more = before && before->map == e->map && before->first == e->first;
        if (!concerns(e, op) || used + 16 > cap)
            continue;
        if (more && e->reg != NO_REG) /* the same opcode: only the digit is new */
            used += (size_t)snprintf(out + used, cap - used, "/%u", e->reg);
        else if (!more) {
            used += (size_t)snprintf(out + used, cap - used, "%s", used ? ", " : "");
            used += (size_t)put_encoding(e, out + used, cap - used);
        }
        before = e;
    }
}

static void put_wrapped(FILE *f, const char *label, const char *text)
{
    unsigned column = (unsigned)fprintf(f, "    %-9s", label);

    while (*text) {
        unsigned len = (unsigned)strcspn(text, " ");
        if (column + 1 + len > 99)
            column = (unsigned)fprintf(f, "\n%13s", "") - 1;
        column += (unsigned)fprintf(f, " %.*s", (int)len, text);
        text += len;
        text += *text == ' ';
    }
    fputc('\n', f);
}

static void put_totals(FILE *f)
{
    unsigned count[3] = {0};

    for (unsigned n = 0; n < HOLE_COUNT; n++)
        count[holes[n].list]++;
    fprintf(f,
            "%u rows: %u of the instructions that Robin and Irvine list, %u holes beyond their "
            "list,\n%u that trap. Popek and Goldberg ask that all of them trap.\n",
            (unsigned)HOLE_COUNT, count[LIST_ROBIN], count[LIST_BEYOND], count[LIST_TRAPS]);
}

void holes_list(FILE *f)
{
    char text[160];

    for (unsigned n = 0; n < HOLE_COUNT; n++) {
        const struct hole *h = &holes[n];
        hole_encodings(h->op, text, sizeof text);
        fprintf(f, "%s  (%s; %s, %s; %s)\n", h->name, text, insn_class_name(hole_class(h->op)),
                hole_theorem_name(h->theorem), hole_list_name(h->list));
        put_wrapped(f, "", h->shows);
        put_wrapped(f, "ring 0", h->ring0);
        put_wrapped(f, "ring 1", h->ring1);
        put_wrapped(f, "ring 3", h->ring3);
        if (h->umip[0])
            put_wrapped(f, "with UMIP", h->umip);
        put_wrapped(f, "SDM", h->manual);
    }
    put_totals(f);
}

void json_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            fprintf(f, "\\u%04x", (unsigned char)*s);
        else
            fputc(*s, f);
    fputc('"', f);
}

static void json_member(FILE *f, const char *name, const char *value)
{
    fprintf(f, ", \"%s\": ", name);
    json_string(f, value);
}

void holes_list_json(FILE *f)
{
    char text[160];

    for (unsigned n = 0; n < HOLE_COUNT; n++) {
        const struct hole *h = &holes[n];
        hole_encodings(h->op, text, sizeof text);
        fprintf(f, "%s{\"name\": \"%s\"", n ? ",\n " : "[", h->name);
        json_member(f, "operation", insn_op_name(h->op));
        json_member(f, "encodings", text);
        json_member(f, "class", insn_class_name(hole_class(h->op)));
        json_member(f, "list", hole_list_name(h->list));
        json_member(f, "theorem", hole_theorem_name(h->theorem));
        json_member(f, "shows", h->shows);
        json_member(f, "ring0", h->ring0);
        json_member(f, "ring1", h->ring1);
        json_member(f, "ring3", h->ring3);
        json_member(f, "umip", h->umip);
        json_member(f, "manual", h->manual);
        fputc('}', f);
    }
    fputs("]\n", f);
}
