/* SPDX-License-Identifier: MIT */
/*
 * coverage.c - which forms of decoder/isa.def's rows the generator makes: with a register and with
 * memory, 16 and 32 bits, 16-bit addresses, segment prefixes, LOCK, REP and REPNE.
 *
 * Not here   Whether a form was executed, and with which operands: there are millions of cases.
 */
#include "tests/bt/bt_random.h"

#define ANY ROW_ANY
#define INSN(op, map, first, last, prefix, mod, reg, rm, form, cls, feature, note)                 \
    {OP_##op, map, first, last, RP_##prefix, RM_##mod, reg, rm, CLS_##cls, form},
const struct row rows[ROW_COUNT] = {
#include "decoder/isa.def"
};
#undef INSN

enum cell { NO_OPERAND, REG, MEM, OP16, OP32, ADDR16, SEGMENT, LOCK, REP, REPNE, CELLS };
static const char *const cell_names[CELLS] = {
    "",     "register", "memory", "16-bit", "32-bit", "address of 16 bits", "segment prefix",
    "LOCK", "REP",      "REPNE"};

static bool is_string(const struct row *r)
{
    return r->map == 0 &&
           ((r->first >= 0xa4 && r->first <= 0xaf && r->first != 0xa8 && r->first != 0xa9) ||
            (r->first >= 0x6c && r->first <= 0x6f));
}

static bool may_lock(const struct row *r)
{
    static const uint16_t ops[] = {OP_add, OP_or,  OP_adc, OP_sbb,  OP_and,     OP_sub,
                                   OP_xor, OP_not, OP_neg, OP_inc,  OP_dec,     OP_xchg,
                                   OP_bts, OP_btr, OP_btc, OP_xadd, OP_cmpxchg, OP_cmpxchg8b};

    if (r->form[0] != 'E' && r->form[0] != 'M')
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(ops); n++)
        if (ops[n] == r->op)
            return true;
    return false;
}

/* The cells that a row has. */
static unsigned expected(const struct row *r)
{
    bool named = !strcmp(r->form, "ES"); /* the segment register, no operand of kind E */
    bool mem = !named && strpbrk(r->form, "EWQMO") && r->mod != RM_REG;
    bool reg = !named && strpbrk(r->form, "EWQRUN") && r->mod != RM_MEM;
    unsigned set = 0;

    if (gen_excluded(r->op))
        return 0;
    set |= mem ? 1u << MEM | 1u << ADDR16 | 1u << SEGMENT : 0;
    set |= reg ? 1u << REG : 0;
    set |= !mem && !reg ? 1u << NO_OPERAND : 0;
    if (strpbrk(r->form, "vz") && (r->prefix == RP_ANY || r->prefix == RP_NF))
        set |= 1u << OP16 | 1u << OP32;
    if (may_lock(r))
        set |= 1u << LOCK;
    if (is_string(r))
        set |= 1u << REP | 1u << REPNE | 1u << ADDR16 | 1u << SEGMENT;
    return set;
}

static bool matches(const struct row *r, const struct insn *i)
{
    static const uint8_t prefix_of[] = {[RP_P66] = 0x66, [RP_PF3] = 0xf3, [RP_PF2] = 0xf2};
    bool modrm = i->off_modrm != 0, is_reg = i->modrm >> 6 == 3;

    if (r->op != i->op || r->map != i->map || i->opcode < r->first || i->opcode > r->last)
        return false;
    if (modrm && ((r->mod == RM_MEM && is_reg) || (r->mod == RM_REG && !is_reg) ||
                  (r->reg != ROW_ANY && r->reg != (i->modrm >> 3 & 7)) ||
                  (r->rm != ROW_ANY && r->rm != (i->modrm & 7))))
        return false;
    return r->prefix == RP_ANY || r->prefix == RP_NF
               ? true
               : i->mandatory == (r->prefix == RP_NP ? 0 : prefix_of[r->prefix]);
}

static unsigned cells_of(const struct insn *i)
{
    unsigned set = 0, kinds = 0;

    for (unsigned n = 0; n < i->nops && n < 4; n++)
        kinds |= 1u << i->operand[n].kind;
    set |= kinds & 1u << OPK_MEM ? 1u << MEM : 0;
    set |= i->off_modrm && i->modrm >> 6 == 3 ? 1u << REG : 0;
    set |= i->opsize == 2 ? 1u << OP16 : i->opsize == 4 ? 1u << OP32 : 0;
    set |= i->addr_size == 2 ? 1u << ADDR16 : 0;
    set |= i->prefixes & PFX_SEG ? 1u << SEGMENT : 0;
    set |= i->prefixes & PFX_LOCK ? 1u << LOCK : 0;
    set |= i->prefixes & PFX_REP ? 1u << REP : 0;
    set |= i->prefixes & PFX_REPNE ? 1u << REPNE : 0;
    return set | 1u << NO_OPERAND;
}

static void count_case(const struct bt_case *c, const struct decoder *d, unsigned seen[ROW_COUNT])
{
    struct insn i;

    for (unsigned n = 0; n < c->count; n++) {
        const struct case_insn *k = &c->insn[n];
        struct decode_mode mode = {.code32 = !k->code16, .stack32 = !c->stack16};
        if (decoder_decode(d, mode, k->bytes, k->len, &i) != DECODE_OK)
            continue;
        for (unsigned r = 0; r < ROW_COUNT; r++)
            if (matches(&rows[r], &i)) {
                seen[r] |= cells_of(&i);
                break;
            }
    }
}

void coverage(uint64_t seed, uint64_t count, const struct decoder *d, FILE *out)
{
    static unsigned seen[ROW_COUNT];
    static struct bt_case c;
    unsigned all = 0, missing = 0;

    for (uint64_t n = 0; n < count; n++) {
        case_make(&c, seed + n, d);
        count_case(&c, d, seen);
    }
    for (unsigned r = 0; r < ROW_COUNT; r++)
        for (unsigned k = 0; k < CELLS; k++) {
            if (!(expected(&rows[r]) >> k & 1))
                continue;
            all++;
            if (seen[r] >> k & 1)
                continue;
            missing++;
            fprintf(out, "%s %s (map %u, opcode %02x): %s\n", insn_op_name(rows[r].op),
                    rows[r].form, rows[r].map, rows[r].first, cell_names[k]);
        }
    fprintf(out, "%u rows, %u forms of them, %u not in %llu cases\n", (unsigned)ROW_COUNT, all,
            missing, (unsigned long long)count);
}
