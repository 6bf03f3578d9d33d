/* SPDX-License-Identifier: MIT */
/*
 * decode_cache.c - an instruction found again by its bytes has the record that decoding it gives:
 * random instructions, each again with some of its bytes changed, in all modes.
 */
#include <criterion/criterion.h>

#include "monitor/interp/decode_cache.h"
#include "tests/rig/interp_rig.h"

#define ROUNDS   60000u
#define VARIANTS 6u

static uint32_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

static void fill(uint64_t *state, uint8_t *bytes)
{
    static const uint8_t first[] = {0x66, 0x67, 0x0f, 0xf3, 0x64, 0x0f, 0x66, 0x0f};
    unsigned n = 0;

    for (unsigned k = 0; k < INSN_MAX_LEN; k++)
        bytes[k] = (uint8_t)next(state);
    while (n < 3 && next(state) & 1)
        bytes[n++] = first[next(state) % sizeof first];
}

static void compare(struct rig *r, const uint8_t *bytes, unsigned mode)
{
    struct decode_mode m = {.code32 = mode & 1, .stack32 = mode & 2};
    struct insn want, have;
    enum decode_status expect = decoder_decode(&r->vm.decoder, m, bytes, INSN_MAX_LEN, &want);
    enum decode_status status = interp_decode(&r->cpu, m, bytes, INSN_MAX_LEN, &have);

    cr_assert(status == expect, "%02x %02x %02x: status %u, not %u", bytes[0], bytes[1], bytes[2],
              (unsigned)status, (unsigned)expect);
    if (status == DECODE_OK)
        cr_assert(memcmp(&want, &have, sizeof want) == 0,
                  "%s (%02x %02x %02x %02x): record differs", insn_op_name(want.op), bytes[0],
                  bytes[1], bytes[2], bytes[3]);
}

Test(decode_cache, same_as_decoding)
{
    struct rig *r = rig_new();
    uint64_t state = 0x243f6a8885a308d3u;
    unsigned asked = 0;

    for (unsigned n = 0; n < ROUNDS; n++) {
        unsigned mode = next(&state) & 3;
        uint8_t bytes[INSN_MAX_LEN];

        fill(&state, bytes);
        for (unsigned k = 0; k < VARIANTS; k++, asked++) {
            compare(r, bytes, k == 3 ? next(&state) & 3 : mode);
            bytes[1 + next(&state) % (INSN_MAX_LEN - 1)] = (uint8_t)next(&state);
        }
    }
    cr_expect(r->cpu.stats.decodes < asked, "nothing was ever found");
    rig_start(r);
    (void)rig_decode;
    (void)rig_execute;
}
