/* SPDX-License-Identifier: MIT */
/*
 * forms_fpu.c - x87, MMX and SSE: whole opcode ranges, the undefined ones (#UD) included.
 *
 * Left out   Extensions that the host may have and the virtual CPU does not: SHA, GFNI, ADX,
 *            MOVDIR, XSAVE, CET, VEX, EVEX.
 */
#include "user.h"

/* Names of ModRM.reg 0-7 for D8-DF; memory, then register forms. */
static const char *const x87_memory[8] = {
    "fadd,fmul,fcom,fcomp,fsub,fsubr,fdiv,fdivr",
    "fld,ud,fst,fstp,fldenv,fldcw,fnstenv,fnstcw",
    "fiadd,fimul,ficom,ficomp,fisub,fisubr,fidiv,fidivr",
    "fild,fisttp,fist,fistp,ud,fld80,ud,fstp80",
    "fadd,fmul,fcom,fcomp,fsub,fsubr,fdiv,fdivr",
    "fld,fisttp,fst,fstp,frstor,ud,fnsave,fnstsw",
    "fiadd,fimul,ficom,ficomp,fisub,fisubr,fidiv,fidivr",
    "fild,fisttp,fist,fistp,fbld,fild64,fbstp,fistp64",
};
static const char *const x87_register[8] = {
    "fadd,fmul,fcom,fcomp,fsub,fsubr,fdiv,fdivr",
    "fld,fxch,fnop,fstp1,fchs_group,fld_const,f2xm1_group,fprem_group",
    "fcmovb,fcmove,fcmovbe,fcmovu,ud,fucompp,ud,ud",
    "fcmovnb,fcmovne,fcmovnbe,fcmovnu,fnclex_group,fucomi,fcomi,ud",
    "fadd,fmul,fcom2,fcomp3,fsubr,fsub,fdivr,fdiv",
    "ffree,fxch4,fst,fstp,fucom,fucomp,ud,ud",
    "faddp,fmulp,fcomp5,fcompp,fsubrp,fsubp,fdivrp,fdivp",
    "ffreep,fxch7,fstp8,fstp9,fnstsw_ax,fucomip,fcomip,ud",
};

static void name_part(char *to, const char *list, unsigned n)
{
    for (; n; list++)
        if (*list == ',')
            n--;
    while (*list && *list != ',')
        *to++ = *list++;
    *to = 0;
}

static char *hex2(char *to, uint32_t v)
{
    to[0] = "0123456789abcdef"[v >> 4 & 15];
    to[1] = "0123456789abcdef"[v & 15];
    to[2] = 0;
    return to + 2;
}

static uint32_t x87_flags(unsigned op, unsigned reg)
{
    uint32_t flags = F_FX;

    if ((op == 1 || op == 5) && (reg == 4 || reg == 6))
        flags |= F_V | F_PARTIAL | F_ALONE; /* environment and state: a 16-bit form too */
    if ((op == 1 || op == 5) && reg == 6)
        flags |= F_ENV;
    if ((op == 3 && reg >= 5) || (op == 7 && (reg == 6 || reg == 4))) /* ten bytes: two accesses */
        flags |= F_PARTIAL | F_ALONE;
    if (op == 1 && reg == 5) /* FLDCW: random sequences run with masked exceptions */
        flags |= F_ALONE;
    return flags;
}

static void x87_make(void)
{
    char spec[28] = "d8 /0m", name[20];

    for (unsigned op = 0; op < 8; op++)
        for (unsigned reg = 0; reg < 8; reg++) {
            hex2(spec, 0xd8 + op);
            spec[2] = ' ';
            spec[4] = (char)('0' + reg);
            spec[5] = 'm';
            name_part(name, x87_memory[op], reg);
            form_add(name, spec, x87_flags(op, reg));
            spec[5] = 'r';
            name_part(name, x87_register[op], reg);
            form_add(name, spec, F_FX);
        }
    /* Groups in which ModRM.rm chooses the operation: one form each. */
    for (uint32_t modrm = 0xe0; modrm < 0x100; modrm++) {
        memcpy(spec, "d9 ", 3);
        hex2(spec + 3, modrm);
        form_add("x87", spec, F_FX);
    }
    form_add("fwait", "9b", F_FX);
    form_add("fadd_fwait", "d8 /0m 9b", F_FX);
}

#define P_NONE 1u
#define P_66   2u
#define P_F3   4u
#define P_F2   8u
#define P_ALL  15u

