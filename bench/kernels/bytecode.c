/* SPDX-License-Identifier: MIT */
/* bytecode.c - a small interpreter inside the interpreter: jumps through a table. */
#include "bench.h"

enum { PUSH, ADD, XOR, DUP, SWAP, DEC_JUMP, END };

static uint32_t interpret(const uint8_t *code, uint32_t loops)
{
    static const void *const target[] = {&&push, &&add, &&xor, &&dup, &&swap, &&dec_jump, &&end};
    uint32_t stack[64], *sp = stack, counter = loops;
    const uint8_t *pc = code;

    *sp = 1;
#define STEP() goto *target[*pc++]
    STEP();
push:
    *++sp = *pc++;
    STEP();
add:
    sp[-1] += sp[0];
    sp--;
    STEP();
    xor : sp[-1] ^= sp[0] << 3;
    sp--;
    STEP();
dup:
    sp[1] = sp[0];
    sp++;
    STEP();
swap : {
    uint32_t t = sp[0];
    sp[0] = sp[-1];
    sp[-1] = t;
}
    STEP();
dec_jump:
    if (--counter)
        pc = code;
    STEP();
end:
    return *sp;
}

uint32_t bench_work(void)
{
    static const uint8_t code[] = {DUP, PUSH, 7, SWAP, XOR, ADD, PUSH, 3, ADD, DEC_JUMP, END};

    return interpret(code, 2000000);
}
