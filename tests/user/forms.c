/* SPDX-License-Identifier: MIT */
/*
 * forms.c - the integer instructions, as the SDM writes them. forms_fpu.c has the rest.
 *
 * Left out   What the kernel shows through: CPUID, RDTSC, RDPMC, SGDT SIDT SLDT SMSW STR (Linux
 *            answers for UMIP), INT 80, SYSENTER, SYSCALL. LZCNT and TZCNT, which the default CPU
 *            model does not have. Far transfers: tests/guest.
 */
#include "user.h"

struct form forms[FORMS_MAX];
unsigned form_count;

static void one(const char *prefix, const char *mnemonic, const char *spec, uint32_t flags)
{
    struct form *f = &forms[form_count++];
    unsigned n = 0;

    for (; *prefix; prefix++)
        f->name[n++] = *prefix;
    for (; *mnemonic; mnemonic++)
        f->name[n++] = *mnemonic;
    f->name[n++] = ':';
    for (const char *s = spec; *s && n + 1 < sizeof f->name; s++)
        f->name[n++] = *s == ' ' ? '.' : *s;
    memcpy(f->spec, spec, text_len(spec) + 1);
    f->flags = flags;
}

void form_add(const char *mnemonic, const char *spec, uint32_t flags)
{
    one("", mnemonic, spec, flags);
    if (flags & F_V)
        one("~", mnemonic, spec, flags);
}

struct row {
    const char *mnemonic, *spec;
    uint32_t flags;
};

