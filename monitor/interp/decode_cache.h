/* SPDX-License-Identifier: MIT */
/*
 * decode_cache.h - instructions decoded before, found again by their bytes.
 *
 * Why        Real code is made of few different instructions: most that are decoded, by the
 *            interpreter or the translator, were decoded elsewhere. A hit costs a tenth of a decode
 *            and does not touch the guest's FPU.
 * How        Displacements and immediates of four bytes may differ: nothing else in the record
 *            depends on their value, so a hit gets its own. All other bytes are compared.
 * Promises   A hit is what decoder_decode() would answer.
 */
#ifndef RING1_MONITOR_INTERP_DECODE_CACHE_H
#define RING1_MONITOR_INTERP_DECODE_CACHE_H

#include "decoder/insn.h"

struct vcpu;

#define DECODE_CACHE_ENTRIES (1u << 12)
#define DECODE_CACHE_LENGTHS (1u << 16)

/* The first 15 bytes of something as two words: 0-7 and 7-14. */
struct decode_words {
    uint64_t low, high;
};

struct decode_cache_entry {
    struct decode_words mask, bytes; /* bytes that must match: mask, value */
    struct insn insn;
    uint8_t mode; /* 0: empty */
};

struct decode_cache {
    /* How many bytes to hash of what begins with these two: what came before a displacement or
     * immediate of four bytes, last time. A wrong guess costs a miss. */
    uint8_t length[DECODE_CACHE_LENGTHS];
    struct decode_cache_entry entry[DECODE_CACHE_ENTRIES];
};

/* Answers as decoder_decode(), from the cache if it can; parks the guest's FPU if it must ask the
 * decoder. */
enum decode_status interp_decode(struct vcpu *v, struct decode_mode mode, const uint8_t *bytes,
                                 unsigned len, struct insn *out);

/* Empties the cache, as is due when the decoder was set up anew. */
void interp_decode_forget(struct vcpu *v);

#endif
