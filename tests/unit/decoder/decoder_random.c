/* SPDX-License-Identifier: MIT */
/* uses: decoder/ zydis capstone */
/*
 * decoder_random.c - random byte strings in both code sizes, decoded by us, Zydis and Capstone.
 * A third is plain noise; the others are biased to prefixes and to the 0F maps, where the
 * disagreements live.
 */
#include <criterion/criterion.h>

#include "tests/unit/decoder/decoder_oracle.h"

#define ROUNDS 1000000u

static uint32_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

static void fill(uint64_t *state, uint8_t *bytes)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x66};
    unsigned at = 0;
    for (unsigned n = 0; n < INSN_MAX_LEN; n++)
        bytes[n] = (uint8_t)next(state);
    if (next(state) % 3 == 0) {
        for (unsigned n = 1 + next(state) % 2; n > 0; n--)
            bytes[at++] = prefixes[next(state) % sizeof prefixes];
    }
    switch (next(state) % 4) {
    case 0:
        bytes[at] = 0x0f;
        break;
    case 1:
        bytes[at] = 0x0f;
        bytes[at + 1] = next(state) & 1 ? 0x38 : 0x3a;
        break;
    default:
        break;
    }
}

Test(decoder_random, agrees_with_zydis_and_capstone)
{
    static struct oracle o;
    uint64_t state = 0x9e3779b97f4a7c15u;
    unsigned bad = 0, valid = 0;
    oracle_init(&o);
    for (unsigned n = 0; n < ROUNDS && bad < 20; n++) {
        uint8_t bytes[16] = {0};
        struct insn i;
        bool ok;
        fill(&state, bytes);
        const char *complaint = oracle_check(&o, n & 1, bytes, &i, &ok);
        if (complaint) {
            bad++;
            cr_expect(false, "%s", complaint);
        }
        valid += ok;
    }
    cr_expect(valid > ROUNDS / 3, "only %u of %u strings are instructions", valid, ROUNDS);
    oracle_free(&o);
}

/* The answer for a cut string: DECODE_MORE exactly until the length of the whole, and the same
 * record afterwards. */
Test(decoder_random, short_input_asks_for_more)
{
    static struct decoder d;
    uint64_t state = 0xdeadbeefcafef00du;
    decoder_init(&d, ISA_EVERY);
    for (unsigned n = 0; n < 40000; n++) {
        struct decode_mode mode = {n & 1, n & 1};
        uint8_t bytes[16] = {0};
        struct insn whole, part;
        fill(&state, bytes);
        if (decoder_decode(&d, mode, bytes, INSN_MAX_LEN, &whole) != DECODE_OK)
            continue;
        for (unsigned len = 0; len < INSN_MAX_LEN; len++) {
            enum decode_status s = decoder_decode(&d, mode, bytes, len, &part);
            cr_expect(s == (len < whole.len ? DECODE_MORE : DECODE_OK),
                      "%s of %u bytes, cut to %u: status %u", insn_op_name(whole.op), whole.len,
                      len, (unsigned)s);
            if (s == DECODE_OK)
                cr_expect(memcmp(&part, &whole, sizeof part) == 0, "%s: another record",
                          insn_op_name(whole.op));
        }
    }
}
