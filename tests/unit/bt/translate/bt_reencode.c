/* SPDX-License-Identifier: MIT */
/*
 * bt_reencode.c - the emitters of integer and stack instructions, one instruction at a time
 * (tests/rig/emit_bench.h): a table of them, random bytes, every addressing form.
 */
#include "tests/rig/emit_bench.h"

/* ---- tests ---- */

#define ROW(...)                                                                                   \
    {                                                                                              \
        {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                                      \
    }

/* What random bytes seldom meet, and all forms with code of their own. */
static const struct row {
    uint8_t bytes[15], len;
} rows[] = {
    ROW(0x88, 0x23),                               /* mov [ebx], ah */
    ROW(0x8a, 0x7b, 0x10),                         /* mov bh, [ebx+16] */
    ROW(0x02, 0x24, 0x24),                         /* add ah, [esp] */
    ROW(0x3a, 0x2c, 0x24),                         /* cmp ch, [esp] */
    ROW(0x86, 0x33),                               /* xchg [ebx], dh */
    ROW(0xf0, 0x0f, 0xc0, 0x33),                   /* lock xadd [ebx], dh */
    ROW(0x0f, 0xb0, 0x23),                         /* cmpxchg [ebx], ah */
    ROW(0x0f, 0xb6, 0xe4),                         /* movzx esp, ah */
    ROW(0x0f, 0xbe, 0xe7),                         /* movsx esp, bh */
    ROW(0xf2, 0x0f, 0x38, 0xf0, 0xe5),             /* crc32 esp, ch */
    ROW(0x66, 0x0f, 0xb6, 0xe6),                   /* movzx sp, dh */
    ROW(0x0f, 0x94, 0xc4),                         /* sete ah */
    ROW(0x0f, 0x94, 0xe4),                         /* sete ah, with a ModRM.reg that says nothing */
    ROW(0xd3, 0xe4),                               /* shl esp, cl */
    ROW(0xd3, 0xe3),                               /* shl ebx, cl */
    ROW(0xf7, 0xe4),                               /* mul esp */
    ROW(0x0f, 0xa5, 0xe3),                         /* shld ebx, esp, cl */
    ROW(0x0f, 0xa4, 0xdc, 0x07),                   /* shld esp, ebx, 7 */
    ROW(0x69, 0xe3, 0x44, 0x33, 0x22, 0x11),       /* imul esp, ebx, imm32 */
    ROW(0x6b, 0xdc, 0x85),                         /* imul ebx, esp, -123 */
    ROW(0x0f, 0xcc),                               /* bswap esp */
    ROW(0x94),                                     /* xchg esp, eax */
    ROW(0x44),                                     /* inc esp */
    ROW(0x4c),                                     /* dec esp */
    ROW(0x66, 0x4b),                               /* dec bx */
    ROW(0xbc, 0x78, 0x56, 0x34, 0x12),             /* mov esp, imm32 */
    ROW(0x66, 0xbc, 0x34, 0x12),                   /* mov sp, imm16 */
    ROW(0x89, 0xe5),                               /* mov ebp, esp */
    ROW(0x89, 0xec),                               /* mov esp, ebp */
    ROW(0x8b, 0xe4),                               /* mov esp, esp */
    ROW(0x8b, 0x64, 0x24, 0x08),                   /* mov esp, [esp+8] */
    ROW(0x89, 0x64, 0x24, 0x08),                   /* mov [esp+8], esp */
    ROW(0xa1, 0x00, 0x20, 0x00, 0x00),             /* mov eax, [2000h] */
    ROW(0x66, 0xa3, 0x00, 0x20, 0x00, 0x00),       /* mov [2000h], ax */
    ROW(0xa2, 0x00, 0x20, 0x00, 0x00),             /* mov [2000h], al */
    ROW(0x64, 0xa0, 0x00, 0x20, 0x00, 0x00),       /* mov al, fs:[2000h] */
    ROW(0x67, 0xa1, 0x00, 0x20),                   /* mov eax, [2000h], 16-bit address */
    ROW(0x8d, 0x64, 0x24, 0x10),                   /* lea esp, [esp+16] */
    ROW(0x8d, 0xa4, 0x24, 0x00, 0xf0, 0xff, 0xff), /* lea esp, [esp-4096] */
    ROW(0x8d, 0x36),                               /* lea esi, [esi] */
    ROW(0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00), /* lea esi, [esi+0], long form */
    ROW(0x8d, 0x24, 0x24),                         /* lea esp, [esp] */
    ROW(0x8d, 0x34, 0x36),                         /* lea esi, [esi+esi] */
    ROW(0x66, 0x8d, 0x36),                         /* lea si, [esi] */
    ROW(0x8d, 0x65, 0xf4),                         /* lea esp, [ebp-12] */
    ROW(0x8d, 0x24, 0x9c),                         /* lea esp, [esp+ebx*4] */
    ROW(0x8d, 0x04, 0xdd, 0x01, 0x00, 0x00, 0x80), /* lea eax, [ebx*8+80000001h] */
    ROW(0x66, 0x8d, 0x64, 0x24, 0x10),             /* lea sp, [esp+16] */
    ROW(0x67, 0x8d, 0x40, 0x10),                   /* lea eax, [bx+si+16] */
    ROW(0x67, 0x8b, 0x46, 0x10),                   /* mov eax, [bp+16] */
    ROW(0x83, 0xec, 0x1c),                         /* sub esp, 28 */
    ROW(0x83, 0xe4, 0xf0),                         /* and esp, -16 */
    ROW(0x82, 0xc4, 0x7f),                         /* add ah, 7fh: the alias of 80 */
    ROW(0x82, 0x03, 0x7f),                         /* add byte [ebx], 7fh */
    ROW(0xf3, 0x0f, 0xbc, 0xc3),                   /* bsf, not tzcnt */
    ROW(0xf3, 0x0f, 0xbd, 0xc3),                   /* bsr, not lzcnt */
    ROW(0xf3, 0x0f, 0xb8, 0xe3),                   /* popcnt esp, ebx */
    ROW(0x66, 0x0f, 0x38, 0xf0, 0x03),             /* movbe ax, [ebx] */
    ROW(0x0f, 0x38, 0xf1, 0x24, 0x24),             /* movbe [esp], esp */
    ROW(0x0f, 0xc7, 0x0b),                         /* cmpxchg8b [ebx] */
    ROW(0xf0, 0x0f, 0xc7, 0x0c, 0x24),             /* lock cmpxchg8b [esp] */
    ROW(0x0f, 0xab, 0x03),                         /* bts [ebx], eax */
    ROW(0xf0, 0x0f, 0xb3, 0x0c, 0x24),             /* lock btr [esp], ecx */
    ROW(0x64, 0x0f, 0xa3, 0x13),                   /* bt fs:[ebx], edx */
    ROW(0x66, 0x0f, 0xbb, 0x13),                   /* btc [ebx], dx */
    ROW(0x0f, 0xba, 0x3b, 0xff),                   /* btc dword [ebx], 255 */
    ROW(0x0f, 0xbb, 0xe3),                         /* btc ebx, esp */
    ROW(0xd7),                                     /* xlat */
    ROW(0x67, 0xd7),                               /* xlat [bx] */
    ROW(0x64, 0xd7),                               /* xlat fs: */
    ROW(0xd6),                                     /* salc */
    ROW(0x9e),                                     /* sahf */
    ROW(0x9f),                                     /* lahf */
    ROW(0x90),                                     /* nop */
    ROW(0xf3, 0x90),                               /* pause */
    ROW(0x0f, 0x1f, 0x44, 0x00, 0x00),             /* nop [eax+eax] */
    ROW(0x0f, 0xae, 0xe8),                         /* lfence */
    ROW(0x0f, 0xae, 0xf0),                         /* mfence */
    ROW(0x0f, 0xae, 0xf8),                         /* sfence */
    ROW(0x0f, 0xc3, 0x23),                         /* movnti [ebx], esp */
    ROW(0x50),                                     /* push eax */
    ROW(0x54),                                     /* push esp */
    ROW(0x66, 0x54),                               /* push sp */
    ROW(0x66, 0x53),                               /* push bx */
    ROW(0x6a, 0x80),                               /* push -128 */
    ROW(0x66, 0x6a, 0x80),                         /* push word -128 */
    ROW(0x68, 0x78, 0x56, 0x34, 0x12),             /* push imm32 */
    ROW(0x66, 0x68, 0x34, 0x12),                   /* push imm16 */
    ROW(0xff, 0x33),                               /* push [ebx] */
    ROW(0xff, 0x74, 0x24, 0x08),                   /* push [esp+8] */
    ROW(0x66, 0xff, 0x33),                         /* push word [ebx] */
    ROW(0x64, 0xff, 0x33),                         /* push fs:[ebx] */
    ROW(0xff, 0xf4),                               /* push esp, long form */
    ROW(0x58),                                     /* pop eax */
    ROW(0x5c),                                     /* pop esp */
    ROW(0x66, 0x5c),                               /* pop sp */
    ROW(0x66, 0x5b),                               /* pop bx */
    ROW(0x8f, 0x03),                               /* pop [ebx] */
    ROW(0x8f, 0x44, 0x24, 0x08),                   /* pop [esp+8] */
    ROW(0x66, 0x8f, 0x04, 0x24),                   /* pop word [esp] */
    ROW(0x8f, 0xc4),                               /* pop esp, long form */
    ROW(0x60),                                     /* pusha */
    ROW(0x61),                                     /* popa */
    ROW(0xc9),                                     /* leave */
    ROW(0xc8, 0x10, 0x00, 0x00),                   /* enter 16, 0 */
    ROW(0xc8, 0x00, 0x08, 0x00),                   /* enter 2048, 0 */
    ROW(0xc8, 0x00, 0x00, 0x00),                   /* enter 0, 0 */
    ROW(0xc8, 0x10, 0x00, 0x03),                   /* enter 16, 3 */
    ROW(0x8b, 0x80, 0x00, 0x00, 0x00, 0xc0),       /* mov eax, [eax-40000000h] */
    ROW(0xf7, 0x33),                               /* div [ebx] */
    ROW(0xf6, 0xfc),                               /* idiv ah */
};

Test(bt_reencode, table)
{
    struct bench *b = bench_new();

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        for (unsigned k = 0; k < 40; k++)
            check_bytes(b, rows[n].bytes, rows[n].len);
    cr_expect(b->ran > 10 * b->missed && b->callouts * 10 < b->ran,
              "%u ran, %u missed, %u callouts", b->ran, b->missed, b->callouts);
}

static bool is_ours(unsigned op)
{
    bt_emit_fn *const ours[] = {t_reencode,    t_mov,   t_lea,     t_incdec, t_bit,   t_bswap,
                                t_xlat,        t_salc,  t_push,    t_pop,    t_pusha, t_popa,
                                t_leave_frame, t_enter, t_nothing, t_movbe};

    for (unsigned n = 0; n < ARRAY_LEN(ours); n++)
        if (bt_emitter(op) == ours[n])
            return true;
    return false;
}

/* Random bytes that decode as one of our instructions; its displacement leads into memory. */
static bool insn_random(struct bench *b)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0x64, 0x2e, 0xf0, 0xf3, 0xf2};
    uint8_t bytes[15];
    unsigned n = 0;

    if (rnd(b) % 3 == 0)
        bytes[n++] = prefixes[rnd(b) % ARRAY_LEN(prefixes)];
    if (rnd(b) % 3 == 0)
        bytes[n++] = 0x0f;
    while (n < sizeof bytes)
        bytes[n++] = (uint8_t)(rnd(b) >> 11);
    if (!rig_decode(b->rig, bytes, sizeof bytes))
        return false;
    const struct insn *i = &b->rig->insn;
    if (i->disp_len == 4) {
        uint32_t disp = 0x1000 + (rnd(b) & 0xfff);
        if (i->base != INSN_NO_REG && i->base != ESP && i->base != i->index && !is_bit_string(i) &&
            rnd(b) & 1)
            disp = 0xc0000000 | (rnd(b) & 0xfff);
        memcpy(bytes + i->off_disp, &disp, 4);
    } else if (i->disp_len == 2) {
        uint16_t disp = (uint16_t)(0x1000 + (rnd(b) & 0xfff));
        memcpy(bytes + i->off_disp, &disp, 2);
    }
    if (!is_ours(i->op))
        return false;
    return rig_decode(b->rig, bytes, sizeof bytes);
}

