/* SPDX-License-Identifier: MIT */
/*
 * bt_bmi2.c - a host without BMI2 (-bt bmi2=off): no instruction of it is emitted, neither in the
 * fixed routines nor in the blocks of guest tests. The guest tests themselves run under the
 * configuration nobmi2.
 */
/* uses: bt/translate/operand.c */
#include "tests/rig/guest_run.h"

#include <Zydis/Zydis.h>
#include <sys/mman.h>

#include "bt/run/run_priv.h"

/* Between them they reach every emitter that knows BMI2. */
static const char *const guests[] = {"addr_forms", "bitops",     "muldiv",     "prefixes",
                                     "smc_beside", "stack_insn", "string_ops", "irq_shadow"};

static ZydisDecoder decoder;

/* Instructions with a VEX prefix in the arena's bytes from..end; BMI2 has no others. `padded`: what
 * is not an instruction ends the search. */
static unsigned vex_count(const struct bt *bt, uint32_t from, uint32_t end, bool padded)
{
    const uint8_t *code = bt->cache.arena->rx;
    ZydisDecodedInstruction zi;
    unsigned found = 0;

    for (uint32_t at = from; at < end; at += zi.length) {
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeInstruction(&decoder, NULL, code + at, end - at, &zi))) {
            cr_expect(padded, "no instruction at 0x%x", at);
            return found;
        }
        if (zi.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
            found++;
    }
    return found;
}

struct count {
    unsigned fixed, blocks, in_blocks; /* instructions found, blocks searched */
};

/* Runs a guest test and counts in all that it left in the cache. */
static struct count vex_of_guest(const char *name, struct bt_options options)
{
    struct machine *m = guest_run(name, options);
    const struct bt *bt = m->vcpu->translator;
    struct count c = {.fixed = vex_count(bt, 0, bt->cache.fixed, true),
                      .blocks = bt->cache.block_count};
    for (uint32_t n = 0; n < bt->cache.block_count; n++) {
        const struct bt_block *b = &bt->cache.blocks[n];
        c.in_blocks += vex_count(bt, b->entry, b->end, false);
    }
    machine_destroy(m);
    munmap(m, sizeof *m);
    return c;
}

Test(bt_bmi2, none_is_emitted)
{
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (unsigned n = 0; n < ARRAY_LEN(guests); n++) {
        for (unsigned soft = 0; soft < 2; soft++) {
            struct count c =
                vex_of_guest(guests[n], (struct bt_options){.soft_only = soft, .no_bmi2 = true});
            cr_expect(c.blocks > 20 && !c.fixed && !c.in_blocks,
                      "%s: %u in the routines, %u in %u blocks", guests[n], c.fixed, c.in_blocks,
                      c.blocks);
        }
        struct count with = vex_of_guest(guests[n], (struct bt_options){.soft_only = true});
        cr_expect((with.fixed > 10 && with.in_blocks > 100) || !__builtin_cpu_supports("bmi2"),
                  "%s: only %u and %u to be found", guests[n], with.fixed, with.in_blocks);
    }
}
