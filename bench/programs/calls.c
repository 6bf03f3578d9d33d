/* SPDX-License-Identifier: MIT */
/* calls.c - calls, calls through tables, and interpreters of a small bytecode. */
#include "bench32.h"

static __attribute__((noinline, noclone)) uint32_t fib_of(uint32_t n)
{
    return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2);
}

static uint32_t fib(void)
{
    return fib_of(20);
}

static __attribute__((noinline, noclone)) int tak_of(int x, int y, int z)
{
    return y >= x ? z : tak_of(tak_of(x - 1, y, z), tak_of(y - 1, z, x), tak_of(z - 1, x, y));
}

static uint32_t tak(void)
{
    return (uint32_t)tak_of(12, 8, 4);
}

/* Objects of four classes in an order that no predictor knows beforehand, though it repeats. */
struct shape {
    uint32_t (*const *methods)(const struct shape *);
    uint32_t width, height;
};

static uint32_t area_box(const struct shape *s)
{
    return s->width * s->height;
}

static uint32_t area_half(const struct shape *s)
{
    return s->width * s->height / 2;
}

static uint32_t area_line(const struct shape *s)
{
    return s->width + s->height;
}

static uint32_t area_frame(const struct shape *s)
{
    return 2 * (s->width + s->height) - 4;
}

static uint32_t (*const methods[4][1])(const struct shape *) = {
    {area_box}, {area_half}, {area_line}, {area_frame}};
static struct shape shapes[64];

static void shapes_make(void)
{
    uint32_t seed = 77;

    for (unsigned i = 0; i < 64; i++)
        shapes[i] = (struct shape){methods[bench_random(&seed) >> 9 & 3], bench_random(&seed) & 255,
                                   bench_random(&seed) & 255};
}

static uint32_t virtual(void)
{
    uint32_t sum = 0;

    for (unsigned k = 0; k < 16; k++)
        for (unsigned i = 0; i < 64; i++)
            sum = sum * 3 + shapes[i].methods[0](&shapes[i]);
    return sum;
}

/*
 * The bytecode: a stack and 4 variables. The program below executes, for LOOPS = 250
 * iterations, 19 codes each, and one at the end and two at the beginning.
 */
enum {
    PUSH,
    LOAD,
    STORE,
    ADD,
    XOR,
    SHIFT,
    MUL,
    DEC_JUMP,
    END,
    LOOPS = 250,
    CODES = LOOPS * 19 + 3
};
static const uint8_t program[] = {PUSH,     LOOPS, STORE, 0,     /* the loop: */ LOAD,
                                  1,        LOAD,  0,     ADD,   STORE,
                                  1,        LOAD,  2,     LOAD,  1,
                                  XOR,      STORE, 2,     LOAD,  2,
                                  PUSH,     5,     SHIFT, LOAD,  1,
                                  MUL,      STORE, 3,     LOAD,  3,
                                  LOAD,     2,     XOR,   STORE, 2,
                                  DEC_JUMP, 4,     END};

static __attribute__((noinline)) uint32_t by_switch(const uint8_t *code)
{
    uint32_t stack[16], *sp = stack, var[4] = {0, 1, 2, 3};

    for (const uint8_t *pc = code;;) {
        switch (*pc++) {
        case PUSH:
            *++sp = *pc++;
            break;
        case LOAD:
            *++sp = var[*pc++];
            break;
        case STORE:
            var[*pc++] = *sp--;
            break;
        case ADD:
            sp--;
            sp[0] += sp[1];
            break;
        case XOR:
            sp--;
            sp[0] ^= sp[1];
            break;
        case SHIFT:
            sp--;
            sp[0] >>= sp[1] & 31;
            break;
        case MUL:
            sp--;
            sp[0] *= sp[1];
            break;
        case DEC_JUMP:
            pc = --var[0] ? code + *pc : pc + 1;
            break;
        default:
            return var[2];
        }
    }
}

static __attribute__((noinline, optimize("no-gcse"))) uint32_t by_goto(const uint8_t *code)
{
    static const void *const target[] = {&&push,  &&load, &&store,    &&add, &&xor_,
                                         &&shift, &&mul,  &&dec_jump, &&end};
    uint32_t stack[16], *sp = stack, var[4] = {0, 1, 2, 3};
    const uint8_t *pc = code;

    goto *target[*pc++];
push:
    *++sp = *pc++;
    goto *target[*pc++];
load:
    *++sp = var[*pc++];
    goto *target[*pc++];
store:
    var[*pc++] = *sp--;
    goto *target[*pc++];
add:
    sp--;
    sp[0] += sp[1];
    goto *target[*pc++];
xor_:
    sp--;
    sp[0] ^= sp[1];
    goto *target[*pc++];
shift:
    sp--;
    sp[0] >>= sp[1] & 31;
    goto *target[*pc++];
mul:
    sp--;
    sp[0] *= sp[1];
    goto *target[*pc++];
dec_jump:
    pc = --var[0] ? code + *pc : pc + 1;
    goto *target[*pc++];
end:
    return var[2];
}

static uint32_t bytecode_switch(void)
{
    return by_switch(program);
}

static uint32_t bytecode_goto(void)
{
    return by_goto(program);
}

const struct row call_rows[] = {
    {"call.fib", "calls", 21891, fib, NULL, NULL},
    {"call.tak", "taks", 1, tak, NULL, NULL},
    {"call.virtual", "calls", 1024, virtual, shapes_make, NULL},
    {"bytecode.switch", "bytecodes", CODES, bytecode_switch, NULL, NULL},
    {"bytecode.goto", "bytecodes", CODES, bytecode_goto, NULL, NULL},
    {NULL, NULL, 0, NULL, NULL, NULL}};
