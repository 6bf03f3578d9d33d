/* SPDX-License-Identifier: MIT */
/*
 * interp_cpu.c - what the host's 64-bit mode cannot judge: the stack, BCD adjustments, faults
 * half-way, REP and its interruption, 16-bit sizes, branches at the CS limit, ports, privilege.
 */
#include "tests/rig/interp_rig.h"

#define DATA32 0xc093 /* expand-up, 4 GiB */
#define DATA16 0x0093 /* 64 KiB, 16-bit stack */
#define DOWN32 0x4097 /* expand-down, writable */

static uint32_t crc32c(uint32_t crc, uint32_t data)
{
    crc ^= data;
    for (unsigned n = 0; n < 32; n++)
        crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
    return crc;
}

/* Digests of (AX << 16 | flags) over eight flag values and all AX, taken from an Intel CPU in a
 * 32-bit process. */
Test(interp_cpu, bcd)
{
    static const uint32_t flags[] = {0, 1, 0x10, 0x11, 0x8d5, 0x8c4, 0x8d4, 0x8c5};
    static const struct {
        uint8_t bytes[2], len;
        uint32_t digest;
    } row[] = {
        {{0x37, 0}, 1, 0xb578d113},    {{0x3f, 0}, 1, 0x39a56d5d},    {{0x27, 0}, 1, 0x6002072b},
        {{0x2f, 0}, 1, 0x58563d4b},    {{0xd5, 0x0a}, 2, 0xaf8a6a79}, {{0xd4, 0x0a}, 2, 0x1f6458ce},
        {{0xd5, 0x07}, 2, 0xb678517e}, {{0xd4, 0x07}, 2, 0x972cdc8c}, {{0xd5, 0xff}, 2, 0x49fbb433},
        {{0xd4, 0x01}, 2, 0x938ea57b},
    };
    struct rig *r = rig_new();

    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        uint32_t crc = 0;
        cr_assert(rig_decode(r, row[n].bytes, row[n].len));
        for (unsigned f = 0; f < ARRAY_LEN(flags); f++)
            for (uint32_t ax = 0; ax < 0x10000; ax++) {
                r->cpu.gpr[EAX] = ax | 0xabcd0000u;
                r->cpu.eflags = flags[f] | EFL_FIXED1;
                interp_select (&r->insn)(&r->cpu, &r->insn);
                crc = crc32c(crc, r->cpu.gpr[EAX] << 16 | (r->cpu.eflags & EFL_ARITH));
            }
        cr_expect_eq(crc, row[n].digest, "row %u (opcode %02x): digest 0x%08x", n, row[n].bytes[0],
                     crc);
        cr_expect_eq(r->cpu.gpr[EAX] >> 16, 0xabcd);
    }
    cr_expect_eq(RIG_RUN(r, 0xd4, 0x00), VEC_DE);
}