#define PRIV F_ALONE
static const struct row rows[] = {
    {"inc", "40 +r", F_V},
    {"dec", "48 +r", F_V},
    {"inc", "fe /0", F_LOCK},
    {"dec", "fe /1", F_LOCK},
    {"inc", "ff /0", F_V | F_LOCK},
    {"dec", "ff /1", F_V | F_LOCK},
    {"test", "f6 /0 ib", 0},
    {"test", "f6 /1 ib", 0},
    {"not", "f6 /2", F_LOCK},
    {"neg", "f6 /3", F_LOCK},
    {"mul", "f6 /4", 0},
    {"imul", "f6 /5", 0},
    {"div", "f6 /6", F_DIV},
    {"idiv", "f6 /7", F_DIV},
    {"test", "f7 /0 iz", F_V},
    {"test", "f7 /1 iz", F_V},
    {"not", "f7 /2", F_V | F_LOCK},
    {"neg", "f7 /3", F_V | F_LOCK},
    {"mul", "f7 /4", F_V},
    {"imul", "f7 /5", F_V},
    {"div", "f7 /6", F_V | F_DIV},
    {"idiv", "f7 /7", F_V | F_DIV},
    {"imul", "69 /r iz", F_V},
    {"imul", "6b /r ib", F_V},
    {"imul", "0f af /r", F_V},
    {"test", "84 /r", 0},
    {"test", "85 /r", F_V},
    {"test", "a8 ib", 0},
    {"test", "a9 iz", F_V},
    {"xchg", "86 /r", F_LOCK},
    {"xchg", "87 /r", F_V | F_LOCK},
    {"xchg", "90 +r", F_V},
    {"mov", "88 /r", 0},
    {"mov", "89 /r", F_V},
    {"mov", "8a /r", 0},
    {"mov", "8b /r", F_V},
    {"mov", "a0 mo", 0},
    {"mov", "a1 mo", F_V},
    {"mov", "a2 mo", 0},
    {"mov", "a3 mo", F_V},
    {"mov", "b0 +r ib", 0},
    {"mov", "b8 +r iz", F_V},
    {"mov", "c6 /0 ib", 0},
    {"mov", "c7 /0 iz", F_V},
    {"lea", "8d /r", F_V},
    {"lea", "8d /rm", F_V},
    {"movzx", "0f b6 /r", F_V},
    {"movzx", "0f b7 /r", F_V},
    {"movsx", "0f be /r", F_V},
    {"movsx", "0f bf /r", F_V},
    {"movbe", "0f 38 f0 /rm", F_V},
    {"movbe", "0f 38 f1 /rm", F_V},
    {"movnti", "0f c3 /r", 0},
    {"crc32", "f2 0f 38 f0 /r", 0},
    {"crc32", "f2 0f 38 f1 /r", F_V},
    {"popcnt", "f3 0f b8 /r", F_V},
    {"cbw", "98", F_V},
    {"cwd", "99", F_V},
    {"lahf", "9f", 0},
    {"sahf", "9e", 0},
    {"salc", "d6", 0},
    {"xlat", "d7", F_XLAT},
    {"cmc", "f5", 0},
    {"clc", "f8", 0},
    {"stc", "f9", 0},
    {"cld", "fc", 0},
    {"std", "fd", 0},
    {"daa", "27", 0},
    {"das", "2f", 0},
    {"aaa", "37", 0},
    {"aas", "3f", 0},
    {"aam", "d4 ib", 0},
    {"aad", "d5 ib", 0},
    {"bt", "0f a3 /r", F_V | F_BT},
    {"bts", "0f ab /r", F_V | F_BT | F_LOCK},
    {"btr", "0f b3 /r", F_V | F_BT | F_LOCK},
    {"btc", "0f bb /r", F_V | F_BT | F_LOCK},
    {"bt", "0f ba /4 ib", F_V},
    {"bts", "0f ba /5 ib", F_V | F_LOCK},
    {"btr", "0f ba /6 ib", F_V | F_LOCK},
    {"btc", "0f ba /7 ib", F_V | F_LOCK},
    {"ud", "0f ba /3 ib", PRIV},
    {"bsf", "0f bc /r", F_V},
    {"bsr", "0f bd /r", F_V},
    {"shld", "0f a4 /r ib", F_V | F_SHIFT},
    {"shld", "0f a5 /r", F_V | F_SHIFT},
    {"shrd", "0f ac /r ib", F_V | F_SHIFT},
    {"shrd", "0f ad /r", F_V | F_SHIFT},
    {"bswap", "0f c8 +r", F_V},
    {"cmpxchg", "0f b0 /r", F_LOCK},
    {"cmpxchg", "0f b1 /r", F_V | F_LOCK},
    {"xadd", "0f c0 /r", F_LOCK},
    {"xadd", "0f c1 /r", F_V | F_LOCK},
    {"cmpxchg8b", "0f c7 /1m", F_LOCK},
    {"cmpxchg8b", "0f c7 /1r", PRIV},
    {"nop", "0f 1f /0", F_V},
    {"nop", "0f 0d /1m", 0},
    {"prefetch", "0f 18 /r", 0},
    {"pause", "f3 90", 0},
    {"endbr", "f3 0f 1e fb", 0},
    {"lfence", "0f ae e8", 0},
    {"mfence", "0f ae f0", 0},
    {"sfence", "0f ae f8", 0},
    {"clflush", "0f ae /7m", 0},
    /* strings */
    {"movsb", "a4", F_STR | F_REP},
    {"movs", "a5", F_V | F_STR | F_REP},
    {"cmpsb", "a6", F_STR | F_REP},
    {"cmps", "a7", F_V | F_STR | F_REP},
    {"stosb", "aa", F_STR | F_REP},
    {"stos", "ab", F_V | F_STR | F_REP},
    {"lodsb", "ac", F_STR | F_REP},
    {"lods", "ad", F_V | F_STR | F_REP},
    {"scasb", "ae", F_STR | F_REP},
    {"scas", "af", F_V | F_STR | F_REP},
    /* stack */
    {"push", "50 +r", F_V | F_STACK},
    {"pop", "58 +r", F_V | F_STACK},
    {"pusha", "60", F_V | F_STACK | F_PARTIAL | F_ALONE},
    {"popa", "61", F_V | F_STACK | F_PARTIAL | F_ALONE},
    {"push", "68 iz", F_V | F_STACK},
    {"push", "6a ib", F_V | F_STACK},
    {"push", "ff /6", F_V | F_STACK},
    {"pop", "8f /0", F_V | F_STACK},
    {"pushf", "9c", F_V | F_STACK},
    {"popf", "9d", F_V | F_STACK},
    {"enter", "c8 iw ib", F_V | F_STACK | F_PARTIAL | F_ALONE},
    {"leave", "c9", F_V | F_STACK},
    {"push", "06", F_V | F_STACK},
    {"push", "0e", F_V | F_STACK},
    {"push", "16", F_V | F_STACK},
    {"push", "1e", F_V | F_STACK},
    {"push", "0f a0", F_V | F_STACK},
    {"push", "0f a8", F_V | F_STACK},
    {"pop", "07", F_V | F_STACK | F_SEL | F_RET | F_ALONE},
    {"pop", "1f", F_V | F_STACK | F_SEL | F_RET | F_ALONE},
    {"pop", "17", F_V | F_STACK | F_SEL | F_RET | F_SS | F_ALONE},
    {"pop", "0f a1", F_V | F_STACK | F_SEL | F_RET | F_ALONE},
    {"pop", "0f a9", F_V | F_STACK | F_SEL | F_RET | F_ALONE},
    /* segments */
    {"mov", "8c /r", F_V},
    {"mov", "8e /0", F_V | F_SEL | F_ALONE},
    {"mov", "8e /1", F_V | F_SEL | F_ALONE},
    {"mov", "8e /2", F_V | F_SEL | F_SS | F_ALONE},
    {"mov", "8e /3", F_V | F_SEL | F_ALONE},
    {"mov", "8e /4", F_V | F_SEL | F_ALONE},
    {"mov", "8e /5", F_V | F_SEL | F_ALONE},
    {"mov", "8e /6", F_V | F_SEL | F_ALONE},
    {"les", "c4 /rm", F_V | F_FAR | F_ALONE},
    {"lds", "c5 /rm", F_V | F_FAR | F_ALONE},
    {"lss", "0f b2 /rm", F_V | F_FAR | F_SS | F_ALONE},
    {"lfs", "0f b4 /rm", F_V | F_FAR | F_ALONE},
    {"lgs", "0f b5 /rm", F_V | F_FAR | F_ALONE},
    {"lar", "0f 02 /r", F_V | F_SEL | F_ALONE},
    {"lsl", "0f 03 /r", F_V | F_SEL | F_ALONE},
    {"verr", "0f 00 /4", F_SEL | F_ALONE},
    {"verw", "0f 00 /5", F_SEL | F_ALONE},
    {"arpl", "63 /r", 0},
    {"bound", "62 /rm", F_V},
    /* control */
    {"call", "e8 jz", F_V | F_STACK | F_ALONE},
    {"jmp", "e9 jz", F_V | F_ALONE},
    {"jmp", "eb jb", F_V | F_ALONE},
    {"call", "ff /2", F_V | F_STACK | F_BR | F_ALONE},
    {"jmp", "ff /4", F_V | F_BR | F_ALONE},
    {"ret", "c2 iw", F_V | F_STACK | F_RET | F_ALONE},
    {"ret", "c3", F_V | F_STACK | F_RET | F_ALONE},
    {"loopne", "e0 jb", F_V | F_LOOP | F_ALONE},
    {"loope", "e1 jb", F_V | F_LOOP | F_ALONE},
    {"loop", "e2 jb", F_V | F_LOOP | F_ALONE},
    {"jcxz", "e3 jb", F_V | F_LOOP | F_ALONE},
    {"loopne.a16", "67 e0 jb", F_LOOP | F_ALONE},
    {"loope.a16", "67 e1 jb", F_LOOP | F_ALONE},
    {"loop.a16", "67 e2 jb", F_LOOP | F_ALONE},
    {"jcxz.a16", "67 e3 jb", F_LOOP | F_ALONE},
    {"int3", "cc", F_ALONE},
    {"int1", "f1", F_ALONE},
    {"into", "ce", F_ALONE},
    {"int", "cd 03", F_ALONE},
    {"int", "cd 04", F_ALONE},
    {"int", "cd 0d", F_ALONE},
    {"int", "cd 81", F_ALONE},
    {"ud0", "0f ff /r", F_ALONE},
    {"ud1", "0f b9 /r", F_ALONE},
    {"ud2", "0f 0b", F_ALONE},
    /* privileged: #GP(0) */
    {"cli", "fa", PRIV},
    {"sti", "fb", PRIV},
    {"hlt", "f4", PRIV},
    {"in", "e4 ib", PRIV},
    {"in", "e5 ib", PRIV | F_V},
    {"out", "e6 ib", PRIV},
    {"out", "e7 ib", PRIV | F_V},
    {"in", "ec", PRIV},
    {"in", "ed", PRIV | F_V},
    {"out", "ee", PRIV},
    {"out", "ef", PRIV | F_V},
    {"insb", "6c", PRIV | F_STR},
    {"ins", "6d", PRIV | F_V | F_STR},
    {"outsb", "6e", PRIV | F_STR},
    {"outs", "6f", PRIV | F_V | F_STR},
    {"mov_cr", "0f 20 /rr", PRIV},
    {"mov_dr", "0f 21 /rr", PRIV},
    {"mov_cr", "0f 22 /rr", PRIV},
    {"mov_dr", "0f 23 /rr", PRIV},
    {"lldt", "0f 00 /2", PRIV},
    {"ltr", "0f 00 /3", PRIV},
    {"lgdt", "0f 01 /2m", PRIV},
    {"lidt", "0f 01 /3m", PRIV},
    {"lmsw", "0f 01 /6", PRIV},
    {"invlpg", "0f 01 /7m", PRIV},
    {"clts", "0f 06", PRIV},
    {"invd", "0f 08", PRIV},
    {"wbinvd", "0f 09", PRIV},
    {"wrmsr", "0f 30", PRIV},
    {"rdmsr", "0f 32", PRIV},
    {"sysexit", "0f 35", PRIV},
};