/* The results are undefined: 16-bit double shifts by more than 16, BSWAP of 16 bits. ENTER with
 * much space leaves the tested memory. */
static bool is_undefined(const struct insn *i)
{
    return ((i->op == OP_shld || i->op == OP_shrd || i->op == OP_bswap) && i->opsize == 2) ||
           i->op == OP_enter;
}

Test(bt_reencode, random_bytes)
{
    struct bench *b = bench_new();
    unsigned count = 0;

    while (count < 5000) {
        if (!insn_random(b) || is_undefined(&b->rig->insn))
            continue;
        state_random(b);
        check_all_forms(b);
        count++;
    }
    cr_expect(b->ran > 10 * b->missed && b->callouts * 10 < b->ran,
              "%u ran, %u missed, %u callouts", b->ran, b->missed, b->callouts);
}

/* Has the operand a gs: form in a window that is at the GS base? */
static bool wants_gs(const struct insn *i)
{
    const int32_t small = 1 << 20;

    if ((i->base != INSN_NO_REG || i->index != INSN_NO_REG) && !i->scale &&
        i->operand[0].kind == OPK_GPR)
        return false;
    if (i->index != INSN_NO_REG)
        return true;
    return i->base != INSN_NO_REG ? i->disp < -small || i->disp > small : i->disp < 0;
}

