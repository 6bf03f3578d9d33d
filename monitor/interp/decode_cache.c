/* SPDX-License-Identifier: MIT */
/* decode_cache.c - see decode_cache.h. */
#include "monitor/interp/decode_cache.h"

#include "include/ring1/mem.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/block.h"

static struct decode_words words_get(const uint8_t *bytes)
{
    struct decode_words w;

    memcpy(&w.low, bytes, 8);
    memcpy(&w.high, bytes + 7, 8);
    return w;
}

/* The mask of the first `len` bytes. */
static struct decode_words mask_of(unsigned len)
{
    return (struct decode_words){.low = len < 8 ? (1ull << len * 8) - 1 : UINT64_MAX,
                                 .high = len <= 7             ? 0
                                         : len < INSN_MAX_LEN ? (1ull << (len - 7) * 8) - 1
                                                              : UINT64_MAX};
}

static struct decode_words words_and(struct decode_words a, struct decode_words b)
{
    return (struct decode_words){.low = a.low & b.low, .high = a.high & b.high};
}

/* The bytes that mostly decide the length: opcode and ModRM, after one prefix or 0F. */
static unsigned length_index(const uint8_t *bytes)
{
    switch (bytes[0]) {
    case 0x0f:
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return (bytes[1] | (unsigned)bytes[2] << 8) ^ bytes[0] * 0x101u;
    default:
        return bytes[0] | (unsigned)bytes[1] << 8;
    }
}

static struct decode_cache_entry *entry_of(struct decode_cache *c, struct decode_words w,
                                           unsigned len, unsigned mode)
{
    w = words_and(w, mask_of(len));
    uint64_t x = (w.low ^ (w.high << 17 | w.high >> 47) ^ mode) * 0x9e3779b97f4a7c15ull;

    return &c->entry[x >> 52];
}
_Static_assert(DECODE_CACHE_ENTRIES == 1u << 12, "entry_of() takes twelve bits");

static bool matches(const struct decode_cache_entry *e, struct decode_words w, unsigned mode)
{
    return e->mode == mode && ((w.low ^ e->bytes.low) & e->mask.low) == 0 &&
           ((w.high ^ e->bytes.high) & e->mask.high) == 0;
}

/* Takes four bytes at `at` out of the mask. */
static void mask_punch(struct decode_words *m, unsigned at)
{
    struct decode_words head = mask_of(at), tail = mask_of(at + 4);

    m->low &= head.low | ~tail.low;
    m->high &= head.high | ~tail.high;
}

static bool wide_disp(const struct insn *i)
{
    return i->disp_len == 4;
}

static bool wide_imm(const struct insn *i)
{
    return i->imm_len == 4 && i->operand[0].kind != OPK_FAR; /* 16:16 is four bytes, too */
}

static void entry_fill(struct decode_cache_entry *e, struct decode_words w, const struct insn *i,
                       unsigned mode)
{
    e->mask = mask_of(i->len);
    if (wide_disp(i))
        mask_punch(&e->mask, i->off_disp);
    if (wide_imm(i))
        mask_punch(&e->mask, i->off_imm);
    e->bytes = w;
    e->insn = *i;
    e->mode = (uint8_t)mode;
}

/* Sets what a hit does not share with the cached record: the bytes, and the wide values in them. */
static void personalize(struct insn *i, const uint8_t *bytes, struct decode_words w)
{
    struct decode_words own = words_and(w, mask_of(i->len));

    memcpy(i->bytes, &own.low, 8);
    memcpy(i->bytes + 7, &own.high, 8);
    if (wide_disp(i))
        memcpy(&i->disp, bytes + i->off_disp, 4);
    if (wide_imm(i))
        memcpy(&i->imm, bytes + i->off_imm, 4);
}

/* How many bytes name the instruction. */
static unsigned key_length(const struct insn *i)
{
    return wide_disp(i) ? i->off_disp : wide_imm(i) ? i->off_imm : i->len;
}

enum decode_status interp_decode(struct vcpu *v, struct decode_mode mode, const uint8_t *bytes,
                                 unsigned len, struct insn *out)
{
    struct decode_cache *c = &v->interp->decoded;
    unsigned key = 4u | (mode.code32 ? 1u : 0) | (mode.stack32 ? 2u : 0);

    if (len < INSN_MAX_LEN) { /* near a page's end */
        fpu_park(v);
        return decoder_decode(&v->vm->decoder, mode, bytes, len, out);
    }
    struct decode_words w = words_get(bytes);
    uint8_t *length = &c->length[length_index(bytes)];
    struct decode_cache_entry *e = entry_of(c, w, *length, key);
    if (matches(e, w, key)) {
        *out = e->insn;
        personalize(out, bytes, w);
        return DECODE_OK;
    }
    fpu_park(v);
    enum decode_status status = decoder_decode(&v->vm->decoder, mode, bytes, len, out);
    v->stats.decodes++;
    if (status == DECODE_OK) {
        *length = (uint8_t)key_length(out);
        entry_fill(entry_of(c, w, *length, key), w, out, key);
    }
    return status;
}

void interp_decode_forget(struct vcpu *v)
{
    memset(&v->interp->decoded, 0, sizeof v->interp->decoded);
}