/* "80 /3 ib" with another digit and opcode. */
static char *spec_text(char *to, uint32_t opcode, const char *rest)
{
    to[0] = "0123456789abcdef"[opcode >> 4 & 15];
    to[1] = "0123456789abcdef"[opcode & 15];
    to[2] = ' ';
    memcpy(to + 3, rest, text_len(rest) + 1);
    return to;
}

static void group(const char *const names[8], uint32_t opcode, const char *imm, uint32_t flags)
{
    char spec[28], rest[12] = "/0 ";

    memcpy(rest + 3, imm, text_len(imm) + 1);
    for (unsigned n = 0; n < 8; n++) {
        rest[1] = (char)('0' + n);
        form_add(names[n], spec_text(spec, opcode, rest), flags);
    }
}

static void alu_make(void)
{
    static const char *const names[8] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
    char spec[28];

    for (unsigned n = 0; n < 8; n++) {
        form_add(names[n], spec_text(spec, 8 * n, "/r"), F_LOCK);
        form_add(names[n], spec_text(spec, 8 * n + 1, "/r"), F_V | F_LOCK);
        form_add(names[n], spec_text(spec, 8 * n + 2, "/r"), F_LOCK);
        form_add(names[n], spec_text(spec, 8 * n + 3, "/r"), F_V | F_LOCK);
        form_add(names[n], spec_text(spec, 8 * n + 4, "ib"), 0);
        form_add(names[n], spec_text(spec, 8 * n + 5, "iz"), F_V);
    }
    group(names, 0x80, "ib", F_LOCK);
    group(names, 0x81, "iz", F_V | F_LOCK);
    group(names, 0x82, "ib", F_LOCK);
    group(names, 0x83, "ib", F_V | F_LOCK);
}