Test(interp_cpu, push_pop)
{
    struct rig *r = rig_new();
    uint32_t *g = r->cpu.gpr;

    cr_expect_eq(RIG_RUN(r, 0x54), RIG_NO_FAULT); /* push esp: the old value */
    cr_expect_eq(g[ESP], RIG_STACK - 4);
    cr_expect_eq(rig_get32(r, RIG_STACK - 4), RIG_STACK);
    rig_put32(r, RIG_STACK - 4, 0x6000);
    RIG_RUN(r, 0x5c); /* pop esp: the value */
    cr_expect_eq(g[ESP], 0x6000);
    rig_put32(r, 0x6000, 0x11223344);
    RIG_RUN(r, 0x66, 0x5c); /* pop sp */
    cr_expect_eq(g[ESP], 0x3344);

    rig_start(r);
    rig_put32(r, RIG_STACK, 0xcafe);
    RIG_RUN(r, 0x8f, 0x44, 0x24, 0x08); /* pop [esp+8]: address after the increment */
    cr_expect_eq(rig_get32(r, RIG_STACK + 12), 0xcafe);
    cr_expect_eq(g[ESP], RIG_STACK + 4);
    rig_segment(r, SEG_FS, 0, 0xff, 0x4093);
    cr_expect_eq(RIG_RUN(r, 0x64, 0x8f, 0x05, 0, 1, 0, 0), VEC_GP); /* pop fs:[0x100] */
    cr_expect_eq(g[ESP], RIG_STACK + 4, "a faulting POP leaves ESP");

    RIG_RUN(r, 0x6a, 0xff); /* push -1 */
    cr_expect_eq(rig_get32(r, RIG_STACK), 0xffffffff);
    RIG_RUN(r, 0x66, 0x6a, 0xfe);
    cr_expect_eq(g[ESP], RIG_STACK - 2);
    cr_expect_eq(rig_get32(r, RIG_STACK - 2), 0xfffffffe);
    rig_put32(r, RIG_STACK - 8, 0xdeadbeef);
    r->cpu.seg[SEG_DS].sel = 0x1234;
    g[ESP] = RIG_STACK - 4;
    RIG_RUN(r, 0x1e); /* push ds: two bytes of the slot */
    cr_expect_eq(rig_get32(r, RIG_STACK - 8), 0xdead1234);
    cr_expect_eq(g[ESP], RIG_STACK - 8);

    rig_segment(r, SEG_SS, 0, 0xffff, DATA16);
    g[ESP] = 0xabcd0002;
    cr_expect_eq(RIG_RUN(r, 0x66, 0x50), RIG_NO_FAULT); /* push ax at SP 2 */
    cr_expect_eq(g[ESP], 0xabcd0000);
    cr_expect_eq(RIG_RUN(r, 0x50), RIG_NO_FAULT); /* push eax wraps */
    cr_expect_eq(g[ESP], 0xabcdfffc);
    g[ESP] = 0xabcd0002;
    cr_expect_eq(RIG_RUN(r, 0x50), VEC_SS, "a doubleword across the 64 KiB limit");
    cr_expect_eq(g[ESP], 0xabcd0002);
}

Test(interp_cpu, pusha_enter_leave)
{
    struct rig *r = rig_new();
    uint32_t *g = r->cpu.gpr, n;

    for (n = 0; n < 8; n++)
        if (n != ESP)
            g[n] = 0x10101010 * (n + 1);
    RIG_RUN(r, 0x60);
    for (n = 0; n < 8; n++)
        cr_expect_eq(rig_get32(r, RIG_STACK - 4 * (n + 1)),
                     n == ESP ? RIG_STACK : 0x10101010 * (n + 1));
    cr_expect_eq(g[ESP], RIG_STACK - 32);
    rig_put32(r, RIG_STACK - 4, 0x77777777);
    RIG_RUN(r, 0x61);
    cr_expect_eq(g[EAX], 0x77777777);
    cr_expect_eq(g[EDI], 0x80808080);
    cr_expect_eq(g[ESP], RIG_STACK);

    rig_segment(r, SEG_SS, 0, RIG_STACK - 0x19, DOWN32); /* room for six doublewords */
    rig_put32(r, RIG_STACK - 4, 0x12345678);
    cr_expect_eq(RIG_RUN(r, 0x60), VEC_SS);
    cr_expect_eq(rig_get32(r, RIG_STACK - 4), 0x12345678, "PUSHA wrote before it faulted");
    cr_expect_eq(g[ESP], RIG_STACK);
    g[EBP] = RIG_STACK + 0x40;
    cr_expect_eq(RIG_RUN(r, 0xc8, 0x40, 0, 1), VEC_SS); /* enter 0x40, 1 */
    cr_expect_eq(rig_get32(r, RIG_STACK - 4), 0x12345678, "ENTER wrote before it faulted");
    cr_expect_eq(g[EBP], RIG_STACK + 0x40);

    rig_start(r);
    g[EBP] = RIG_STACK; /* its first source slot is the one that is pushed first */
    rig_put32(r, RIG_STACK - 8, 0x99);
    cr_expect_eq(RIG_RUN(r, 0xc8, 0x10, 0, 3), RIG_NO_FAULT); /* enter 0x10, 3 */
    cr_expect_eq(rig_get32(r, RIG_STACK - 4), RIG_STACK);
    cr_expect_eq(rig_get32(r, RIG_STACK - 8), RIG_STACK, "copied from the slot just pushed");
    cr_expect_eq(rig_get32(r, RIG_STACK - 12), RIG_STACK);
    cr_expect_eq(rig_get32(r, RIG_STACK - 16), RIG_STACK - 4, "the new frame");
    cr_expect_eq(g[EBP], RIG_STACK - 4);
    cr_expect_eq(g[ESP], RIG_STACK - 32);
    RIG_RUN(r, 0xc9);
    cr_expect_eq(g[EBP], RIG_STACK);
    cr_expect_eq(g[ESP], RIG_STACK);

    /* 16-bit operand, 32-bit stack: BP only, as CPUs do it. */
    g[EBP] = 0x12345678;
    RIG_RUN(r, 0x66, 0xc8, 0x10, 0, 0);
    cr_expect_eq(g[EBP], 0x12340000 | (RIG_STACK - 2));
    cr_expect_eq(g[ESP], RIG_STACK - 0x12);
}