/* ModRM and SIB; the displacement makes of the registers an address in memory, mostly by wrapping
 * around. */
static void check_form(struct bench *b, uint8_t opcode, unsigned modrm, unsigned sib)
{
    uint8_t bytes[15] = {opcode, (uint8_t)modrm, (uint8_t)sib};
    uint32_t sum = 0;

    memset(b->start_gpr, 0, sizeof b->start_gpr);
    cr_assert(rig_decode(b->rig, bytes, sizeof bytes));
    const struct insn *i = &b->rig->insn;
    state_random(b);
    for (unsigned n = 0; n < 8; n++)
        b->start_gpr[n] = rnd(b);
    if (i->base != INSN_NO_REG)
        sum += b->start_gpr[i->base];
    if (i->index != INSN_NO_REG)
        sum += b->start_gpr[i->index] << i->scale;
    uint32_t want = 0x2000 + (rnd(b) & 0xfff), disp = want - sum;
    if (i->disp_len == 4)
        memcpy(bytes + i->off_disp, &disp, 4);
    else if (i->base != INSN_NO_REG && i->base != i->index)
        b->start_gpr[i->base] += disp - (uint32_t)i->disp;
    else if (i->index != INSN_NO_REG)
        return; /* cannot be aimed */
    cr_assert(rig_decode(b->rig, bytes, sizeof bytes));
    unsigned before = b->gs;
    check_all_forms(b);
    cr_expect((b->gs != before) == (has_gs() && wants_gs(i)), "%s: %u gs operands", text_of(b),
              b->gs - before);
}

Test(bt_reencode, addressing_forms)
{
    static const uint8_t opcodes[] = {0x8b, 0x01, 0x00, 0x2a}; /* mov r,m; add m,r; bytes */
    struct bench *b = bench_new();

    for (unsigned modrm = 0; modrm < 0xc0; modrm++)
        for (unsigned sib = 0; sib < ((modrm & 7) == 4 ? 256 : 1); sib++)
            check_form(b, opcodes[rnd(b) % ARRAY_LEN(opcodes)], modrm, sib);
    cr_expect(b->ran > 10 * b->missed && !b->callouts, "%u ran, %u missed, %u callouts", b->ran,
              b->missed, b->callouts);
    cr_expect(!has_gs() || b->gs > 1500, "%u gs operands", b->gs);
}