static void shifts_make(void)
{
    static const char *const names[8] = {"rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"};

    group(names, 0xc0, "ib", F_SHIFT);
    group(names, 0xc1, "ib", F_V | F_SHIFT);
    group(names, 0xd0, "", 0);
    group(names, 0xd1, "", F_V);
    group(names, 0xd2, "", F_SHIFT);
    group(names, 0xd3, "", F_V | F_SHIFT);
}

static void conditions_make(void)
{
    static const char *const cc[16] = {"o", "no", "b",  "ae", "e", "ne", "be", "a",
                                       "s", "ns", "pe", "po", "l", "ge", "le", "g"};
    char spec[28], name[8], text[12];

    for (unsigned n = 0; n < 16; n++) {
        memcpy(name, "j", 1);
        memcpy(name + 1, cc[n], text_len(cc[n]) + 1);
        form_add(name, spec_text(spec, 0x70 + n, "jb"), F_V | F_ALONE);
        memcpy(text, "0f ", 3);
        form_add(name, (spec_text(text + 3, 0x80 + n, "jz"), text), F_V | F_ALONE);
        memcpy(name, "set", 3);
        memcpy(name + 3, cc[n], text_len(cc[n]) + 1);
        form_add(name, (spec_text(text + 3, 0x90 + n, "/r"), text), 0);
        memcpy(name, "cmov", 4);
        memcpy(name + 4, cc[n], text_len(cc[n]) + 1);
        form_add(name, (spec_text(text + 3, 0x40 + n, "/r"), text), F_V);
    }
}

void forms_make(void)
{
    alu_make();
    shifts_make();
    conditions_make();
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        form_add(rows[i].mnemonic, rows[i].spec, rows[i].flags);
}