Test(interp_cpu, rep_faults_and_stops)
{
    struct rig *r = rig_new();
    struct vcpu *v = &r->cpu;
    uint32_t *g = v->gpr, n;

    for (n = 0; n < 64; n++)
        r->vm.ram[0x4000 + n] = (uint8_t)(n + 1);
    rig_segment(r, SEG_ES, 0, 0x5004, 0x4093);
    g[ESI] = 0x4000;
    g[EDI] = 0x5000;
    g[ECX] = 10;
    cr_expect_eq(RIG_RUN(r, 0xf3, 0xa4), VEC_GP);
    cr_expect(g[ECX] == 5 && g[ESI] == 0x4005 && g[EDI] == 0x5005, "after a fault: ecx %u", g[ECX]);
    cr_expect_eq(r->vm.ram[0x5004], 5);
    cr_expect_eq(r->vm.ram[0x5005], 0);

    /* REPE CMPSB that faults shows the flags from before. */
    memcpy(r->vm.ram + 0x5000, r->vm.ram + 0x4000, 5);
    g[ESI] = 0x4000;
    g[EDI] = 0x5000;
    g[ECX] = 10;
    v->eflags = EFL_FIXED1 | EFL_CF | EFL_SF;
    cr_expect_eq(RIG_RUN(r, 0xf3, 0xa6), VEC_GP);
    cr_expect(g[ECX] == 5 && g[ESI] == 0x4005);
    cr_expect_eq(v->eflags, EFL_FIXED1 | EFL_CF | EFL_SF);

    rig_start(r);
    for (unsigned df = 0; df < 2; df++) { /* both by runs and step by step */
        unsigned stops = 0;
        g[ECX] = 100000;
        g[EDI] = df ? 0x40000 + 99999 : 0x40000;
        g[EAX] = 0x5a + df;
        v->eflags = EFL_FIXED1 | (df ? EFL_DF : 0);
        v->eip = RIG_EIP;
        do {
            v->attention = 0;
            cr_assert_eq(RIG_RUN(r, 0xf3, 0xaa), RIG_NO_FAULT);
            cr_assert(v->eip == RIG_EIP || g[ECX] == 0);
            stops++;
        } while (g[ECX]);
        /* some 250,000 elements by runs, 1,000 by steps: around 50 us */
        cr_expect(df ? stops > 90 && stops < 110 : stops == 1, "%u stops", stops);
        v->eflags &= ~EFL_RF;
        cr_expect_eq(v->eip, RIG_EIP + 2);
        cr_expect(r->vm.ram[0x40000] == 0x5a + df && r->vm.ram[0x40000 + 99999] == 0x5a + df &&
                  r->vm.ram[0x40000 + 100000] == 0);
        cr_expect_eq(g[EDI], df ? 0x3ffff : 0x40000 + 100000);
    }

    rig_start(r); /* a trap after each iteration */
    v->eflags |= EFL_TF;
    g[ECX] = 2;
    g[EDI] = 0x5000;
    RIG_RUN(r, 0xf3, 0xab);
    cr_expect(g[ECX] == 1 && v->eip == RIG_EIP && v->attention);
    RIG_RUN(r, 0xf3, 0xab);
    cr_expect(g[ECX] == 0 && v->eip == RIG_EIP + 2);

    rig_start(r); /* 16-bit addresses wrap, and only CX counts */
    g[ECX] = 0xffff0004;
    g[EDI] = 0x7777fffe;
    g[EAX] = 0x11;
    cr_expect_eq(RIG_RUN(r, 0x67, 0xf3, 0xaa), RIG_NO_FAULT);
    cr_expect(g[ECX] == 0xffff0000 && g[EDI] == 0x77770002);
    cr_expect(r->vm.ram[0xfffe] == 0x11 && r->vm.ram[0xffff] == 0x11 && r->vm.ram[1] == 0x11 &&
              r->vm.ram[2] != 0x11);
    g[ECX] = 0;
    g[EDI] = 0xffffffff;
    cr_expect_eq(RIG_RUN(r, 0xf3, 0xaa), RIG_NO_FAULT, "no iteration, no access");
}

