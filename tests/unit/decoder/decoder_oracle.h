/* SPDX-License-Identifier: MIT */
/*
 * decoder_oracle.h - asks Zydis and Capstone for a second opinion; looks up excused disagreements.
 *
 * Promises   oracle_check() answers NULL when decoder, Zydis and Capstone agree or differ as
 *            decoder_known.def says, and otherwise one sentence that names the bytes.
 *
 * Not here   Producing the bytes: decoder_table.c, decoder_random.c.
 */
#ifndef RING1_TESTS_UNIT_DECODER_ORACLE_H
#define RING1_TESTS_UNIT_DECODER_ORACLE_H

#include <Zydis/Zydis.h>
#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "decoder/insn.h"

enum library { ZYDIS, CAPSTONE };
enum fault { ACCEPTS, REJECTS, LENGTH, NAME };
enum condition { ALWAYS, LOCK, SELECT, SELECT2, APART };

struct known {
    enum library library;
    enum fault fault;
    unsigned map, first, last;
    enum condition condition;
};

struct oracle {
    struct decoder decoder;
    ZydisDecoder zydis[2]; /* [code32] */
    csh capstone[2];
    cs_insn *cs;
    unsigned known_hits[128];
    char text[256];
};

/* What a byte string looks like before its operands; read independently of the decoder. */
struct shape {
    unsigned map, opcode, prefixes;
    bool lock, p66, rep;
};

#define KNOWN(library, fault, map, first, last, condition, reason)                                 \
    {library, fault, map, first, last, condition},
#define ALIAS(op, names)
#define NAMELESS(op)
#define ALLOW(set)
static const struct known oracle_known[] = {
#include "tests/unit/decoder/decoder_known.def"
};
#undef KNOWN
#undef ALIAS
#undef NAMELESS
#undef ALLOW

static inline void oracle_init(struct oracle *o)
{
    memset(o, 0, sizeof *o);
    decoder_init(&o->decoder, ISA_EVERY);
    for (unsigned wide = 0; wide < 2; wide++) {
        static const ZydisDecoderMode off[] = {
            ZYDIS_DECODER_MODE_MPX,   ZYDIS_DECODER_MODE_CET,      ZYDIS_DECODER_MODE_LZCNT,
            ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_CLDEMOTE,
        };
        ZydisDecoderInit(&o->zydis[wide],
                         wide ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16,
                         wide ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
        for (unsigned n = 0; n < ARRAY_LEN(off); n++)
            ZydisDecoderEnableMode(&o->zydis[wide], off[n], ZYAN_FALSE);
        cs_open(CS_ARCH_X86, wide ? CS_MODE_32 : CS_MODE_16, &o->capstone[wide]);
    }
    o->cs = cs_malloc(o->capstone[1]);
}

static inline void oracle_free(struct oracle *o)
{
    cs_free(o->cs, 1);
    cs_close(&o->capstone[0]);
    cs_close(&o->capstone[1]);
}

static inline struct shape shape_of(const uint8_t *b)
{
    struct shape s = {0};
    unsigned n = 0;
    for (; n < 12; n++) {
        bool seg = b[n] == 0x26 || b[n] == 0x2e || b[n] == 0x36 || b[n] == 0x3e || b[n] == 0x64 ||
                   b[n] == 0x65;
        bool rep = b[n] == 0xf2 || b[n] == 0xf3;
        if (!seg && !rep && b[n] != 0x66 && b[n] != 0x67 && b[n] != 0xf0)
            break;
        s.lock |= b[n] == 0xf0;
        s.p66 |= b[n] == 0x66;
        s.rep |= rep;
    }
    s.prefixes = n;
    if (b[n] == 0x0f) {
        s.map = b[n + 1] == 0x38 ? 2 : b[n + 1] == 0x3a ? 3 : 1;
        n += s.map == 1 ? 1 : 2;
    }
    s.opcode = b[n];
    return s;
}

/* Whether decoder_known.def excuses the fault; counts the row's use. */
static inline bool oracle_excuses(struct oracle *o, enum library library, enum fault fault,
                                  bool code32, const uint8_t *bytes)
{
    struct shape s = shape_of(bytes);
    for (unsigned n = 0; n < ARRAY_LEN(oracle_known); n++) {
        const struct known *k = &oracle_known[n];
        bool select = s.p66 || s.rep;
        if (k->library != library || k->fault != fault || k->map != s.map || s.opcode < k->first ||
            s.opcode > k->last)
            continue;
        if ((k->condition == LOCK && !s.lock) || (k->condition == SELECT && !select) ||
            (k->condition == SELECT2 && !(s.p66 && s.rep)) ||
            (k->condition == APART && !(select && (s.prefixes > 1 || !code32))))
            continue;
        o->known_hits[n]++;
        return true;
    }
    return false;
}

/* Whether `name` stands in the list of words. */
static inline bool word_in(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list; (p = strstr(p, name)) != NULL; p++) {
        if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    }
    return false;
}

