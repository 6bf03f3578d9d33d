/* SPDX-License-Identifier: MIT */
/* cpu_state.c - see cpu_state.h. */
#include "monitor/cpu/cpu_state.h"

#include "include/ring1/mem.h"

#define LABELS(...) ((const char *const[]){__VA_ARGS__})

#define SAVED    STATE_SAVED
#define COPIED   STATE_COPIED
#define COMPARED STATE_COMPARED
#define PARKED   STATE_PARKED
#define CHECKED  STATE_CHECKED

const struct cpu_state_row cpu_state[] = {
#define CPU_STATE(field, k, n, use, dump, names, text)                                             \
    {.at = offsetof(struct vcpu, field),                                                           \
     .kind = STATE_##k,                                                                            \
     .count = n,                                                                                   \
     .uses = use,                                                                                  \
     .line = dump,                                                                                 \
     .labels = sizeof(names) / sizeof(const char *),                                               \
     .label = names,                                                                               \
     .what = text},
#include "monitor/cpu/cpu_state.def"
#undef CPU_STATE
};

const unsigned cpu_state_rows = ARRAY_LEN(cpu_state);

/* Kinds and counts are those of the fields. */
static const uint8_t width[] = {
    [STATE_U8] = 1,
    [STATE_BOOL] = sizeof(bool),
    [STATE_U16] = 2,
    [STATE_U32] = 4,
    [STATE_U64] = 8,
    [STATE_SEG] = sizeof(struct seg),
    [STATE_TABLE] = sizeof(struct table_reg),
    [STATE_BYTES] = 1,
};
#define WIDTH_U8    1
#define WIDTH_BOOL  sizeof(bool)
#define WIDTH_U16   2
#define WIDTH_U32   4
#define WIDTH_U64   8
#define WIDTH_SEG   sizeof(struct seg)
#define WIDTH_TABLE sizeof(struct table_reg)
#define WIDTH_BYTES 1
/* gpr[] has an element more: "a register that an address lacks" is no register. */
#define CPU_STATE(field, k, n, use, dump, names, text)                                             \
    _Static_assert(sizeof(((struct vcpu *)0)->field) ==                                            \
                       (n)*WIDTH_##k + (offsetof(struct vcpu, field) == 0 ? 4 : 0),                \
                   #field " is as large as its row in cpu_state.def says");
#include "monitor/cpu/cpu_state.def"
#undef CPU_STATE
_Static_assert(offsetof(struct vcpu, gpr) == 0, "the exception above is gpr");

unsigned cpu_state_width(const struct cpu_state_row *r)
{
    return width[r->kind];
}

const void *cpu_state_get(const struct vcpu *v, const struct cpu_state_row *r, unsigned n)
{
    return (const uint8_t *)v + r->at + (size_t)n * width[r->kind];
}

const char *cpu_state_label(const struct cpu_state_row *r, unsigned n)
{
    return r->label[r->labels == 1 ? 0 : n];
}

static bool seg_same(const struct seg *a, const struct seg *b)
{
    return a->sel == b->sel && a->attr == b->attr && a->base == b->base && a->limit == b->limit &&
           a->lo == b->lo && a->hi == b->hi && a->room == b->room && a->acc == b->acc;
}

bool cpu_state_same(const struct vcpu *a, const struct vcpu *b, const struct cpu_state_row *r,
                    unsigned n)
{
    const void *x = cpu_state_get(a, r, n), *y = cpu_state_get(b, r, n);
    const struct table_reg *s = x, *t = y;

    if (r->kind == STATE_SEG)
        return seg_same(x, y);
    if (r->kind == STATE_TABLE) /* padding means nothing */
        return s->base == t->base && s->limit == t->limit;
    return !memcmp(x, y, width[r->kind]);
}

void cpu_state_copy(struct vcpu *to, const struct vcpu *from, unsigned uses)
{
    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++)
        if (r->uses & uses)
            memcpy((uint8_t *)to + r->at, (const uint8_t *)from + r->at,
                   (size_t)r->count * width[r->kind]);
}

const char *cpu_state_difference(const struct vcpu *a, const struct vcpu *b, unsigned uses)
{
    for (const struct cpu_state_row *r = cpu_state; r < cpu_state + cpu_state_rows; r++)
        for (unsigned n = 0; (r->uses & uses) && n < r->count; n++)
            if (!cpu_state_same(a, b, r, n))
                return r->what ? r->what : cpu_state_label(r, n);
    return NULL;
}