Test(interp_cpu, branches)
{
    struct rig *r = rig_new();
    struct vcpu *v = &r->cpu;

    rig_segment(r, SEG_CS, 0, 0x1fff, 0x409b);
    cr_expect_eq(RIG_RUN(r, 0xe8, 0x00, 0x10, 0, 0), VEC_GP); /* call beyond the limit */
    cr_expect_eq(v->gpr[ESP], RIG_STACK);
    cr_expect_eq(RIG_RUN(r, 0x0f, 0x85, 0xfa, 0x0f, 0, 0), VEC_GP); /* jnz 0x2000 */
    v->eflags |= EFL_ZF;
    cr_expect_eq(RIG_RUN(r, 0x0f, 0x85, 0xfa, 0x0f, 0, 0), RIG_NO_FAULT);
    cr_expect_eq(v->eip, RIG_EIP + 6);
    RIG_RUN(r, 0xe8, 0xf5, 0xff, 0xff, 0xff); /* call eip - 6 */
    cr_expect_eq(v->eip, RIG_EIP);
    cr_expect_eq(rig_get32(r, RIG_STACK - 4), RIG_EIP + 11);
    RIG_RUN(r, 0xc2, 0x08, 0x00); /* ret 8 */
    cr_expect_eq(v->eip, RIG_EIP + 11);
    cr_expect_eq(v->gpr[ESP], RIG_STACK + 8);
    rig_put32(r, RIG_STACK + 8, 0x2000);
    cr_expect_eq(RIG_RUN(r, 0xc3), VEC_GP);
    cr_expect_eq(v->gpr[ESP], RIG_STACK + 8);

    v->eip = RIG_EIP;
    v->gpr[ECX] = 0x50001;
    RIG_RUN(r, 0x67, 0xe2, 0xfb); /* loop by CX */
    cr_expect(v->gpr[ECX] == 0x50000 && v->eip == RIG_EIP + 3);
    RIG_RUN(r, 0x67, 0xe3, 0xfa); /* jcxz */
    cr_expect_eq(v->eip, RIG_EIP);
    RIG_RUN(r, 0xe3, 0x10); /* jecxz: not taken */
    cr_expect_eq(v->eip, RIG_EIP + 2);
    v->gpr[ECX] = 5;
    cr_expect_eq(RIG_RUN(r, 0xe2, 0x7f), RIG_NO_FAULT);
    v->eip = 0x1f90;
    cr_expect_eq(RIG_RUN(r, 0xe2, 0x7f), VEC_GP);
    cr_expect_eq(v->gpr[ECX], 4, "a faulting LOOP does not count");

    rig_put32(r, 0x4000, (uint32_t)-5);
    rig_put32(r, 0x4004, 7);
    v->gpr[EAX] = (uint32_t)-5;
    cr_expect_eq(RIG_RUN(r, 0x62, 0x05, 0, 0x40, 0, 0), RIG_NO_FAULT);
    v->gpr[EAX] = 8;
    cr_expect_eq(RIG_RUN(r, 0x62, 0x05, 0, 0x40, 0, 0), VEC_BR);
    cr_expect_eq(RIG_RUN(r, 0x0f, 0x0b), VEC_UD);
}

static unsigned port_reads;

static uint32_t counting_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev, (void)off, (void)size, (void)now;
    return 0x01020300u + ++port_reads;
}
static void counting_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    (void)dev, (void)off, (void)size, (void)val, (void)now;
}
static const struct dev_ops counting = {.name = "counter",
                                        .min_size = 1,
                                        .max_size = 4,
                                        .read = counting_read,
                                        .write = counting_write};