/* Whether another library's mnemonic (its prefix words included) can mean operation op. */
static inline bool oracle_name_fits(unsigned op, const char *mnemonic)
{
    static const char prefix_words[] =
        "lock rep repe repne repz repnz bnd xacquire xrelease notrack data16";
    char word[32];
    int used;
    while (sscanf(mnemonic, " %31s%n", word, &used) == 1 && word_in(prefix_words, word))
        mnemonic += used;
    switch (op) {
    case OP_jcc:
        return word[0] == 'j';
    case OP_setcc:
        return strncmp(word, "set", 3) == 0;
    case OP_cmovcc:
        return strncmp(word, "cmov", 4) == 0;
#define KNOWN(library, fault, map, first, last, condition, reason)
#define ALLOW(set)
#define NAMELESS(op)
#define ALIAS(op, names)                                                                           \
    case OP_##op:                                                                                  \
        return strcmp(word, #op) == 0 || word_in(names, word) ||                                   \
               (OP_##op == OP_cmpsd_x && strncmp(word, "cmp", 3) == 0);
#include "tests/unit/decoder/decoder_known.def"
#undef KNOWN
#undef ALLOW
#undef NAMELESS
#undef ALIAS
    case OP_cmpps: /* Capstone writes the predicate into the name: cmpltps */
    case OP_cmppd:
    case OP_cmpss:
        return strncmp(word, "cmp", 3) == 0;
    case OP_pclmulqdq:
        return strncmp(word, "pclmul", 6) == 0;
    default:
        return strcmp(word, insn_op_name(op)) == 0;
    }
}

static inline bool oracle_isa_allowed(ZydisISASet set)
{
    switch (set) {
#define KNOWN(library, fault, map, first, last, condition, reason)
#define ALIAS(op, names)
#define NAMELESS(op)
#define ALLOW(set) case ZYDIS_ISA_SET_##set:
#include "tests/unit/decoder/decoder_known.def"
#undef KNOWN
#undef ALIAS
#undef NAMELESS
#undef ALLOW
        return true;
    default:
        return false;
    }
}

static inline const char *oracle_complain(struct oracle *o, const char *what, const char *theirs,
                                          const uint8_t *bytes, bool code32, const struct insn *i,
                                          bool ok)
{
    int n = snprintf(o->text, sizeof o->text, "%s (%s): decoder %s/%u, code%u,", what, theirs,
                     ok ? insn_op_name(i->op) : "#UD", ok ? i->len : 0u, code32 ? 32u : 16u);
    for (unsigned b = 0; b < INSN_MAX_LEN && n > 0 && (size_t)n < sizeof o->text; b++)
        n += snprintf(o->text + n, sizeof o->text - (size_t)n, " %02x", bytes[b]);
    return o->text;
}

/* One opinion: theirs is NULL when the library finds no instruction. */
static inline const char *oracle_compare(struct oracle *o, enum library library, bool code32,
                                         const uint8_t *bytes, const struct insn *i, bool ok,
                                         const char *theirs, unsigned len)
{
    static const char *const texts[2][4] = {
        {"Zydis accepts", "Zydis rejects", "Zydis' length", "Zydis' name"},
        {"Capstone accepts", "Capstone rejects", "Capstone's length", "Capstone's name"},
    };
    enum fault fault;
    if (!ok && !theirs)
        return NULL;
    if (!ok)
        fault = ACCEPTS;
    else if (!theirs)
        fault = REJECTS;
    else if (len != i->len)
        fault = LENGTH;
    else if (!oracle_name_fits(i->op, theirs))
        fault = NAME;
    else
        return NULL;
    if (oracle_excuses(o, library, fault, code32, bytes))
        return NULL;
    return oracle_complain(o, texts[library][fault], theirs ? theirs : "none", bytes, code32, i,
                           ok);
}

/* Decodes bytes[0..15) three ways. *out and *ok: the decoder's own answer. */
static inline const char *oracle_check(struct oracle *o, bool code32, const uint8_t *bytes,
                                       struct insn *out, bool *ok)
{
    ZydisDecodedInstruction zi;
    const uint8_t *code = bytes;
    size_t left = INSN_MAX_LEN;
    uint64_t address = 0;
    const char *complaint;
    enum decode_status status =
        decoder_decode(&o->decoder, (struct decode_mode){code32, code32}, bytes, INSN_MAX_LEN, out);

    *ok = status == DECODE_OK;
    if (status == DECODE_MORE)
        return oracle_complain(o, "asks for a 16th byte", "", bytes, code32, out, false);
    ZyanStatus zs =
        ZydisDecoderDecodeInstruction(&o->zydis[code32], NULL, bytes, INSN_MAX_LEN, &zi);
    bool zydis_ok = ZYAN_SUCCESS(zs) && oracle_isa_allowed(zi.meta.isa_set);
    complaint = oracle_compare(o, ZYDIS, code32, bytes, out, *ok,
                               zydis_ok ? ZydisMnemonicGetString(zi.mnemonic) : NULL,
                               zydis_ok ? zi.length : 0);
    if (complaint)
        return complaint;
    bool cs_ok = cs_disasm_iter(o->capstone[code32], &code, &left, &address, o->cs);
    return oracle_compare(o, CAPSTONE, code32, bytes, out, *ok, cs_ok ? o->cs->mnemonic : NULL,
                          cs_ok ? o->cs->size : 0);
}

#endif