/* One opcode under the mandatory prefixes of the set. */
static void simd(const char *map, uint32_t opcode, const char *rest, uint32_t set, uint32_t flags)
{
    static const char *const prefix[4] = {"", "66 ", "f3 ", "f2 "};

    for (unsigned p = 0; p < 4; p++) {
        char spec[28];
        unsigned n = 0;
        if (!(set >> p & 1))
            continue;
        bool partial =
            map[3] == 0 &&
            (opcode == 0xf7 || (p == 0 && (opcode == 0x7e || opcode == 0x7f || opcode == 0xe7)));
        for (const char *s = prefix[p]; *s; s++)
            spec[n++] = *s;
        for (const char *s = map; *s; s++)
            spec[n++] = *s;
        hex2(spec + n, opcode);
        n += 2;
        spec[n++] = ' ';
        memcpy(spec + n, rest, text_len(rest) + 1);
        form_add("simd", spec, flags | F_FX | F_ALIGN | (partial ? F_PARTIAL | F_ALONE : 0));
    }
}

static void simd_range(const char *map, uint32_t first, uint32_t last, const char *rest,
                       uint32_t set)
{
    for (uint32_t op = first; op <= last; op++)
        simd(map, op, rest, set, 0);
}

static void simd_shift_groups(void)
{
    for (uint32_t op = 0x71; op <= 0x73; op++)
        for (unsigned reg = 0; reg < 8; reg++) {
            char rest[8] = "/0r ib";
            rest[1] = (char)('0' + reg);
            simd("0f ", op, rest, P_NONE | P_66, 0);
        }
}

static void map_0f_make(void)
{
    simd_range("0f ", 0x10, 0x17, "/r", P_ALL);
    simd_range("0f ", 0x28, 0x2f, "/r", P_ALL);
    simd_range("0f ", 0x50, 0x6f, "/r", P_ALL);
    simd("0f ", 0x70, "/r ib", P_ALL, 0);
    simd_shift_groups();
    simd_range("0f ", 0x74, 0x76, "/r", P_ALL);
    form_add("emms", "0f 77", F_FX);
    simd_range("0f ", 0x7c, 0x7f, "/r", P_ALL);
    simd("0f ", 0xc2, "/r ib", P_ALL, 0);
    simd("0f ", 0xc4, "/r ib", P_NONE | P_66, 0);
    simd("0f ", 0xc5, "/r ib", P_NONE | P_66, 0);
    simd("0f ", 0xc6, "/r ib", P_NONE | P_66, 0);
    simd_range("0f ", 0xd0, 0xf6, "/r", P_ALL);
    simd("0f ", 0xf7, "/r", P_NONE | P_66, F_STR);
    simd_range("0f ", 0xf8, 0xfe, "/r", P_ALL);
    form_add("ldmxcsr", "0f ae /2m", F_FX);
    form_add("stmxcsr", "0f ae /3m", F_FX);
    form_add("fxsave", "0f ae /0m", F_FX | F_BIG | F_ENV | F_ALONE);
    form_add("fxrstor", "0f ae /1m", F_FX | F_BIG | F_ALONE);
}

static void map_0f38_make(void)
{
    simd_range("0f 38 ", 0x00, 0x0b, "/r", P_NONE | P_66);
    simd("0f 38 ", 0x10, "/r", P_66, 0);
    simd("0f 38 ", 0x14, "/r", P_66, 0);
    simd("0f 38 ", 0x15, "/r", P_66, 0);
    simd("0f 38 ", 0x17, "/r", P_66, 0);
    simd_range("0f 38 ", 0x1c, 0x1e, "/r", P_NONE | P_66);
    simd_range("0f 38 ", 0x20, 0x25, "/r", P_NONE | P_66);
    simd_range("0f 38 ", 0x28, 0x2b, "/r", P_NONE | P_66);
    simd_range("0f 38 ", 0x30, 0x35, "/r", P_66);
    simd_range("0f 38 ", 0x37, 0x41, "/r", P_NONE | P_66);
    simd_range("0f 38 ", 0xdb, 0xdf, "/r", P_66);
}

static void map_0f3a_make(void)
{
    simd_range("0f 3a ", 0x08, 0x0e, "/r ib", P_66);
    simd("0f 3a ", 0x0f, "/r ib", P_NONE | P_66, 0);
    simd_range("0f 3a ", 0x14, 0x17, "/r ib", P_66);
    simd_range("0f 3a ", 0x20, 0x22, "/r ib", P_66);
    simd_range("0f 3a ", 0x40, 0x42, "/r ib", P_66);
    simd("0f 3a ", 0x44, "/r ib", P_66, 0);
    simd_range("0f 3a ", 0x60, 0x63, "/r ib", P_66);
    simd("0f 3a ", 0xdf, "/r ib", P_66, 0);
}

void forms_fpu_make(void)
{
    x87_make();
    map_0f_make();
    map_0f38_make();
    map_0f3a_make();
}