Test(interp_cpu, ports)
{
    struct rig *r = rig_new();
    uint32_t *g = r->cpu.gpr;

    cr_assert_eq(bus_add(&r->vm.port, 0x60, 0x6f, &counting, NULL, 0), 0);
    cr_assert_eq(bus_add(&r->vm.port, 0xfffe, 0xffff, &counting, NULL, 0), 0);
    g[EAX] = 0xaaaaaaaa;
    RIG_RUN(r, 0xe4, 0x60);
    cr_expect_eq(g[EAX], 0xaaaaaa01);
    g[EDX] = 0x60;
    RIG_RUN(r, 0xed);
    cr_expect_eq(g[EAX], 0x01020302);
    g[EDX] = 0xfffe;
    RIG_RUN(r, 0xed); /* two ports exist */
    cr_expect_eq(g[EAX], 0xffff0403);

    g[EDX] = 0x60; /* INS into a segment that is too short reads nothing */
    g[EDI] = 0x5000;
    rig_segment(r, SEG_ES, 0, 0x4fff, 0x4093);
    port_reads = 0;
    cr_expect_eq(RIG_RUN(r, 0x6c), VEC_GP);
    cr_expect_eq(port_reads, 0);
    rig_segment(r, SEG_ES, 0, 0x5003, 0x4093);
    g[ECX] = 9;
    cr_expect_eq(RIG_RUN(r, 0xf3, 0x6c), VEC_GP);
    cr_expect_eq(port_reads, 4);
    cr_expect(g[ECX] == 5 && g[EDI] == 0x5004);
}

Test(interp_cpu, system)
{
    static const uint8_t privileged[][3] = {{0xf4},
                                            {0x0f, 0x06},
                                            {0x0f, 0x09},
                                            {0x0f, 0x08},
                                            {0x0f, 0x30},
                                            {0x0f, 0x32},
                                            {0x0f, 0x01, 0x10},
                                            {0x0f, 0x01, 0xf0},
                                            {0x0f, 0x20, 0xc0},
                                            {0x0f, 0x23, 0xc0}};
    static const uint8_t protected_only[][3] = {{0x0f, 0x00, 0xc0}, {0x0f, 0x00, 0xd0},
                                                {0x0f, 0x00, 0xe0}, {0x0f, 0x02, 0xc0},
                                                {0x0f, 0x03, 0xc0}, {0x63, 0xc0}};
    struct rig *r = rig_new();
    struct vcpu *v = &r->cpu;

    RIG_RUN(r, 0xf4);
    cr_expect(v->halted && v->attention);
    v->gdtr = (struct table_reg){.base = 0x12345678, .limit = 0xabcd};
    RIG_RUN(r, 0x66, 0x0f, 0x01, 0x05, 0, 0x40, 0, 0); /* sgdt, 16-bit: all of the base */
    cr_expect(rig_get32(r, 0x4000) == 0x5678abcd && (uint16_t)rig_get32(r, 0x4004) == 0x1234);
    RIG_RUN(r, 0x66, 0x0f, 0x01, 0x1d, 0, 0x40, 0, 0); /* lidt, 16-bit: 24 bits */
    cr_expect(v->idtr.base == 0x345678 && v->idtr.limit == 0xabcd);
    RIG_RUN(r, 0x0f, 0x01, 0xe0); /* smsw eax */
    cr_expect_eq(v->gpr[EAX], v->cr0);
    v->seg[SEG_FS].sel = 0x4321;
    v->gpr[EAX] = ~0u;
    RIG_RUN(r, 0x8c, 0xe0);
    cr_expect_eq(v->gpr[EAX], 0x4321);

    for (unsigned n = 0; n < ARRAY_LEN(privileged); n++) {
        v->cpl = 3;
        cr_expect_eq(rig_run(r, privileged[n], 3), VEC_GP, "row %u", n);
        cr_expect_eq(r->fault.error, 0);
    }
    v->cpl = 0;
    v->cr0 &= ~CR0_PE;
    for (unsigned n = 0; n < ARRAY_LEN(protected_only); n++)
        cr_expect_eq(rig_run(r, protected_only[n], 3), VEC_UD, "row %u", n);
    cr_expect_eq(RIG_RUN(r, 0x0f, 0x34), VEC_GP);
}
